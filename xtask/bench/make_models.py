"""Writes one network for both sides of `cargo xtask bench`.

    python make_models.py ti|b FOLDER          # seeded
    python make_models.py MODEL FOLDER         # a model folder, of 8 bits; FOLDER holds photo.safetensors, a trace whose pixels are the input

FOLDER gets f32.onnx and int8.onnx for onnxruntime-web, f32/ (config.json, model.safetensors in Hugging Face's naming) for
vitscope, and pixels.f32, one input for all; of a model folder also int8/, which is that. The graph is the one that torch.onnx writes of
ViTForImageClassification, with a fixed batch of one. Theirs is given its best form: what ONNX Runtime's own tools make of it offline, by
the settings that ran fastest in the browser (see `quantise`).
"""

import json
import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from safetensors.numpy import load_file, save_file

import checkpoint

HIDDEN = {"ti": 192, "b": 768}
"""The width tells ViT-Ti from ViT-B; a head is 64 wide and the MLP four times the width in both."""

OPSET = 17


@dataclass
class Network:
    """All that the graph is told beside its weights."""

    width: int
    heads: int
    size: int = 224
    patch: int = 16
    layers: int = 12
    classes: int = 1000
    eps: float = 1e-12

    @property
    def grid(self) -> int:
        return self.size // self.patch

    @property
    def tokens(self) -> int:
        return self.grid * self.grid + 1


def draw_weights(network: Network) -> dict[str, np.ndarray]:
    """Weights at the scale of trained ones: variances are kept, attention is selective, LayerNorms are near one."""
    width, patch = network.width, network.patch
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
    weights[f"{embeddings}.position_embeddings"] = normal(0.3, 1, network.tokens, width)
    linear(f"{embeddings}.patch_embeddings.projection", width, 3 * patch * patch)
    patches = f"{embeddings}.patch_embeddings.projection.weight"
    weights[patches] = weights[patches].reshape(width, 3, patch, patch)
    for i in range(network.layers):
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
    linear("classifier", network.classes, width)
    return weights


