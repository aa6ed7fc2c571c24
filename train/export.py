"""Makes a model folder of a checkpoint, with Hugging Face's names, and checks that transformers answers as timm does.

    python export.py --checkpoint RUN/checkpoint.pt --out F32_MODEL
    vitscope quantize F32_MODEL -o models/vitscope-tiny
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from transformers import ViTConfig, ViTForImageClassification

import model as models
from data import EDGE, MEAN, STD

PREPROCESSOR = {
    "do_resize": True, "size": {"shortest_edge": EDGE}, "resample": 3,
    "do_center_crop": True, "crop_size": {"height": EDGE, "width": EDGE},
    "do_rescale": True, "rescale_factor": 1 / 255,
    "do_normalize": True, "image_mean": MEAN, "image_std": STD,
    "image_processor_type": "ViTImageProcessor",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    model, labels = models.open_checkpoint(arguments.checkpoint)
    models.resize_head(model, len(labels))
    write(model.eval(), labels, arguments.out)


def write(model: VisionTransformer, labels: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = ViTConfig(
        image_size=EDGE, patch_size=model.patch_embed.patch_size[0], hidden_size=model.embed_dim,
        num_hidden_layers=len(model.blocks), num_attention_heads=model.blocks[0].attn.num_heads,
        intermediate_size=model.blocks[0].mlp.fc1.out_features, layer_norm_eps=model.norm.eps,
        id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
        architectures=["ViTForImageClassification"], dtype="float32")
    config.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR, indent=2) + "\n")
    save_file(models.to_hf(model.state_dict()), folder / "model.safetensors", {"format": "pt"})

    theirs, loading = ViTForImageClassification.from_pretrained(folder, output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
    pixels = torch.randn(2, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = (theirs.eval()(pixels).logits - model(pixels)).abs().max().item()
    assert difference < 1e-4, f"transformers and timm differ by {difference}"
    print(f"{folder}: {sum(p.numel() for p in model.parameters()):,} parameters, {len(labels)} classes")


if __name__ == "__main__":
    main()
