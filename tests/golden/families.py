"""Makes tests/golden/families/: small random encoders of BERT's kin and PyTorch's vectors of them.

From the repository's root:
    pip install torch transformers
    python tests/golden/families.py tests/golden/families
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel
from transformers import RobertaConfig, RobertaModel

SIZES = {"vocab_size": 60, "max_position_embeddings": 90}
PLAIN = SIZES | {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40,
}
FAMILIES = {
    "roberta": (RobertaConfig, RobertaModel, PLAIN | {"type_vocab_size": 1, "pad_token_id": 1}),
    "distilbert": (
        DistilBertConfig, DistilBertModel,
        SIZES | {"dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 40},
    ),
    "mpnet": (MPNetConfig, MPNetModel, PLAIN),
}

out = pathlib.Path(sys.argv[1])
for name, (config_class, model_class, sizes) in FAMILIES.items():
    torch.manual_seed(3)
    # Wide weights, so that attention is far from even and a wrong bias shows.
    config = config_class(**sizes, initializer_range=0.4)
    config._attn_implementation = "eager"
    kwargs = {} if name == "distilbert" else {"add_pooling_layer": False}
    model = model_class(config, **kwargs).eval()
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k}
    save_file(weights, folder / "model.safetensors")
    fields = config.to_dict()
    kept = ("model_type", *sizes, "layer_norm_eps", "hidden_act", "activation",
            "relative_attention_num_buckets", "pad_token_id")
    fields = {k: fields[k] for k in kept if k in fields}
    (folder / "config.json").write_text(json.dumps(fields, indent=1) + "\n")
    golden = {}
    for i, length in enumerate((7, 70)):
        ids = torch.randint(3, 60, (1, length))
        with torch.no_grad():
            golden[f"hidden.{i}"] = model(ids).last_hidden_state[0].contiguous()
        golden[f"ids.{i}"] = ids[0].to(torch.int64)
    save_file(golden, folder / "golden.safetensors")
