"""Models in memory: sent as they were when they were given, without a copy, or not at all."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import vitscope
from vitscope import models, safetensors
from vitscope.blobs import Changed

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")


@pytest.fixture
def module():
    torch.manual_seed(0)
    return timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, embed_dim=24, num_heads=2, num_classes=5)


def step(module, foreach: bool = False) -> None:
    """Of training."""
    optimizer = torch.optim.AdamW(module.parameters(), foreach=foreach)
    module(torch.ones(1, 3, 32, 32)).sum().backward()
    optimizer.step()


def test_the_weights_are_those_in_memory(module):
    model = models.of(module)
    state = module.state_dict()
    tensors, _ = safetensors.read(model.weights[0], "it")
    assert {tensor.name for tensor in tensors} == set(state)
    for tensor in tensors:
        assert np.array_equal(tensor.array(), state[tensor.name].numpy())


@pytest.mark.parametrize("foreach", [False, True])
def test_training_is_noticed(module, foreach):
    """Parts of two states would make a model that never was. A copy goes on."""
    kept, live = models.of(copy.deepcopy(module)), models.of(module)
    before = kept.weights[0].bytes()
    assert live.weights[0].bytes() == before
    step(module, foreach)
    with pytest.raises(Changed, match=r"deepcopy\.$"):
        live.weights[0].bytes()
    assert kept.weights[0].bytes() == before
    assert models.of(module).weights[0].name != kept.weights[0].name


def test_nothing_of_the_module_changes(module):
    module.train()
    before = {
        name: (tensor.data_ptr(), tensor.dtype, tensor.requires_grad) for name, tensor in module.named_parameters()
    }
    models.of(module, labels=list("abcde"), dtype="int8").weights[0].bytes()
    assert module.training
    assert before == {
        name: (tensor.data_ptr(), tensor.dtype, tensor.requires_grad) for name, tensor in module.named_parameters()
    }


def test_int8_halves_matrices_of_modules(module):
    full, half = models.of(module).weights[0], models.of(module, dtype="int8").weights[0]
    assert half.size < 0.6 * full.size
    step(module)
    with pytest.raises(Changed):
        half.bytes()


def test_tensors_without_versions_are_sent(module):
    """Made in inference mode, where nothing counts changes."""
    with torch.inference_mode():
        own = copy.deepcopy(module)
    assert models.of(own).weights[0].bytes() == models.of(module).weights[0].bytes()


def test_who_holds_a_module_stands_for_it(module):
    """A trainer, say; and timm's data config, which says how pixels are made."""
    holder = type("Trainer", (), {})()
    holder.model = module
    widget = vitscope.explore(holder, torch.zeros(3, 32, 32), timm.data.resolve_model_data_config(module))
    assert "vit_tiny" in widget._models[0]["title"]
    with pytest.raises(ValueError, match="labels has 2 names, and the model 5 classes"):
        vitscope.explore(module, torch.zeros(3, 32, 32), labels=["a", "b"])


def test_timms_own_config_is_a_processor(module):
    """An object; and its dict, with arrays."""
    config = timm.models.PretrainedCfg(mean=(0.1, 0.2, 0.3), std=np.array([1.0, 2.0, 3.0]))
    for given in (config, config.to_dict()):
        assert models.of(module, given).normalisation == ([0.1, 0.2, 0.3], [1, 2, 3])
