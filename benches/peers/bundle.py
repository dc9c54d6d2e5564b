"""A bundle's encoder in PyTorch, for the engines beside parallax and for its golden vectors."""

import torch
from safetensors.torch import load_file


def weights(bundle):
    """The bundle's tensors as 32-bit floats, however they are kept (src/model/weights.rs)."""
    kept = load_file(f"{bundle}/model.safetensors")
    tensors = {}
    for name, tensor in kept.items():
        whole, _, kind = name.rpartition(".")
        if kind == "step" and (f"{whole}.q8" in kept or f"{whole}.q4" in kept):
            continue
        if kind not in ("q8", "q4"):
            tensors[name] = tensor.float()
            continue
        steps = kept[f"{whole}.step"].float()
        if kind == "q4":
            halves = torch.stack([tensor & 15, tensor >> 4], dim=-1).to(torch.int16)
            tensor = torch.where(halves > 7, halves - 16, halves).flatten(1)
        groups = tensor.float().unflatten(1, (steps.shape[1], -1))
        tensors[whole] = (groups * steps.unsqueeze(-1)).flatten(1)
    return tensors


def encoder(bundle, attention):
    """The encoder without its layers; `attention` as in transformers, None for its fastest here."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(bundle)
    model = AutoModel.from_config(config, add_pooling_layer=False, attn_implementation=attention)
    not_encoder = ("layers.", "pooler.", "embeddings.position_ids")
    own = {k: v for k, v in weights(bundle).items() if not k.startswith(not_encoder)}
    missing, unexpected = model.eval().load_state_dict(own, strict=False)
    assert not unexpected and all("position_ids" in m for m in missing), (missing, unexpected)
    return model
