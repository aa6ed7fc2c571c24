"""Writes one seeded ViT for both sides of `cargo xtask bench`.

    python make_models.py ti|b FOLDER

FOLDER gets f32.onnx and int8.onnx for onnxruntime-web, f32/ (config.json, model.safetensors in Hugging Face's naming) for
vitscope, and pixels.f32, one input for all. The graph is the one that torch.onnx writes of ViTForImageClassification, with
a fixed batch of one. Theirs is given its best form: what ONNX Runtime's own tools make of it offline, by the settings that
ran fastest in the browser (see `quantise`).
"""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from safetensors.numpy import save_file

HIDDEN = {"ti": 192, "b": 768}
"""The width tells ViT-Ti from ViT-B; a head is 64 wide and the MLP four times the width in both."""

SIZE, PATCH, LAYERS, HEAD, CLASSES, EPS, OPSET = 224, 16, 12, 64, 1000, 1e-12, 17
GRID = SIZE // PATCH
TOKENS = GRID * GRID + 1


def draw_weights(width: int) -> dict[str, np.ndarray]:
    """Weights at the scale of trained ones: variances are kept, attention is selective, LayerNorms are near one."""
    rng = np.random.default_rng(width)

    def normal(std: float, *shape: int) -> np.ndarray:
        return (std * rng.standard_normal(shape, dtype=np.float32)).clip(-3 * std, 3 * std)

    weights: dict[str, np.ndarray] = {}

    def linear(name: str, outputs: int, inputs: int, gain: float = 1.0) -> None:
        weights[f"{name}.weight"] = normal(gain / inputs**0.5, outputs, inputs)
        weights[f"{name}.bias"] = normal(0.05, outputs)

    def layer_norm(name: str) -> None:
        weights[f"{name}.weight"] = 1 + normal(0.1, width)
        weights[f"{name}.bias"] = normal(0.05, width)

    embeddings = "vit.embeddings"
    weights[f"{embeddings}.cls_token"] = normal(0.5, 1, 1, width)
    weights[f"{embeddings}.position_embeddings"] = normal(0.3, 1, TOKENS, width)
    linear(f"{embeddings}.patch_embeddings.projection", width, 3 * PATCH * PATCH)
    patches = f"{embeddings}.patch_embeddings.projection.weight"
    weights[patches] = weights[patches].reshape(width, 3, PATCH, PATCH)
    for i in range(LAYERS):
        block = f"vit.encoder.layer.{i}"
        layer_norm(f"{block}.layernorm_before")
        linear(f"{block}.attention.attention.query", width, width, 1.4)
        linear(f"{block}.attention.attention.key", width, width, 1.4)
        linear(f"{block}.attention.attention.value", width, width)
        linear(f"{block}.attention.output.dense", width, width)
        layer_norm(f"{block}.layernorm_after")
        linear(f"{block}.intermediate.dense", 4 * width, width)
        linear(f"{block}.output.dense", width, 4 * width)
    layer_norm("vit.layernorm")
    linear("classifier", CLASSES, width)
    return weights


