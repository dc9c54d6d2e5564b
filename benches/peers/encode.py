"""The rate of another engine on a bundle's encoder: token ids in, one mean vector a sentence out.

    python benches/peers/encode.py ENGINE BUNDLE SENTENCES.jsonl [--threads N] [--passes N]

ENGINE is pytorch, pytorch-bf16, onnx or onnx-int8. Sentences are sorted by length, so that hardly
anything is padding, and cut into batches of 32 (--batch). Reading, tokenizing and loading are not
timed; one pass warms up. Prints one JSON line. The ONNX files are made in --cache, once for the
bundle's weights.

    pip install torch transformers onnx onnxruntime onnxscript
"""

import argparse
import hashlib
import json
import os
import statistics
import time

parser = argparse.ArgumentParser()
parser.add_argument("engine")
parser.add_argument("bundle")
parser.add_argument("sentences")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--passes", type=int, default=3)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--device", default="cpu", help="cpu or cuda, for pytorch")
parser.add_argument("--cache", default="target/peers")
parser.add_argument("--vectors", help="write the vectors here, as JSON, in the file's order")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import numpy as np

import bundle
from tokenizers import Tokenizer


def read_batches():
    tokenizer = Tokenizer.from_file(f"{args.bundle}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    with open(args.sentences, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines if line.strip()]
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    batches = []
    for start in range(0, len(order), args.batch):
        rows = order[start : start + args.batch]
        longest = max(len(ids[i]) for i in rows)
        tokens = np.zeros((len(rows), longest), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, i in enumerate(rows):
            tokens[row, : len(ids[i])] = ids[i]
            mask[row, : len(ids[i])] = 1
        batches.append((rows, tokens, mask))
    return ids, batches


def load_torch(attention):
    import torch

    torch.set_num_threads(args.threads)
    return torch, bundle.encoder(args.bundle, attention)


def pytorch(half):
    torch, model = load_torch(None)
    device = torch.device(args.device)
    model.to(device)
    if half and device.type == "cuda":
        model.to(torch.bfloat16)

    def run(tokens, mask):
        tokens, mask = torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=half)
        with torch.inference_mode(), autocast:
            hidden = model(tokens, attention_mask=mask).last_hidden_state.float()
            weights = mask.unsqueeze(-1).float()
            return ((hidden * weights).sum(1) / weights.sum(1)).cpu().numpy()

    return run, torch.__version__


def onnx(int8):
    os.makedirs(args.cache, exist_ok=True)
    with open(f"{args.bundle}/model.safetensors", "rb") as weights:
        name = f"{args.cache}/{hashlib.file_digest(weights, 'sha256').hexdigest()[:16]}"
    plain, quantized = f"{name}.onnx", f"{name}-int8.onnx"
    if not os.path.exists(plain):
        torch, model = load_torch("eager")

        class Hidden(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.bert = model

            def forward(self, input_ids, attention_mask):
                return self.bert(input_ids, attention_mask=attention_mask).last_hidden_state

        example = torch.ones((2, 8), dtype=torch.int64)
        axes = {0: "batch", 1: "length"}
        torch.onnx.export(
            Hidden(), (example, example), plain, dynamo=False, opset_version=17,
            input_names=["input_ids", "attention_mask"], output_names=["hidden"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "hidden": axes},
        )
    import onnxruntime as ort

    if int8 and not os.path.exists(quantized):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(plain, quantized, weight_type=QuantType.QInt8, per_channel=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = ort.InferenceSession(
        quantized if int8 else plain, options, providers=["CPUExecutionProvider"]
    )

    def run(tokens, mask):
        (hidden,) = session.run(None, {"input_ids": tokens, "attention_mask": mask})
        weights = mask[:, :, None].astype(np.float32)
        return (hidden * weights).sum(1) / weights.sum(1)

    return run, ort.__version__


engines = {
    "pytorch": lambda: pytorch(False),
    "pytorch-bf16": lambda: pytorch(True),
    "onnx": lambda: onnx(False),
    "onnx-int8": lambda: onnx(True),
}
run, version = engines[args.engine]()
ids, batches = read_batches()
seconds = []
for attempt in range(args.passes + 1):
    start, cpu = time.perf_counter(), time.process_time()
    vectors = [run(tokens, mask) for _, tokens, mask in batches]
    if attempt:
        seconds.append((time.perf_counter() - start, time.process_time() - cpu))
wall = statistics.median(s for s, _ in seconds)
print(json.dumps({
    "engine": args.engine, "version": version, "threads": args.threads, "sentences": len(ids),
    "tokens": sum(map(len, ids)), "rate": round(len(ids) / wall, 1),
    "cpu_seconds": round(statistics.median(c for _, c in seconds), 3),
}))
if args.vectors:
    found = [None] * len(ids)
    for (rows, _, _), batch in zip(batches, vectors):
        for i, vector in zip(rows, batch):
            found[i] = vector.tolist()
    with open(args.vectors, "w", encoding="utf-8") as out:
        json.dump(found, out)
