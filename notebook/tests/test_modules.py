"""What modules of both libraries have in common: bytes of tensors, and no import before there is a module."""

# ruff: noqa: E402 (what may be missing comes first)
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")
import vitscope.modules
from vitscope.modules import DTYPES, of, tensor_bytes


@pytest.mark.parametrize("name", DTYPES)
def test_bytes_are_those_of_the_format(name: str) -> None:
    """As the safetensors library writes them, whatever the type, and however a tensor lies in memory."""
    grid = (torch.arange(24) % 7 - 2).to(getattr(torch, name)).reshape(2, 3, 4)
    for tensor in (grid, grid.transpose(0, 2), grid[0, 0, 0], grid[:0]):
        dtype, shape, data = tensor_bytes(tensor)
        file = safetensors_torch.save({"t": tensor.contiguous()})
        length = int.from_bytes(file[:8], "little")
        assert bytes(data) == file[8 + length :]
        assert f'"dtype":"{dtype}"' in file[: 8 + length].decode() and shape == list(tensor.shape)


def test_bytes_are_not_copied_where_they_need_not_be() -> None:
    tensor = torch.zeros(4, requires_grad=True)
    _, _, data = tensor_bytes(tensor)
    with torch.no_grad():
        tensor[0] = 1
    assert bytes(data) == tensor.detach().numpy().tobytes()


def test_nothing_is_imported_before_there_is_a_module() -> None:
    """The package imports without any of them."""
    blocked = "import sys; sys.modules.update(dict.fromkeys(('torch', 'timm', 'transformers')));"
    command = f"{blocked} import vitscope.modules.hf, vitscope.modules.timm"
    package = Path(vitscope.modules.__file__).parents[2]
    subprocess.run([sys.executable, "-c", command], cwd=package, check=True, timeout=60)


def test_other_packages_are_named_with_what_would_do() -> None:
    models = pytest.importorskip("torchvision.models")
    sizes = dict(image_size=8, patch_size=4, num_layers=1, num_heads=1, hidden_dim=4, mlp_dim=4)
    model = models.VisionTransformer(**sizes)
    with pytest.raises(ValueError, match="VisionTransformer is of torchvision, which is not read: timm has"):
        of(model)


def test_shards_have_to_be_gathered() -> None:
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        model = torch.nn.Sequential(torch.nn.Linear(2, 2))
        mesh = distributed.init_device_mesh("cpu", (1,))
        with pytest.raises(ValueError, match=r"is in shards .*load its full state dict into a plain model"):
            of(fsdp.fully_shard(model, mesh=mesh))
    finally:
        distributed.destroy_process_group()
