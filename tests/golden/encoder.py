"""Makes tests/golden/encoder.json: what PyTorch and transformers make of a bundle's weights.

Run once for each new version of the default model, from the repository's root:
    pip install torch transformers
    python tests/golden/encoder.py models/default tests/golden/encoder.json
"""

import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benches/peers"))
import bundle as peers

SENTENCES = [
    "The bridge was closed on Monday.",
    'The ministry denied the "so-called" blockade, calling the reports false.',
    "Officials said the ferry might resume by 9 a.m. if the water falls.",
    "No.",
    "Critics allege that the council, which met behind closed doors for eleven hours and "
    "published no minutes, sold the harbour's northern pier to a company that had been founded "
    "the day before and that nobody at the registry, at the bank or in the town had heard of.",
]

bundle, out = sys.argv[1:3]
weights = peers.weights(bundle)
model = peers.encoder(bundle, "eager")
tokenizer = Tokenizer.from_file(f"{bundle}/tokenizer.json")
tokenizer.no_padding()
tokenizer.no_truncation()

layers = sorted({k.split(".")[1] for k in weights if k.startswith("layers.")})
linear = lambda x, name: torch.nn.functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
rows = []
with torch.no_grad():
    for text in SENTENCES:
        ids = tokenizer.encode(text).ids
        hidden = model(torch.tensor([ids])).last_hidden_state[0]
        mean = hidden.mean(0)
        # The mention that target layers are asked about: the second word piece.
        features = torch.cat([hidden[0], mean])
        logits = {}
        for layer in layers:
            x = features
            if weights[f"layers.{layer}.hidden.weight"].shape[1] == 3 * mean.shape[0]:
                x = torch.cat([features, hidden[1:2].mean(0)])
            hidden_layer = torch.nn.functional.gelu(linear(x, f"layers.{layer}.hidden"))
            logits[layer] = linear(hidden_layer, f"layers.{layer}.output").tolist()
        rows.append({"text": text, "ids": ids, "vector": mean.tolist(), "logits": logits})
json.dump(rows, open(out, "w"), indent=0)