class Graph:
    """Collects nodes; every method returns the name of its output."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, np.ndarray] = {}

    def op(self, kind: str, *inputs: str, **attributes) -> str:
        name = f"/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}_output_0"], name=name, **attributes))
        return f"{name}_output_0"

    def constant(self, name: str, value) -> str:
        self.initializers[name] = np.asarray(value)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def shape(self, *sizes: int) -> str:
        return self.constant("shape_" + "_".join(map(str, sizes)), np.array(sizes, np.int64))

    def scalar(self, name: str, value: float) -> str:
        return self.constant(name, np.float32(value))

    def linear(self, x: str, name: str) -> str:
        matrix = self.constant(f"{name}.transposed", np.ascontiguousarray(self.weights[f"{name}.weight"].T))
        return self.op("Add", self.weight(f"{name}.bias"), self.op("MatMul", x, matrix))

    def layer_norm(self, x: str, name: str) -> str:
        return self.op("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=EPS)

    def gelu(self, x: str) -> str:
        erf = self.op("Erf", self.op("Div", x, self.scalar("sqrt_2", 2**0.5)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.scalar("one", 1))), self.scalar("half", 0.5))

    def heads(self, x: str, name: str, width: int, order: list[int]) -> str:
        split = self.op("Reshape", self.linear(x, name), self.shape(1, TOKENS, width // HEAD, HEAD))
        return self.op("Transpose", split, perm=order)

    def attention(self, x: str, block: str, width: int) -> str:
        query, key, value = (f"{block}.attention.attention.{part}" for part in ("query", "key", "value"))
        q, k, v = self.heads(x, query, width, [0, 2, 1, 3]), self.heads(x, key, width, [0, 2, 3, 1]), self.heads(x, value, width, [0, 2, 1, 3])
        scores = self.op("Div", self.op("MatMul", q, k), self.scalar("sqrt_head", HEAD**0.5))
        mixed = self.op("Transpose", self.op("MatMul", self.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return self.linear(self.op("Reshape", mixed, self.shape(1, TOKENS, width)), f"{block}.attention.output.dense")


def build(weights: dict[str, np.ndarray], width: int) -> onnx.ModelProto:
    g = Graph(weights)
    projection = "vit.embeddings.patch_embeddings.projection"
    patches = g.op("Conv", "pixel_values", g.weight(f"{projection}.weight"), g.weight(f"{projection}.bias"),
                   kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
    patches = g.op("Transpose", g.op("Reshape", patches, g.shape(1, width, GRID * GRID)), perm=[0, 2, 1])
    x = g.op("Add", g.op("Concat", g.weight("vit.embeddings.cls_token"), patches, axis=1), g.weight("vit.embeddings.position_embeddings"))
    for i in range(LAYERS):
        block = f"vit.encoder.layer.{i}"
        x = g.op("Add", g.attention(g.layer_norm(x, f"{block}.layernorm_before"), block, width), x)
        hidden = g.gelu(g.linear(g.layer_norm(x, f"{block}.layernorm_after"), f"{block}.intermediate.dense"))
        x = g.op("Add", g.linear(hidden, f"{block}.output.dense"), x)
    pooled = g.op("Gather", g.layer_norm(x, "vit.layernorm"), g.constant("first", np.int64(0)), axis=1)
    logits = g.op("Gemm", pooled, g.weight("classifier.weight"), g.weight("classifier.bias"), transB=1)
    g.nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        g.nodes, "vit",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in g.initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def fuse(model: onnx.ModelProto, width: int) -> onnx.ModelProto:
    """Attention, SkipLayerNormalization and BiasGelu in place of their parts: never slower in the browser, and smaller."""
    options = FusionOptions("vit")
    fused = optimize_model(model, "vit", num_heads=width // HEAD, hidden_size=width, opt_level=0, optimization_options=options).model
    found = [node.op_type for node in fused.graph.node]
    missed = {kind: found.count(kind) for kind in ("Attention", "BiasGelu") if found.count(kind) != LAYERS}
    assert not missed, f"the optimiser no longer recognises the graph: {missed}"
    if all(opset.domain != "com.microsoft" for opset in fused.opset_import):
        fused.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return fused


def quantise(model: onnx.ModelProto, path: Path) -> None:
    """Every operator that can be, weights in 7 bits a channel: what transformers.js uses, too. In the browser 8 bits, signed
    weights and one scale a matrix each ran as fast or slower, and the convolution costs nothing with unsigned weights."""
    options = {"DefaultTensorType": TensorProto.FLOAT}  # of the fused operators, whose types onnx can't infer
    quantize_dynamic(model, path, per_channel=True, reduce_range=True, weight_type=QuantType.QUInt8, extra_options=options)


def draw_pixels() -> np.ndarray:
    """Like a photo after normalisation: about -2 to 2, with structure that differs by region."""
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    slope = ramp[:, None] * ramp[None, :]
    noise = np.random.default_rng(0).standard_normal((3, SIZE, SIZE), dtype=np.float32)
    return 0.8 * noise + np.stack([slope, -slope, slope / 2])


def main(name: str, folder: Path) -> None:
    width = HIDDEN[name]
    (folder / "f32").mkdir(parents=True, exist_ok=True)
    weights = draw_weights(width)
    save_file(weights, folder / "f32/model.safetensors", metadata={"format": "pt"})
    config = {
        "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_act": "gelu", "layer_norm_eps": EPS,
        "image_size": SIZE, "patch_size": PATCH, "num_channels": 3, "qkv_bias": True, "hidden_size": width,
        "num_hidden_layers": LAYERS, "num_attention_heads": width // HEAD, "intermediate_size": 4 * width,
    }
    (folder / "f32/config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = fuse(build(weights, width), width)
    onnx.save(model, folder / "f32.onnx")
    quantise(model, folder / "int8.onnx")
    draw_pixels().tofile(folder / "pixels.f32")


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # "consider pre-processing before quantization", of the root logger
    main(sys.argv[1], Path(sys.argv[2]))
