"""What a module is beside its weights, so that one can be compared with what its library builds of a config.

Parts that were replaced by hand, or attributes that were set, are written by no saver: they are found as differences.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Part = tuple[str, dict[str, Any], frozenset[str]]
"""The kind of a module, what it has beside other modules, and which of that matters where none is expected."""

ABSENT = ("Identity", "DropPath", "PatchDropout", "PatchDropoutWithIndices")
"""Kinds that do nothing when a model is asked, and so may as well not be there; whatever is called Dropout too."""

ACTIVATIONS = {
    "GELU": "gelu",
    "GELUActivation": "gelu",
    "GELUTanh": "gelu_tanh",
    "PytorchGELUTanh": "gelu_tanh",
    "NewGELUActivation": "gelu_tanh",
    "FastGELUActivation": "gelu_tanh",
    "QuickGELU": "quick_gelu",
    "QuickGELUActivation": "quick_gelu",
    "SiLU": "silu",
    "SiLUActivation": "silu",
    "Swish": "silu",
    "ReLU": "relu",
}
"""What each library calls them, and the name they all mean."""

NORMS = ("LayerNorm", "LayerNormFp32")

LIBRARIES = ("torch", "timm", "transformers")

WRAPPING = (*LIBRARIES, "accelerate")
"""Packages that wrap functions by what changes no answer: autocast, hooks, compilers."""

UNTOLD = {
    "training",
    "inplace",
    "fused_attn",
    "grad_checkpointing",
    "gradient_checkpointing",
    "num_classes",
    "num_labels",
    "pretrained_cfg",
    "default_cfg",
    "p",
    "weight_init_mode",
    "fix_init",
    "head_init_scale",
    "init_values",
    "loss_function",
    "loss_type",
    "name_or_path",
    "dtype",
    "warnings_issued",
    "attn_implementation",
    "is_gradient_checkpointing",
    "label_smoothing",
}
"""Attributes that change nothing when a model is asked, or that a head's shape says."""

PASSING = {"SwinLayer": ("shift_size", "window_size"), "Swinv2Layer": ("shift_size", "window_size")}
"""Attributes that each image sets anew, by kind."""


@contextmanager
def unallocated() -> Iterator[None]:
    """Where modules are built without memory, and no random number of the user's is drawn."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Numbers(TorchFunctionMode):
        """Before 1.0.16 timm makes a list of a tensor, of how often branches are dropped: that one has numbers."""

        def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = kwargs or {}
            return call(*args, **({"device": "cpu"} | kwargs if call is torch.linspace else kwargs))

    with torch.random.fork_rng(devices=[]), torch.device("meta"), Numbers():
        yield


def activation(module: nn.Module) -> str | None:
    """The name of an activation, None for whatever else."""
    kind = type(module).__name__
    if type(module).__module__.split(".")[0] not in LIBRARIES:
        return None
    return "gelu_tanh" if getattr(module, "approximate", "none") == "tanh" else ACTIVATIONS.get(kind)


def parts(module: nn.Module) -> dict[str, Part]:
    """Every part that does something, by name."""
    found = {}
    for name, part in module.named_modules(remove_duplicate=False):
        kind = _kind(part)
        if kind is not None:
            found[name.replace("_orig_mod.", "").removesuffix("_orig_mod").removesuffix(".")] = (
                kind,
                *_attributes(part, kind),
            )
    return found


def difference(found: dict[str, Part], expected: dict[str, Part]) -> str | None:
    """The first way in which parts are not as expected, as the end of a sentence; None where they are."""
    for name, (kind, attributes, _) in expected.items():
        where = f"its `{name}`" if name else "it"
        if name not in found:
            return f"{where}, a {_short(kind)}, is missing"
        own, has, firm = found[name]
        if own != kind:
            return f"{where} is a {_short(own)}, not a {_short(kind)}"
        for key in [*attributes, *(key for key in has if key in firm and key not in attributes)]:
            if has.get(key) != attributes.get(key):
                at = f"`{name}.{key}`" if name else f"`{key}`"
                return f"its {at} is {has.get(key)}, not {attributes.get(key)}"
    more = next((name for name in found if name not in expected), None)
    return f"it has a `{more}`, a {_short(found[more][0])}" if more is not None else None


def _kind(module: nn.Module) -> str | None:
    name, package = type(module).__name__, type(module).__module__.split(".")[0]
    if package in LIBRARIES:
        if name == "OptimizedModule" or name in ABSENT or "Dropout" in name or name.endswith("DropPath"):
            return None
        if activation(module):
            return activation(module)
        if name in NORMS:
            return "LayerNorm"
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _attributes(module: nn.Module, kind: str) -> tuple[dict[str, Any], frozenset[str]]:
    """Numbers, names and functions that a module holds, and shapes of its own parameters; and which of them matter.

    What its class knows nothing of does not: a note of the user's, such as `model.best_acc`.
    """
    shapes = {name: None if tensor is None else tuple(tensor.shape) for name, tensor in module._parameters.items()}
    if kind in ACTIVATIONS.values():
        return shapes, frozenset(shapes)
    untold = UNTOLD.union(PASSING.get(_short(kind), ()))
    own = {
        key: _plain(value)
        for key, value in vars(module).items()
        if not (key.startswith("_") or key in untold or "drop" in key)
    }
    for key, value in vars(module).items():
        method = getattr(type(module), key, None)
        if callable(method) and callable(value):
            own[key] = NotImplemented if _innermost(value) is _innermost(method) else "a function of its own"
    own = shapes | {key: value for key, value in own.items() if value is not NotImplemented}
    return own, frozenset(key for key in own if key in shapes or hasattr(type(module), key))


def _innermost(call: Any) -> Any:
    """The function that libraries have wrapped; a wrapper of one's own may do anything, so it is one itself."""
    while True:
        if isinstance(call, types.MethodType):
            call = call.__func__
        inner = getattr(call, "__wrapped__", None)
        if inner is None or _home(call) not in WRAPPING:
            return call
        call = inner


def _home(call: Any) -> str:
    """The package whose code a function is, whatever it says of itself."""
    if isinstance(call, functools.partial):
        return _home(call.func)
    module = getattr(call, "__globals__", {}).get("__name__") or type(call).__module__
    return module.split(".")[0]


def _plain(value: Any) -> Any:
    """What can be compared: numbers, texts, sequences of them, functions by name; NotImplemented for the rest."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        values = tuple(_plain(item) for item in value)
        return NotImplemented if NotImplemented in values else values
    if isinstance(value, functools.partial):
        return (_plain(value.func), tuple(sorted((key, str(_plain(item))) for key, item in value.keywords.items())))
    return getattr(value, "__qualname__", NotImplemented)


def _short(kind: str) -> str:
    return kind.rsplit(".", 1)[-1]
