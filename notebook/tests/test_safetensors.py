"""The format by numpy: what it writes others read, and any part of it is the same bytes."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from conftest import FIXTURES

from vitscope import safetensors
from vitscope.blobs import Blob

MANY = sorted(FIXTURES.glob("*/model.safetensors"))


def tensors_of(path) -> list[safetensors.Tensor]:
    return safetensors.read(Blob.of_file(path), str(path))[0]


@pytest.mark.parametrize("path", MANY[::8], ids=lambda path: path.parent.name)
def test_writes_what_it_reads(path):
    """Names, types, shapes and bytes of every tensor stay, wherever they lie in the file."""
    before = {tensor.name: tensor for tensor in tensors_of(path)}
    after, notes = safetensors.read(safetensors.write(list(before.values()), {"format": "pt"}), "copy")
    assert notes == {"format": "pt"}
    assert {tensor.name for tensor in after} == set(before)
    for tensor in after:
        own = before[tensor.name]
        assert (tensor.dtype, tensor.shape) == (own.dtype, own.shape)
        assert bytes(tensor.read()) == bytes(own.read())


def test_any_split_gives_the_same_bytes():
    """A file that is nowhere as a whole comes in parts of any sizes, in any order."""
    tensors = tensors_of(FIXTURES / "hf_vit_bf16" / "model.safetensors")
    blob = safetensors.write([safetensors.halved(tensor) for tensor in tensors])
    whole = blob.bytes()
    assert len(whole) == blob.size
    chance = random.Random(0)
    for size in (1, 7, 4096, blob.size - 1, blob.size, blob.size + 1):
        begins = list(range(0, blob.size, size)) if size > 1 else [0, 9, blob.size - 1]
        chance.shuffle(begins)
        for begin in begins:
            assert bytes(blob.part(begin, size)) == whole[begin : begin + size]


def test_tensors_begin_where_their_numbers_may():
    """Each begins at a multiple of its number's bytes, as readers that map files want it."""
    odd = [
        safetensors.Tensor(name, dtype, (3,), lambda n=3 * size: bytes(n))
        for name, dtype, size in (("a", "I8", 1), ("b", "F32", 4), ("c", "F16", 2), ("d", "F64", 8))
    ]
    header, start = safetensors.read_header(safetensors.write(odd), "it")
    assert start % 8 == 0
    for entry in header.values():
        assert entry["data_offsets"][0] % safetensors.SIZES[entry["dtype"]] == 0


def test_halves_matrices_alone():
    """F16 for what int8 rounds anyway; biases, and what F16 can't hold, stay."""

    def of(values) -> safetensors.Tensor:
        values = np.asarray(values, "<f4")
        return safetensors.Tensor("x", "F32", values.shape, lambda: values.tobytes())

    assert safetensors.halved(of([[1.0, -2.0]])).dtype == "F16"
    assert np.array_equal(safetensors.halved(of([[1.0, -2.0]])).array(), [[1.0, -2.0]])
    for stays in ([1.0, 2.0], [[1e6]], [[1e-9]], [[np.inf]], [[np.nan]], [[]]):
        assert safetensors.halved(of(stays)).dtype == "F32"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"123",
        (1 << 40).to_bytes(8, "little") + b"{}",
        b"\x02" + bytes(7) + b"[]",
        b"\x04" + bytes(7) + b"\xff\xfe{}",
    ],
)
def test_refuses_what_is_no_such_file(data):
    with pytest.raises(ValueError, match=r"^cat\.bin .*\.$"):
        safetensors.read(Blob.of_bytes(data), "cat.bin")


def file_of(dtype: str, shape: list[int], size: int) -> bytes:
    header = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


@pytest.mark.parametrize(
    ("dtype", "shape", "size", "says"),
    [
        ("F32", [3], 8, r"'x' in other bytes than its shape takes"),
        ("F32", [-1, -2], 8, r"no safetensors header"),
        ("F4", [4], 2, r"'x' as F4, which is not read"),
    ],
)
def test_refuses_what_contradicts_itself(dtype, shape, size, says):
    with pytest.raises(ValueError, match=rf"^cat\.bin .*{says}.*\.$"):
        safetensors.read(Blob.of_bytes(file_of(dtype, shape, size)), "cat.bin")


def test_passes_on_what_numpy_has_not():
    """Numbers of 8 bits: the package says whether it reads them."""
    (tensor,), _ = safetensors.read(Blob.of_bytes(file_of("F8_E4M3", [2, 2], 4)), "It")
    assert safetensors.read(safetensors.write([safetensors.halved(tensor)]), "It")[0][0].size == 4


def test_says_where_a_file_was_cut():
    whole = (FIXTURES / "hf_vit" / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="was cut short"):
        safetensors.read(Blob.of_bytes(whole[:-1]), "It")


def test_bf16_is_read_as_float32():
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    found = safetensors.load(len(header).to_bytes(8, "little") + header + b"\x80\x3f\x40\xc0")
    assert found["x"].dtype == np.float32
    assert found["x"].tolist() == [1.0, -3.0]
