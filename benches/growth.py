"""What a corpus of many times the size costs: rate, the encoder's share of it, memory.

    python benches/growth.py PARALLAX CORPUS.jsonl [--times 10] [-- OPTIONS OF SCORE]

Scores the corpus, then so many copies of it, whose articles share no more than their first line with
those of the corpus but have the same sentences, and prints a Markdown table. PARALLAX is the
program, built with `cargo build --release`. The sentences are encoded again in each copy if the
corpus has more of them than the program remembers (32,768).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("parallax")
parser.add_argument("corpus")
parser.add_argument("--times", type=int, default=10)
# argparse gives what follows `--` to no positional argument once there was an option.
split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
args = parser.parse_args(sys.argv[1:split])
args.options = sys.argv[split + 1 :]


def copies(path, times):
    """In copy c, article j has line k from article j + k * c: other articles, the same sentences."""
    with open(args.corpus, encoding="utf-8") as rows:
        articles = [json.loads(row) for row in rows]
    lines = [article["text"].split("\n") for article in articles]
    longest = max(map(len, lines))
    with open(path, "w", encoding="utf-8") as out:
        for copy in range(times):
            for j, article in enumerate(articles):
                sources = ((k, lines[(j + k * copy) % len(lines)]) for k in range(longest))
                text = "\n".join(source[k] for k, source in sources if k < len(source))
                row = {**article, "id": f"{article['id']}-{copy}", "text": text}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


def score(corpus, folder):
    command = [args.parallax, "score", corpus, "--out", folder, *args.options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    with open(f"{folder}/run.json", encoding="utf-8") as run:
        return json.load(run), used.ru_maxrss


print("| copies | sentences | seconds | sentences/s | encoder's share of the time | peak memory, MB |")
print("|---:|---:|---:|---:|---:|---:|")
for times in (1, args.times):
    with tempfile.TemporaryDirectory() as scratch:
        copies(f"{scratch}/corpus.jsonl", times)
        run, peak = score(f"{scratch}/corpus.jsonl", f"{scratch}/scored")
        time = run["timing"]
        print(
            f"| {times} | {run['counts']['scored']:,} | {time['total_s']:.1f} "
            f"| {time['sentences_per_second']:.0f} | {time['encoder_s'] / time['total_s']:.1%} "
            f"| {peak / 1024:.0f} |",
            flush=True,
        )
