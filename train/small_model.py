"""DINOv2-S/14 with a head on [class token, mean of the patches], as transformers' `Dinov2ForImageClassification` has it; in training on some of the patches."""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoConfig, Dinov2Config, Dinov2ForImageClassification, Dinov2Model

import checkpoints

CONFIG = Dinov2Config(
    hidden_size=384, num_hidden_layers=12, num_attention_heads=6, mlp_ratio=4, image_size=518, patch_size=14, layer_norm_eps=1e-6,
    qkv_bias=True, hidden_act="gelu", use_mask_token=False)


def labelled(config: Dinov2Config, labels: list[str]) -> Dinov2Config:
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    return Dinov2Config.from_dict(config.to_dict() | names)


def open_initial(path: Path, labels: list[str]) -> Dinov2ForImageClassification:
    """A backbone with a new head, a model folder, or the result of a run."""
    if path.is_file():
        return open_run(path)[0]
    config = AutoConfig.from_pretrained(path)
    if "Dinov2ForImageClassification" in config.architectures:
        if checkpoints.labels_of(path) != labels:
            raise SystemExit(f"{path} has other classes than the data: give a backbone")
        return checkpoints.open_model(path)
    model = Dinov2ForImageClassification(labelled(config, labels))
    model.dinov2 = Dinov2Model.from_pretrained(path, dtype=torch.float32)
    return model


def open_run(file: Path) -> tuple[Dinov2ForImageClassification, list[str]]:
    """What a run of small.py has come to, and its labels."""
    state = torch.load(file, map_location="cpu", weights_only=False)
    model = Dinov2ForImageClassification(labelled(CONFIG, state["labels"]))
    model.load_state_dict(state["result"])
    return model, state["labels"]


class Network(nn.Module):
    """The model, whose first blocks may be frozen, with matrix products in bfloat16."""

    def __init__(self, model: Dinov2ForImageClassification, frozen: int) -> None:
        super().__init__()
        self.model = model
        if model.dinov2.embeddings.mask_token is not None:
            model.dinov2.embeddings.mask_token.requires_grad_(False)  # only for pre-training
        for module in (model.dinov2.embeddings, *model.dinov2.encoder.layer[:frozen]) if frozen else ():
            module.requires_grad_(False)

    def forward(self, pixels: Tensor, keep: int = 0) -> Tensor:
        """Logits; of `keep` patches drawn for each image, or of all (PatchDropout, Liu et al., 2023)."""
        model = self.model.dinov2
        with torch.autocast(pixels.device.type, torch.bfloat16):
            tokens = model.embeddings(pixels)
            if keep:
                drawn = torch.rand(tokens.shape[0], tokens.shape[1] - 1, device=pixels.device).topk(keep, 1).indices
                patches = tokens[:, 1:].gather(1, drawn[..., None].expand(-1, -1, tokens.shape[-1]))
                tokens = torch.cat([tokens[:, :1], patches], 1)
            for layer in model.encoder.layer:
                tokens = layer(tokens)
            tokens = model.layernorm(tokens).float()
        with torch.autocast(pixels.device.type, enabled=False):
            return self.model.classifier(torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], 1))