class Graph:
    """Collects nodes; every method returns the name of its output."""

    def __init__(self, weights: dict[str, np.ndarray], network: Network):
        self.weights = weights
        self.network = network
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
        return self.op("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1, epsilon=self.network.eps)

    def gelu(self, x: str) -> str:
        erf = self.op("Erf", self.op("Div", x, self.scalar("sqrt_2", 2**0.5)))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.scalar("one", 1))), self.scalar("half", 0.5))

    def heads(self, x: str, name: str, order: list[int]) -> str:
        heads, width = self.network.heads, self.network.width
        split = self.op("Reshape", self.linear(x, name), self.shape(1, self.network.tokens, heads, width // heads))
        return self.op("Transpose", split, perm=order)

    def attention(self, x: str, block: str) -> str:
        query, key, value = (f"{block}.attention.attention.{part}" for part in ("query", "key", "value"))
        q, k, v = self.heads(x, query, [0, 2, 1, 3]), self.heads(x, key, [0, 2, 3, 1]), self.heads(x, value, [0, 2, 1, 3])
        root = (self.network.width // self.network.heads) ** 0.5
        scores = self.op("Div", self.op("MatMul", q, k), self.scalar("sqrt_head", root))
        mixed = self.op("Transpose", self.op("MatMul", self.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        joined = self.op("Reshape", mixed, self.shape(1, self.network.tokens, self.network.width))
        return self.linear(joined, f"{block}.attention.output.dense")

    def pooled(self, x: str) -> str:
        """The class token; beside it the mean of the patches where the head reads twice the width."""
        token = self.op("Gather", x, self.constant("first", np.int64(0)), axis=1)
        if self.weights["classifier.weight"].shape[1] == self.network.width:
            return token
        ends = [self.constant(name, np.array([at], np.int64)) for name, at in (("from", 1), ("to", self.network.tokens), ("axis", 1))]
        mean = self.op("ReduceMean", self.op("Slice", x, *ends), axes=[1], keepdims=0)
        return self.op("Concat", token, mean, axis=1)


def build(weights: dict[str, np.ndarray], network: Network) -> onnx.ModelProto:
    g = Graph(weights, network)
    grid, patch = network.grid, network.patch
    projection = "vit.embeddings.patch_embeddings.projection"
    patches = g.op("Conv", "pixel_values", g.weight(f"{projection}.weight"), g.weight(f"{projection}.bias"),
                   kernel_shape=[patch, patch], strides=[patch, patch])
    patches = g.op("Transpose", g.op("Reshape", patches, g.shape(1, network.width, grid * grid)), perm=[0, 2, 1])
    x = g.op("Add", g.op("Concat", g.weight("vit.embeddings.cls_token"), patches, axis=1), g.weight("vit.embeddings.position_embeddings"))
    for i in range(network.layers):
        block = f"vit.encoder.layer.{i}"
        x = g.op("Add", g.attention(g.layer_norm(x, f"{block}.layernorm_before"), block), x)
        hidden = g.gelu(g.linear(g.layer_norm(x, f"{block}.layernorm_after"), f"{block}.intermediate.dense"))
        x = g.op("Add", g.linear(hidden, f"{block}.output.dense"), x)
    logits = g.op("Gemm", g.pooled(g.layer_norm(x, "vit.layernorm")), g.weight("classifier.weight"), g.weight("classifier.bias"), transB=1)
    g.nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        g.nodes, "vit",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [1, 3, network.size, network.size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, network.classes])],
        [numpy_helper.from_array(value, name) for name, value in g.initializers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def fuse(model: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """Attention, SkipLayerNormalization and BiasGelu in place of their parts: never slower in the browser, and smaller."""
    options = FusionOptions("vit")
    fused = optimize_model(model, "vit", num_heads=network.heads, hidden_size=network.width, opt_level=0, optimization_options=options).model
    found = [node.op_type for node in fused.graph.node]
    missed = {kind: found.count(kind) for kind in ("Attention", "BiasGelu") if found.count(kind) != network.layers}
    assert not missed, f"the optimiser no longer recognises the graph: {missed}"
    if all(opset.domain != "com.microsoft" for opset in fused.opset_import):
        fused.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return fused


def quantise(model: onnx.ModelProto, path: Path) -> None:
    """Every operator that can be, weights in 7 bits a channel: what transformers.js uses, too. In the browser 8 bits, signed
    weights and one scale a matrix each ran as fast or slower, and the convolution costs nothing with unsigned weights."""
    options = {"DefaultTensorType": TensorProto.FLOAT}  # of the fused operators, whose types onnx can't infer
    quantize_dynamic(model, path, per_channel=True, reduce_range=True, weight_type=QuantType.QUInt8, extra_options=options)


def draw_pixels(size: int) -> np.ndarray:
    """Like a photo after normalisation: about -2 to 2, with structure that differs by region."""
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    slope = ramp[:, None] * ramp[None, :]
    noise = np.random.default_rng(0).standard_normal((3, size, size), dtype=np.float32)
    return 0.8 * noise + np.stack([slope, -slope, slope / 2])


def seeded(name: str) -> tuple[Network, dict, dict[str, np.ndarray]]:
    """What to draw, and the config and tensors of its folder."""
    network = Network(width=HIDDEN[name], heads=HIDDEN[name] // 64)
    config = {
        "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_act": "gelu", "layer_norm_eps": network.eps,
        "image_size": network.size, "patch_size": network.patch, "num_channels": 3, "qkv_bias": True, "hidden_size": network.width,
        "num_hidden_layers": network.layers, "num_attention_heads": network.heads, "intermediate_size": 4 * network.width,
    }
    return network, config, draw_weights(network)


def trained(source: Path, size: int) -> tuple[Network, dict, dict[str, np.ndarray]]:
    config, tensors = checkpoint.read(source)
    network = Network(
        width=config["hidden_size"], heads=config["num_attention_heads"], size=size, patch=config["patch_size"],
        layers=config["num_hidden_layers"], classes=len(tensors["classifier.bias"]), eps=config["layer_norm_eps"],
    )
    return network, config, tensors


def main(source: str, folder: Path) -> None:
    (folder / "f32").mkdir(parents=True, exist_ok=True)
    if source in HIDDEN:
        network, config, tensors = seeded(source)
        pixels = draw_pixels(network.size)
    else:
        pixels = load_file(folder / "photo.safetensors")["pixel_values"]
        network, config, tensors = trained(Path(source), pixels.shape[-1])
        for name in ("int8", "f32"):  # whatever else is there: how pixels are prepared
            shutil.copytree(source, folder / name, dirs_exist_ok=True)
    save_file(tensors, folder / "f32/model.safetensors", metadata={"format": "pt"})
    (folder / "f32/config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = fuse(build(checkpoint.as_vit(tensors, config, network.grid), network), network)
    onnx.save(model, folder / "f32.onnx")
    quantise(model, folder / "int8.onnx")
    pixels.tofile(folder / "pixels.f32")


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # "consider pre-processing before quantization", of the root logger
    main(sys.argv[1], Path(sys.argv[2]))
