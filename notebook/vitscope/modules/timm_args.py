"""The arguments that a model of timm was built with, read off the model.

A function a class, whose keys are those of its `__init__`.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, Any

from .structure import activation

if TYPE_CHECKING:
    from torch import nn

Args = dict[str, Any]


def head_of(model: nn.Module) -> nn.Module:
    """The layer that makes classes of features, or what is in its place."""
    head = model.head
    return getattr(head, "fc", head) if type(head).__module__.startswith("timm.") else head


def classes_of(model: nn.Module) -> int:
    """How many classes its head has, 0 where there is none."""
    return getattr(head_of(model), "out_features", 0)


def of_vit(model: nn.Module) -> Args:
    """`VisionTransformer`, distilled too."""
    block = model.blocks[0]
    attn, mlp = block.attn, block.mlp
    return _of_plain(model) | {
        "mlp_ratio": _ratio(_first(mlp).out_features, model.embed_dim),
        "qkv_bias": attn.qkv.bias is not None,
        "qk_norm": _is(attn, "q_norm"),
        "scale_attn_norm": _is(attn, "norm"),
        "scale_mlp_norm": _is(mlp, "norm"),
        "proj_bias": attn.proj.bias is not None,
        "init_values": 1e-5 if _is(block, "ls1") else None,
        "class_token": model.cls_token is not None,
        "pos_embed": "none" if model.pos_embed is None else "learn",
        "no_embed_class": getattr(model, "no_embed_class", False),
        "reg_tokens": 0 if getattr(model, "reg_token", None) is None else model.reg_token.shape[1],
        "pre_norm": _is(model, "norm_pre"),
        "final_norm": _is(model, "norm") or _is(model, "fc_norm"),
        "fc_norm": _is(model, "fc_norm"),
        "pool_include_prefix": getattr(model, "pool_include_prefix", False),
        "act_layer": activation(mlp.act),
        "norm_layer": _norm(block.norm1),
    }


def of_eva(model: nn.Module) -> Args:
    """`Eva`."""
    block, rope, pool = model.blocks[0], model.rope, getattr(model, "attn_pool", None)
    attn, mlp = block.attn, block.mlp
    fused = attn.qkv is not None
    bias = getattr(attn, "q_bias", None) if fused else attn.q_proj.bias
    if bias is None and fused:
        bias = attn.qkv.bias
    gated, width = hasattr(mlp, "fc1_g") or mlp.fc1.out_features > mlp.fc2.in_features, mlp.fc2.in_features
    args = _of_plain(model) | {
        "mlp_ratio": _ratio(width, model.embed_dim),
        "attn_type": "rope" if type(attn).__name__ == "AttentionRope" else "eva",
        "qkv_bias": bias is not None,
        "qkv_fused": fused,
        "qk_norm": _is(attn, "q_norm"),
        "swiglu_mlp": gated,
        # (Its width is rounded already.)
        "swiglu_align_to": gcd(width, 64) if hasattr(mlp, "fc1_g") and not _is(mlp, "norm") else 0,
        "scale_mlp": _is(mlp, "norm"),
        "scale_attn_inner": _is(attn, "norm"),
        "init_values": 1e-5 if getattr(block, "gamma_1", None) is not None else None,
        "class_token": model.cls_token is not None,
        "num_reg_tokens": 0 if getattr(model, "reg_token", None) is None else model.reg_token.shape[1],
        "no_embed_class": getattr(model, "no_embed_class", False),
        "use_abs_pos_emb": model.pos_embed is not None,
        "use_rot_pos_emb": rope is not None,
        "use_post_norm": "PostNorm" in type(block).__name__,
        "use_pre_transformer_norm": _is(model, "norm_pre"),
        "use_post_transformer_norm": _is(model, "norm"),
        "use_fc_norm": _is(model, "fc_norm"),
    }
    if pool is not None:
        args |= {
            "attn_pool_num_heads": pool.num_heads,
            "attn_pool_mlp_ratio": _ratio(pool.mlp.fc1.out_features, model.embed_dim),
        }
    return args | (_of_rope(rope, attn) if rope is not None else {})


def of_beit(model: nn.Module) -> Args:
    """`Beit`."""
    block = model.blocks[0]
    return _of_plain(model) | {
        "mlp_ratio": _ratio(block.mlp.fc2.in_features, model.embed_dim),
        "qkv_bias": block.attn.q_bias is not None,
        "swiglu_mlp": type(block.mlp).__name__ == "SwiGLU",
        "scale_mlp": _is(block.mlp, "norm"),
        "init_values": 1e-5 if getattr(block, "gamma_1", None) is not None else None,
        "use_abs_pos_emb": model.pos_embed is not None,
        "use_rel_pos_bias": block.attn.relative_position_bias_table is not None,
        "use_shared_rel_pos_bias": model.rel_pos_bias is not None,
        "use_fc_norm": _is(model, "fc_norm"),
    }


def of_swin(model: nn.Module) -> Args:
    """`SwinTransformer` and `SwinTransformerV2`."""
    firsts = [stage.blocks[0] for stage in model.layers]
    first, second = firsts[0], hasattr(firsts[0].attn, "logit_scale")
    windows = getattr(model, "_ref_window_sizes", None) or [block.window_size for block in firsts]
    windows = [list(_pair(window)) for window in windows]
    args = _of_patches(model) | {
        "embed_dim": first.dim if isinstance(first.dim, int) else model.embed_dim,
        "depths": [len(stage.blocks) for stage in model.layers],
        "num_heads": [block.attn.num_heads for block in firsts],
        "window_size": windows if any(window != windows[0] for window in windows) else windows[0],
        "dynamic_img_size": getattr(model, "dynamic_img_size", False),
        "always_partition": getattr(first, "always_partition", False),
        "mlp_ratio": _ratio(first.mlp.fc1.out_features, first.dim),
        "qkv_bias": (first.attn.q_bias if second else first.attn.qkv.bias) is not None,
    }
    if second:
        args |= {
            "act_layer": activation(first.mlp.act),
            "pretrained_window_sizes": [list(_pair(block.attn.pretrained_window_size)) for block in firsts],
        }
    return args


def of_sam(model: nn.Module) -> Args:
    """`VisionTransformerSAM`."""
    block = model.blocks[0]
    windows = [block.window_size for block in model.blocks]
    neck = getattr(model.neck, "0", None)
    return _of_patches(model) | {
        "embed_dim": model.embed_dim,
        "depth": len(model.blocks),
        "num_heads": block.attn.num_heads,
        "mlp_ratio": _ratio(_first(block.mlp).out_features, model.embed_dim),
        "qkv_bias": block.attn.qkv.bias is not None,
        "qk_norm": _is(block.attn, "q_norm"),
        "init_values": 1e-5 if _is(block, "ls1") else None,
        "pre_norm": _is(model, "norm_pre"),
        "use_abs_pos": model.pos_embed is not None,
        "use_rel_pos": getattr(block.attn, "rel_pos_h", None) is not None,
        "window_size": max(windows),
        "global_attn_indexes": [i for i, window in enumerate(windows) if not window] if any(windows) else [],
        "neck_chans": 0 if neck is None else neck.out_channels,
        "act_layer": activation(block.mlp.act),
    }


def _of_patches(model: nn.Module) -> Args:
    """What all classes have."""
    patches = model.patch_embed
    size = patches.img_size
    head = getattr(model, "head", None)
    pool = getattr(getattr(head, "global_pool", None), "pool_type", None)
    return {
        "img_size": None if size is None else list(size),
        "patch_size": list(_pair(patches.patch_size)),
        "in_chans": patches.proj.in_channels,
        "num_classes": classes_of(model),
        "global_pool": pool if isinstance(pool, str) else model.global_pool,
    }


def _of_plain(model: nn.Module) -> Args:
    """What those have that are of one stage."""
    return _of_patches(model) | {
        "embed_dim": model.embed_dim,
        "depth": len(model.blocks),
        "num_heads": model.blocks[0].attn.num_heads,
        "dynamic_img_size": getattr(model, "dynamic_img_size", False),
        "dynamic_img_pad": getattr(model.patch_embed, "dynamic_img_pad", False),
    }


def _of_rope(rope: nn.Module, attn: nn.Module) -> Args:
    """How queries and keys are turned."""
    kind = type(rope).__name__.removeprefix("RotaryEmbedding").lower()
    own = {
        "rope_type": kind,
        "rope_rotate_half": getattr(attn, "rotate_half", False),
        "rope_grid_indexing": getattr(rope, "grid_indexing", "ij"),
        "rope_temperature": rope.temperature,
    }
    if kind != "mixed":
        own["rope_grid_offset"] = getattr(rope, "grid_offset", 0.0)
    if kind == "cat":
        own["ref_feat_shape"] = None if rope.ref_feat_shape is None else list(rope.ref_feat_shape)
    return own


def _is(module: nn.Module, name: str) -> bool:
    """Whether a part is there and does something."""
    part = getattr(module, name, None)
    return part is not None and type(part).__name__ != "Identity"


def _first(mlp: nn.Module) -> nn.Module:
    return mlp.fc1_g if hasattr(mlp, "fc1_g") else mlp.fc1


def _norm(norm: nn.Module) -> str | None:
    """timm's name of a norm that one can ask for, which has an eps of its own."""
    return "layernorm" if type(norm).__name__ == "LayerNorm" and norm.eps == 1e-6 else None


def _ratio(hidden: int, width: int) -> float:
    """What `int(width * ratio)` makes `hidden` of."""
    return hidden / width if int(width * (hidden / width)) == hidden else (hidden + 0.5) / width


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)
