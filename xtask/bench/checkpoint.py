"""A Hugging Face checkpoint of a ViT or a DINOv2, f32 or in vitscope's 8 bits, as the one network that `make_models.py` draws."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime import InferenceSession
from safetensors.numpy import load_file

DINOV2 = {
    "norm1": "layernorm_before", "norm2": "layernorm_after", "mlp.fc1": "intermediate.dense", "mlp.fc2": "output.dense",
    "attention.attention.query": "attention.attention.query", "attention.attention.key": "attention.attention.key",
    "attention.attention.value": "attention.attention.value", "attention.output.dense": "attention.output.dense",
}
"""The parts of its blocks, and what ViT calls them."""


def read(folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The config, and the tensors as they are named there, in f32."""
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] in ("vit", "dinov2"), f"{folder} is a {config['model_type']}, whose graph nobody has drawn here"
    stored = load_file(folder / "model.safetensors")
    tensors = {}
    for name, values in stored.items():
        if name.endswith("_scale"):
            continue
        scale = stored.get(f"{name}_scale")
        tensors[name] = values.astype(np.float32) * (1 if scale is None else scale[:, None])
    return config, tensors


def as_vit(tensors: dict[str, np.ndarray], config: dict, grid: int) -> dict[str, np.ndarray]:
    """The same function in ViT's names: what scales a layer's output is multiplied into the layer, positions are resampled to `grid` × `grid`."""
    if config["model_type"] == "vit":
        weights = dict(tensors)
    else:
        weights = {name.replace("dinov2.", "vit."): values for name, values in tensors.items() if ".encoder.layer." not in name}
        for i in range(config["num_hidden_layers"]):
            theirs, ours = f"dinov2.encoder.layer.{i}", f"vit.encoder.layer.{i}"
            scales = {"attention.output.dense": tensors[f"{theirs}.layer_scale1.lambda1"], "mlp.fc2": tensors[f"{theirs}.layer_scale2.lambda1"]}
            for part, name in DINOV2.items():
                weight, scale = tensors[f"{theirs}.{part}.weight"], scales.get(part, np.float32(1))
                weights[f"{ours}.{name}.weight"] = (weight.T * scale).T
                weights[f"{ours}.{name}.bias"] = tensors[f"{theirs}.{part}.bias"] * scale
    positions = "vit.embeddings.position_embeddings"
    weights[positions] = resampled(weights[positions], grid)
    return weights


def resampled(positions: np.ndarray, grid: int) -> np.ndarray:
    """As `torch.nn.functional.interpolate` does it, bicubic: the class token's stays."""
    side = round((positions.shape[1] - 1) ** 0.5)
    if side == grid:
        return positions
    square = np.ascontiguousarray(positions[:, 1:].reshape(1, side, side, -1).transpose(0, 3, 1, 2))
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="cubic", cubic_coeff_a=-0.75, coordinate_transformation_mode="half_pixel")
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, square.shape[1], grid, grid])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph([node], "resize", values[:1], values[1:], [sizes])
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    [square] = InferenceSession(model.SerializeToString()).run(None, {"x": square})
    patches = square.transpose(0, 2, 3, 1).reshape(1, grid * grid, -1)
    return np.concatenate([positions[:, :1], patches], axis=1)
