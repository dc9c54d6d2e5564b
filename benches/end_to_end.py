"""The whole way beside the bare encoder: what reading, splitting, tokenizing and writing cost.

    python benches/end_to_end.py PARALLAX CORPUS.jsonl [--rounds 3] [--precision int8]

To be run from the root of the repository, with its default model.
Scores the corpus, files in and Parquet out, and gives the sentences that were labelled, each
different one once, to `cargo bench --bench rate`: in turn, several rounds, both on all cores. Prints
a Markdown table. PARALLAX is the program, built with `cargo build --release`. The rate of the whole
way counts each different sentence once too, so it gains nothing by repeats.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("parallax")
parser.add_argument("corpus")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--precision", default="int8")
args = parser.parse_args()


def score(folder, *options):
    command = [args.parallax, "score", args.corpus, "--out", folder, "--force"]
    command += ["--precision", args.precision, *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(f"{folder}/run.json", encoding="utf-8") as run:
        return json.load(run)["timing"]["total_s"]


def labelled(folder, path):
    """Writes the different sentences that were labelled to `path`; how many they are."""
    with open(f"{folder}/sentences.jsonl", encoding="utf-8") as rows:
        read = (json.loads(row) for row in rows)
        texts = dict.fromkeys(row["text"] for row in read if row["engagement"] is not None)
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    return len(texts)


def bare(sentences):
    command = ["cargo", "bench", "--quiet", "--bench", "rate", "--", args.precision]
    command += ["models/default", sentences, "--threads", str(os.cpu_count()), "--passes", "1"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])["rate"]


with tempfile.TemporaryDirectory() as scratch:
    sentences = f"{scratch}/sentences.jsonl"
    score(f"{scratch}/rows", "--format", "jsonl")
    n = labelled(f"{scratch}/rows", sentences)
    rounds = []
    for _ in range(args.rounds):
        rounds.append((bare(sentences), n / score(f"{scratch}/scored")))
    encoder, whole = (statistics.median(rates) for rates in zip(*rounds))
    shares = [b / a for a, b in rounds]
    print(f"{n:,} different sentences, {args.precision}, {os.cpu_count()} threads\n")
    print("| bare encoder, sentences/s | files in, Parquet out | of the bare encoder (rounds) |")
    print("|---:|---:|---:|")
    spread = f"{min(shares):.1%} to {max(shares):.1%}"
    print(f"| {encoder:.0f} | {whole:.0f} | {statistics.median(shares):.1%} ({spread}) |")
