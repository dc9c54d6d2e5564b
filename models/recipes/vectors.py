"""Fits `vectors.safetensors`, the map that gives a bundle's sentence vectors the base encoder's
similarities back.

    python vectors.py BASE BUNDLE ARTICLES.jsonl

BASE is the folder of the encoder that fine-tuning began with, BUNDLE the folder of the result.
Sentences of the articles (fields `text`) are encoded by both; ridge regression from the bundle's
mean vectors to the base's, scaled to length 1. It takes no labels. Needs torch, transformers,
tokenizers, safetensors and numpy.
"""
import hashlib
import json
import random
import re
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

SENTENCES, LONGEST, RIDGE, SEED = 4000, 256, 30.0, 1


def encoder(folder):
    weights = load_file(f"{folder}/model.safetensors")
    weights = {k.removeprefix("bert."): v.float() for k, v in weights.items()}
    model = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    missing = model.load_state_dict(weights, strict=False).missing_keys
    assert not missing, missing
    return model.eval()


def sentences(path):
    random.seed(SEED)
    found = []
    with open(path) as file:
        for line in file:
            text = re.sub(r"\s+", " ", json.loads(line)["text"])
            found += [s for s in re.split(r"(?<=[.!?]) (?=[A-Z“\"])", text) if 20 < len(s) < 600]
    return random.sample(found, min(SENTENCES, len(found)))


@torch.no_grad()
def vectors(model, tokenizer, texts):
    ids = (tokenizer.encode(t).ids[:LONGEST] for t in texts)
    return np.stack([model(torch.tensor([i])).last_hidden_state[0].mean(0).numpy() for i in ids])


def main(base, bundle, articles):
    tokenizer = Tokenizer.from_file(f"{bundle}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = sentences(articles)
    x, y = vectors(encoder(bundle), tokenizer, texts), vectors(encoder(base), tokenizer, texts)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    ridge = RIDGE * centred.var(0).mean() * np.eye(x.shape[1])
    weight = np.linalg.solve(centred.T @ centred + ridge, centred.T @ (y - mean_y))
    left = y - mean_y - centred @ weight
    print(f"explained variance on {len(texts)} sentences: {1 - left.var() / (y - mean_y).var():.3f}")
    with open(f"{bundle}/model.safetensors", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    tensors = {"weight": weight.astype(np.float16), "bias": (mean_y - mean_x @ weight).astype(np.float16)}
    save_file(tensors, f"{bundle}/vectors.safetensors", {"weights_sha256": digest})


if __name__ == "__main__":
    main(*sys.argv[1:])
