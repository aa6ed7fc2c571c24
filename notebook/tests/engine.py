"""The npm package in Node, for tests that compare what it answers with what a module computes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="modules are of torch")
HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "fixtures"))  # (before the standard library, which has a `trace` too)

from vitscope.modules import ModuleFiles, of, tensor_bytes  # noqa: E402

torch.set_num_threads(1)


@cache
def _engine() -> subprocess.Popen:
    """One process for all tests; it ends with its input."""
    node, engine = shutil.which("node"), REPOSITORY / "pkg" / "dist" / "engine.node.js"
    if node is None or not engine.exists():
        pytest.skip("there is no node, or no built package")
    return subprocess.Popen([node, HERE / "engine.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def write(files: ModuleFiles, folder: Path) -> None:
    """A model's folder."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(files.config))
    header, parts, end = {}, [], 0
    for name, tensor in files.tensors.items():
        dtype, shape, data = tensor_bytes(tensor)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(b"".join([len(text).to_bytes(8, "little"), text, *parts]))


def ask(folder: Path, pixels: torch.Tensor) -> dict[str, Any]:
    """What the engine says of pixel values [3, H, W]: logits, features, labels; or an error."""
    (folder / "pixels.bin").write_bytes(pixels.contiguous().numpy().tobytes())
    engine = _engine()
    print(json.dumps({"folder": str(folder), "pixels": str(folder / "pixels.bin")}), file=engine.stdin, flush=True)
    return json.loads(engine.stdout.readline())


def check(
    module: object, pixels: torch.Tensor, kind: str, expected: torch.Tensor, folder: Path, processor: Any = None
) -> ModuleFiles:
    """The engine answers with a module's files as the module itself: `kind` is logits or features."""
    files = of(module)
    write(files, folder)
    if processor is not None:
        processor.save_pretrained(folder)
    answer = ask(folder, pixels)
    assert "error" not in answer, answer["error"]
    assert answer.get(kind), f"no {kind}: {answer}"
    found = torch.tensor(answer[kind])
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected.float(), rtol=0, atol=1e-4 * max(1.0, expected.abs().max().item()))
    return files
