"""One's own processor and labels, and what files say of both."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import FIXTURES

from vitscope import models, processors

HF, TIMM = FIXTURES / "hf_vit", FIXTURES / "timm_vit"


def test_what_a_config_says_wrongly_says_nothing():
    """The page says what is wrong with it."""
    for config in (
        {"id2label": {"a": "b"}},
        {"label_names": {"a": "b"}},
        {"label_names": 5},
        {"id2label": 5},
        {"num_labels": "x"},
        {"num_classes": [1]},
    ):
        assert processors.labels_of(config, []) is None
    assert processors.labels_of({"id2label": {}, "num_labels": 2}, []) == ["class 0", "class 1"]
    for preprocessor in (
        {"image_processor": None},
        {"image_processor": [1]},
        {"image_mean": "abc", "image_std": "abc"},
    ):
        for config in ({"pretrained_cfg": "x"}, {"preprocess_cfg": 1, "pretrained_cfg": {"mean": 0.5, "std": 0.5}}):
            assert processors.normalisation(preprocessor, config) is None
    for notes in ({}, {"labels": "{"}, {"labels": "5"}, {"labels": 5}):
        assert processors.labels_of_texts(notes) is None


def test_labels_are_those_of_the_config():
    assert models.of(HF).labels[1] == "goldfish, Carassius auratus"
    assert models.of(TIMM).labels[6] == "cock"
    assert processors.labels_of({"num_classes": 3}, []) == ["class 0", "class 1", "class 2"]
    assert processors.labels_of({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, ["a", "b"]) == ["a", "b"]
    assert processors.labels_of({}, ["a"]) is None


@pytest.mark.parametrize("folder", [HF, TIMM])
def test_own_labels_are_put_into_the_config(folder):
    before = models.of(folder)
    names = [f"own {i}" for i in range(len(before.labels))]
    by_index = dict(enumerate(names))
    for given in (names, by_index, {str(i): name for i, name in by_index.items()}, by_index.values(), np.array(names)):
        assert models.of(folder, labels=given).labels == names
    assert models.of(folder, labels=range(len(names))).labels[1] == "1"
    assert models.of(folder).json("config") == before.json("config")
    with pytest.raises(ValueError, match=f"labels has 2 names, and the model {len(names)} classes"):
        models.of(folder, labels=["a", "b"])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({1: "a"}, "none for class 0"),
        ({"cat": 0}, "the index first"),
        ("cat", "not str"),
        ([["a"]], "not list"),
        (7, "not int"),
    ],
)
def test_refuses_labels_in_one_sentence(labels, says):
    with pytest.raises((ValueError, TypeError), match=says):
        models.of(HF, labels=labels)


def test_a_processor_is_written_as_its_saver_writes_it(tmp_path):
    """Whatever its options; the one within a processor of texts and images likewise."""
    transformers = pytest.importorskip("transformers")
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 30}, image_mean=[0.1, 0.2, 0.3])
    processor.save_pretrained(tmp_path)
    model = models.of(HF, processor)
    assert model.json("preprocessor") == models.of(HF, tmp_path).json("preprocessor")
    assert model.normalisation[0] == [0.1, 0.2, 0.3]


def test_a_processor_may_be_a_file(tmp_path):
    path = FIXTURES / "processors" / "clip.json"
    assert models.of(HF, path).json("preprocessor") == json.loads(path.read_text())
    assert models.of(HF, str(FIXTURES / "hf_siglip")).json("preprocessor")["image_mean"] == [0.5] * 3


def test_timms_data_config_is_pretrained_cfg():
    """Of a model of either library; what said otherwise goes."""
    data = {
        "input_size": (3, 24, 24),
        "interpolation": "bilinear",
        "mean": (0.1, 0.2, 0.3),
        "std": (1, 2, 3),
        "crop_pct": 1.0,
        "crop_mode": "squash",
    }
    for folder in (HF, TIMM):
        model = models.of(folder, data)
        assert "preprocessor" not in model.files
        assert model.json("config")["pretrained_cfg"]["crop_mode"] == "squash"
        assert model.normalisation == ([0.1, 0.2, 0.3], [1, 2, 3])
    before = models.of(TIMM).json("config")["pretrained_cfg"]["input_size"]
    model = models.of(TIMM, {"mean": np.array([0.1, 0.2, 0.3]), "std": np.float32([1, 2, 3])})
    assert model.normalisation == ([0.1, 0.2, 0.3], [1, 2, 3])
    assert model.json("config")["pretrained_cfg"]["input_size"] == before


def test_a_models_config_is_no_processor():
    transformers = pytest.importorskip("transformers")
    for config in (transformers.ViTConfig(), HF / "config.json"):
        with pytest.raises(TypeError, match=r"not this \w+\.$"):
            models.of(HF, config)


@pytest.mark.parametrize(
    "processor",
    [
        7,
        {},
        {"x": {"image_mean": 0.5}},
        {"image_mean": print},
        {"image_mean": float("nan")},
        "",
        "a" * 300,
        "a\0b",
        "nowhere.json",
        FIXTURES / "README.md",
        lambda image: image,
    ],
)
def test_refuses_processors_in_one_sentence(processor):
    with pytest.raises((ValueError, TypeError, OSError), match=r"\.$"):
        models.of(HF, processor)
