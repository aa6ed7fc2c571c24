"""The tiny model: the plain ViT of timm, to and from the names of Hugging Face's `ViTForImageClassification`."""

import json
from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn

import checkpoints
from data import EDGE

RENAMES = [
    ("cls_token", "vit.embeddings.cls_token"),
    ("pos_embed", "vit.embeddings.position_embeddings"),
    ("patch_embed.proj.", "vit.embeddings.patch_embeddings.projection."),
    ("norm.", "vit.layernorm."),
    ("head.", "classifier."),
]
BLOCK_RENAMES = [
    ("norm1.", "layernorm_before."),
    ("norm2.", "layernorm_after."),
    ("attn.proj.", "attention.output.dense."),
    ("mlp.fc1.", "intermediate.dense."),
    ("mlp.fc2.", "output.dense."),
]
QUERY_KEY_VALUE = [f"attention.attention.{part}" for part in ("query", "key", "value")]


def renamed(name: str, renames: list[tuple[str, str]]) -> str:
    old, new = next(pair for pair in renames if name.startswith(pair[0]))
    return new + name.removeprefix(old)


def to_hf(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """timm's tensors under Hugging Face's names; qkv becomes three."""
    result = {}
    for name, tensor in state.items():
        if not name.startswith("blocks."):
            result[renamed(name, RENAMES)] = tensor
            continue
        _, layer, rest = name.split(".", 2)
        block = f"vit.encoder.layer.{layer}."
        if rest.startswith("attn.qkv."):
            kind = rest.removeprefix("attn.qkv.")
            result |= {f"{block}{part}.{kind}": third for part, third in zip(QUERY_KEY_VALUE, tensor.chunk(3))}
        else:
            result[block + renamed(rest, BLOCK_RENAMES)] = tensor
    return {name: tensor.contiguous() for name, tensor in result.items()}


def from_hf(state: dict[str, torch.Tensor], model: VisionTransformer) -> dict[str, torch.Tensor]:
    """The inverse of `to_hf`, for the names that `model` has."""
    result = {}
    for name in model.state_dict():
        if ".attn.qkv." in name:
            _, layer, rest = name.split(".", 2)
            kind = rest.removeprefix("attn.qkv.")
            result[name] = torch.cat([state[f"vit.encoder.layer.{layer}.{part}.{kind}"] for part in QUERY_KEY_VALUE])
        else:
            (new,) = to_hf({name: torch.empty(0)})
            result[name] = state[new]
    return result


def open_folder(folder: Path, patch: int | None = None, **options: object) -> tuple[VisionTransformer, list[str]]:
    """The model of a folder, and its labels; with patches of another size, projection and positions are resampled.

    `options` are timm's, for instance rates of dropping.
    """
    config = json.loads((folder / "config.json").read_text())
    labels = checkpoints.labels_of(folder)
    model = VisionTransformer(
        img_size=config["image_size"], patch_size=patch or config["patch_size"], num_classes=len(labels),
        embed_dim=config["hidden_size"], depth=config["num_hidden_layers"], num_heads=config["num_attention_heads"],
        mlp_ratio=config["intermediate_size"] / config["hidden_size"], **options)
    model.load_state_dict(checkpoint_filter_fn(from_hf(checkpoints.weights_of(folder), model), model))
    return model, labels


def resize_head(model: VisionTransformer, classes: int) -> None:
    """Leaves the last outputs away, or adds some behind those that are there."""
    old, new = model.head, torch.nn.Linear(model.head.in_features, classes)
    kept = min(classes, old.out_features)
    with torch.no_grad():
        torch.nn.init.normal_(new.weight, std=0.02)
        # Unknown classes start out unlikely, or their noise would drown what the model knows.
        new.bias.fill_(old.bias.min().item() - 2.0)
        new.weight[:kept] = old.weight[:kept]
        new.bias[:kept] = old.bias[:kept]
    model.head = new


def open_checkpoint(file: Path, **options: object) -> tuple[VisionTransformer, list[str]]:
    """The average of a run of `tiny.py`, and its labels; outputs for further classes come behind those of the labels."""
    run = torch.load(file, map_location="cpu", weights_only=False)
    state = {name.removeprefix("module."): tensor for name, tensor in run["average"].items()}
    classes, width = state["head.weight"].shape
    model = VisionTransformer(
        img_size=EDGE, patch_size=state["patch_embed.proj.weight"].shape[-1], num_classes=classes, embed_dim=width,
        depth=1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks.")),
        num_heads=run["heads"],  # the only size that the tensors don't show
        mlp_ratio=state["blocks.0.mlp.fc1.weight"].shape[0] / width, **options)
    model.load_state_dict(state)
    return model, run["labels"]
