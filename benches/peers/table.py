"""Medians and ratios of the rates that benches/compare.sh wrote, as a Markdown table."""

import json
import platform
import statistics
import sys
from collections import defaultdict

rates, versions, sizes = defaultdict(list), {}, set()
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        row = json.loads(line)
        rates[row["engine"]].append(row["rate"])
        versions[row["engine"]] = row["version"]
        sizes.add((row["sentences"], row["tokens"], row["threads"]))

NAMES = {
    "f32": "parallax f32", "int8": "parallax int8", "candle": "candle-transformers f32",
    "onnx": "ONNX Runtime f32", "onnx-int8": "ONNX Runtime int8 (dynamic)",
    "pytorch": "PyTorch f32", "pytorch-bf16": "PyTorch bf16",
}


def ratios(ours, theirs):
    """Round by round, so that a slow minute of the machine hits both."""
    pairs = [a / b for a, b in zip(rates[ours], rates[theirs])]
    return f"{statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})"


cpu = platform.processor() or platform.machine()
try:
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        fields = dict(map(str.strip, l.split(":", 1)) for l in info if ":" in l)
    wide = [f for f in ("avx512_vnni", "avx512f", "avx2") if f in fields.get("flags", "").split()]
    cpu = f"{fields.get('model name', cpu)}, {wide[0] if wide else 'no AVX2'}"
except OSError:
    pass
for sentences, tokens, threads in sorted(sizes):
    print(f"{sentences} sentences, {tokens / sentences:.1f} tokens on average, {threads} threads, {cpu}\n")
print("| engine | version | sentences/s, median | f32 against it | int8 against it |")
print("|---|---|---:|---:|---:|")
for engine, found in rates.items():
    against = [ratios(o, engine) if o in rates and o != engine else "" for o in ("f32", "int8")]
    name = NAMES.get(engine, engine)
    print(f"| {name} | {versions[engine]} | {statistics.median(found):.0f} | {' | '.join(against)} |")
