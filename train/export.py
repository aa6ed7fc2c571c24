"""Makes a model folder of a run's checkpoint, with Hugging Face's names, and checks that transformers answers as the trained model does.

    python export.py --checkpoint RUN/checkpoint.pt --out MODEL

The small model in float16, half the size of a file that `vitscope quantize` reads as well; the tiny one in float32.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from transformers import Dinov2ForImageClassification, ViTConfig

import checkpoints
import small_model
import tiny_model
from data import EDGE

SIZE = 224
"""Edge of the small model's images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if "heads" in torch.load(arguments.checkpoint, map_location="cpu", weights_only=False, mmap=True):
        model, labels = tiny_model.open_checkpoint(arguments.checkpoint)
        tiny_model.resize_head(model, len(labels))
        write_tiny(model.eval(), labels, arguments.out)
    else:
        write_small(small_model.open_run(arguments.checkpoint)[0].eval(), arguments.out)


def write_small(model: Dinov2ForImageClassification, folder: Path) -> None:
    model.half().save_pretrained(folder)
    write_preprocessor(folder, SIZE)
    # The network of the training has products in bfloat16; without, it is transformers' own model, of what float16 left.
    model.float()
    checkpoints.check(folder, lambda pixels: model(pixels).logits, SIZE, tolerance=1e-5)


def write_tiny(model: VisionTransformer, labels: list[str], folder: Path) -> None:
    config = ViTConfig(
        image_size=EDGE, patch_size=model.patch_embed.patch_size[0], hidden_size=model.embed_dim,
        num_hidden_layers=len(model.blocks), num_attention_heads=model.blocks[0].attn.num_heads,
        intermediate_size=model.blocks[0].mlp.fc1.out_features, layer_norm_eps=model.norm.eps,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
        architectures=["ViTForImageClassification"], dtype="float32")
    config.save_pretrained(folder)
    write_preprocessor(folder, EDGE)
    save_file(tiny_model.to_hf(model.state_dict()), folder / "model.safetensors", {"format": "pt"})
    checkpoints.check(folder, model, EDGE, tolerance=1e-4)


def write_preprocessor(folder: Path, size: int) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps(checkpoints.preprocessor(size), indent=2) + "\n")


if __name__ == "__main__":
    main()
