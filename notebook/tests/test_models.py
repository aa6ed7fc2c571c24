"""Folders, files and names: what of a model goes to the page."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from conftest import FIXTURES

from vitscope import models, safetensors
from vitscope.blobs import Blob

HF, TIMM = FIXTURES / "hf_vit", FIXTURES / "timm_vit"


def copy(folder, to, *names: str):
    to.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(folder / name, to / name)
    return to


def test_a_folder_is_its_files():
    model = models.of(HF)
    assert model.title == "hf_vit"
    assert {kind: blob.bytes() for kind, blob in model.files.items()} == {
        "config": (HF / "config.json").read_bytes(),
        "preprocessor": (HF / "preprocessor_config.json").read_bytes(),
    }
    state = model.state()
    assert (state["hub"], state["processor"], state["text_embeddings"], state["dtype"]) == (None, None, None, None)
    assert sum(state["sizes"].values()) == sum(blob.size for blob in model.blobs())


def test_split_weights_are_all_parts():
    folder = FIXTURES / "hf_vit_sharded"
    assert [blob.bytes() for blob in models.of(str(folder)).weights] == [
        path.read_bytes() for path in sorted(folder.glob("model-*"))
    ]


def test_open_clip_by_its_own_names():
    folder = FIXTURES / "open_clip"
    for place in (folder, folder / "open_clip_model.safetensors"):
        model = models.of(place)
        assert model.weights[0].bytes() == (folder / "open_clip_model.safetensors").read_bytes()
        assert model.normalisation[0][0] == pytest.approx(0.48145466)


def test_a_file_has_its_config_beside(tmp_path):
    folder = copy(HF, tmp_path / "tuned", "config.json", "model.safetensors")
    assert models.of(folder / "model.safetensors").title == "tuned"
    (folder / "model.safetensors").rename(folder / "step-900.safetensors")
    assert models.of(folder / "step-900.safetensors").title == "step-900"
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no config\.json beside it"):
        models.of(folder / "step-900.safetensors")


def test_texts_are_classes_where_the_package_takes_them(tmp_path):
    """Of a model that compares; what lies beside a plain classifier would put its head aside."""
    zero_shot = models.of(FIXTURES / "hf_clip_zero_shot")
    assert len(zero_shot.labels) == 5
    folder = copy(HF, tmp_path / "x", "config.json", "model.safetensors")
    copy(FIXTURES / "hf_clip_zero_shot", folder, "text_embeddings.safetensors")
    assert models.of(folder).state()["text_embeddings"] is None
    with pytest.raises(ValueError, match="text_embeddings"):
        models.of(FIXTURES / "hf_clip_zero_shot", labels=["a"] * 5)


@pytest.mark.parametrize("name", ["google/vit-base-patch16-224", "a/b@main"])
@pytest.mark.parametrize("before", ["", "hf:", "hf-hub:", "hf_hub:", "https://huggingface.co/"])
def test_names_of_the_hub_are_for_the_page(before, name):
    model = models.of(before + name, dtype="int8")
    assert (model.state()["hub"], model.title) == (f"hf:{name}", name)
    assert (model.weights, model.labels, model.dtype) == ([], None, "int8")
    with pytest.raises(ValueError, match="give its folder"):
        models.of(before + name, labels=["a"])


def broken(tmp_path, name: str):
    folder = copy(HF, tmp_path / name, "config.json", "model.safetensors")
    if name == "no-config":
        (folder / "config.json").unlink()
    elif name == "bad-config":
        (folder / "config.json").write_text("{")
    elif name == "list":
        (folder / "config.json").write_text("[]")
    elif name == "bad-processor":
        (folder / "preprocessor_config.json").write_text("{")
    elif name == "processors":
        (folder / "processor_config.json").write_text("[1]")
    elif name == "pickled":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif name == "cut":
        data = (HF / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    elif name == "other":
        (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    else:
        (folder / "model.safetensors").unlink()
        maps = {"part-missing": {"x": "a.safetensors"}, "part-elsewhere": {"x": "../a.safetensors"}, "no-map": None}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": maps[name]}))
    return folder


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-config", r"no config\.json"),
        ("bad-config", "not valid JSON"),
        ("list", "no JSON object"),
        ("bad-processor", r"preprocessor_config\.json is not valid JSON"),
        ("processors", r"processor_config\.json holds no JSON object"),
        ("pickled", r"but pytorch_model\.bin, which may run code"),
        ("cut", "was cut short"),
        ("other", "no safetensors file"),
        ("part-missing", r"no a\.safetensors"),
        ("part-elsewhere", "of its folder"),
        ("no-map", "of its folder"),
    ],
)
def test_refuses_folders_in_one_sentence(tmp_path, name, says):
    with pytest.raises((ValueError, OSError), match=says) as caught:
        models.of(broken(tmp_path, name))
    assert str(caught.value).endswith(".")


def test_a_state_dict_is_no_model():
    for count in (1, 20):
        with pytest.raises(TypeError, match="is a state dict"):
            models.several({f"layers.{i}.weight": np.zeros(3) for i in range(count)}, None, None, None, 2)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nowhere", "no folder or file 'nowhere'"),
        ("./a/b", "no folder or file"),
        ("", "no folder or file ''"),
        ("a" * 300, "no folder or file"),
        ("a\0b", "no folder or file"),
        (str(HF / "config.json" / "x"), "no folder or file"),
        ("~nobody-of-that-name/x", "no folder or file"),
        (FIXTURES / "README.md", r"no \.safetensors file"),
        (FIXTURES / "hf_vit_sharded" / "model-00001-of-00003.safetensors", "part of split weights"),
        (7, "not an object of int"),
        (dict, "not a dict"),
    ],
)
def test_refuses_what_is_no_model(model, says):
    with pytest.raises((ValueError, TypeError, OSError), match=says):
        models.of(model)


def test_several_are_two_at_most():
    assert [model.title for model in models.several([HF, HF], None, None, None, 2)] == ["hf_vit", "hf_vit (2)"]
    for given in ([], {}, [HF] * 3):
        with pytest.raises(ValueError, match="or 2 side by side"):
            models.several(given, None, None, None, 2)


def test_each_of_two_may_have_its_own():
    """In a list as the models are, or by their titles; a path is a processor's, a text in a list a class's name."""
    names = [[f"a{i}" for i in range(11)], {i: f"b{i}" for i in range(7)}]
    assert [model.labels[6] for model in models.several([HF, TIMM], None, names, None, 2)] == ["a6", "b6"]
    titled = {"x": HF, "y": TIMM}
    by_title = dict(zip("yx", reversed(names), strict=True))
    assert [model.labels[6] for model in models.several(titled, None, by_title, None, 2)] == ["a6", "b6"]
    clip = str(FIXTURES / "processors" / "clip.json")
    own = {"image_mean": [0.1, 0.2, 0.3], "image_std": [1, 1, 1]}
    siglip = str(FIXTURES / "hf_siglip")
    for given, expected in (
        ([own, clip], [own, clip]),
        ([siglip, clip], [siglip, clip]),
        ({"y": clip, "x": own}, [own, clip]),
        ({"y": clip}, [None, clip]),
    ):
        found = models.several(titled, given, None, None, 2)
        alone = [models.of(*pair) for pair in zip((HF, TIMM), expected, strict=True)]
        assert [model.normalisation for model in found] == [model.normalisation for model in alone]
    for both in (clip, own):
        assert len({str(each.normalisation) for each in models.several(titled, both, None, None, 2)}) == 1
    with pytest.raises(TypeError, match="not this dict"):
        models.several(titled, {"x": own, "z": own}, None, None, 2)


def test_int8_is_sent_in_half():
    """Matrices in F16, all else as it was; the page quantises."""
    before = {tensor.name: tensor for tensor in safetensors.read(models.of(HF).weights[0], "it")[0]}
    model = models.of(HF, dtype="int8")
    assert model.state()["dtype"] == "int8"
    for tensor in safetensors.read(model.weights[0], "it")[0]:
        own = before[tensor.name].array()
        assert tensor.dtype == ("F16" if own.ndim > 1 else "F32")
        np.testing.assert_allclose(tensor.array(), own, rtol=2**-11, atol=2**-24)


def test_float64_is_sent_in_half_too(tmp_path):
    folder = copy(HF, tmp_path / "x", "config.json")
    wide = np.asarray([[0.5, 1.0], [2.0, -3.0]])
    blob = safetensors.write([safetensors.Tensor("x", "F64", wide.shape, wide.tobytes)])
    (folder / "model.safetensors").write_bytes(blob.bytes())
    (half,), _ = safetensors.read(models.of(folder, dtype="int8").weights[0], "it")
    assert half.dtype == "F16" and np.array_equal(half.array(), wide)


def test_large_files_are_not_copied(tmp_path):
    """A gigabyte costs no memory: parts are read as they are asked for."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    blob = Blob.of_file(path)
    assert (blob.size, bytes(blob.part((1 << 30) - 2, 10))) == (1 << 30, b"\0\0")
