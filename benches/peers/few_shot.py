"""Few sentences a label: `parallax train` beside SetFit, on the same sentences and the same base.

    python few_shot.py PARALLAX SHARED BASE [SEEDS [TASKS]]

PARALLAX is the program, SHARED the folder of the data, BASE a folder of
sentence-transformers/all-MiniLM-L6-v2, SEEDS the draws (0,1,2), TASKS one or both of these codebooks
of three labels, 32 sentences a label: `loaded` (labels/train.jsonl, tested on labels/test.jsonl) and
`topic` (sentences of corpus/usnews2000.jsonl on three topics, split by article). Prints macro-F1 and
seconds of both. SetFit runs with its own defaults (body rate 2e-5, 20 pairs of each sort a sentence,
one epoch, logistic regression). Needs setfit, datasets, scikit-learn.
"""

import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

SHOTS = 32
TOPICS = ["immigration", "healthcare", "gun_control_and_gun_rights"]


def read(path):
    return [json.loads(line) for line in open(path)]


def loaded(shared, rng):
    rows = lambda part: [
        {"text": r["text"], "label": r["loaded"], "document": r["document"] or r["id"]}
        for r in read(f"{shared}/labels/{part}.jsonl")
        if r.get("loaded")
    ]
    train = rows("train")
    rng.shuffle(train)
    return train, rows("test")


def topic(shared, rng):
    train, test = [], []
    for article in read(f"{shared}/corpus/usnews2000.jsonl"):
        if article.get("topic") not in TOPICS:
            continue
        part = train if rng.random() < 0.5 else test
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", re.sub(r"\s+", " ", article["text"]))
        sentences = [s for s in sentences if 12 <= len(s.split()) <= 45]
        for text in rng.sample(sentences, min(6, len(sentences))):
            part.append({"text": text, "label": article["topic"], "document": article["id"]})
    rng.shuffle(train)
    return train, test


def few(rows):
    counts, kept = {}, []
    for row in rows:
        counts[row["label"]] = counts.get(row["label"], 0) + 1
        if counts[row["label"]] <= SHOTS:
            kept.append(row)
    return kept


def setfit(train, test, base, seed):
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments
    from sklearn.metrics import f1_score

    model = SetFitModel.from_pretrained(base)
    rows = Dataset.from_list([{"text": r["text"], "label": r["label"]} for r in train])
    settings = TrainingArguments(
        batch_size=16, num_epochs=1, num_iterations=20, seed=seed, report_to="none",
        save_strategy="no",
    )
    Trainer(model=model, args=settings, train_dataset=rows).train()
    said = [str(p) for p in model.predict([r["text"] for r in test])]
    return f1_score([r["label"] for r in test], said, average="macro")


def ours(program, train, test, base, seed):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        labels = sorted({r["label"] for r in train})
        names = ", ".join(f'{{ name = "{label}" }}' for label in labels)
        (folder / "codebook.toml").write_text(
            f'name = "few"\n[[layer]]\nname = "answer"\nkind = "single"\nlabels = [{names}]\n'
        )
        for name, rows in (("train", train), ("test", test)):
            lines = [
                json.dumps({"text": r["text"], "answer": r["label"], "document": r["document"]})
                for r in rows
            ]
            (folder / f"{name}.jsonl").write_text("\n".join(lines))
        subprocess.run(
            [program, "train", "--codebook", folder / "codebook.toml", "--labelled",
             folder / "train.jsonl", "--base", base, "--seed", str(seed), "--out", folder / "model"],
            check=True, capture_output=True,
        )
        subprocess.run(
            [program, "evaluate", folder / "model", folder / "test.jsonl", "--json",
             folder / "figures.json", "--resamples", "0"],
            check=True, capture_output=True,
        )
        return json.loads((folder / "figures.json").read_text())["layers"]["answer"]["macro_f1"]


def main(program, shared, base, seeds="0,1,2", tasks="loaded,topic"):
    print("task    seed  parallax  SetFit   seconds", flush=True)
    sums = {}
    for task in ({"loaded": loaded, "topic": topic}[name] for name in tasks.split(",")):
        for seed in map(int, seeds.split(",")):
            train, test = task(shared, random.Random(seed))
            train = few(train)
            start = time.monotonic()
            mine = ours(program, train, test, base, seed)
            between = time.monotonic()
            theirs = setfit(train, test, base, seed)
            end = time.monotonic()
            print(f"{task.__name__:7} {seed:4}  {mine:8.3f}  {theirs:6.3f}  "
                  f"{between - start:4.0f} {end - between:4.0f}", flush=True)
            pair = mine, theirs
            sums.setdefault(task.__name__, []).append(pair)
    for name, pairs in sums.items():
        means = [sum(p[i] for p in pairs) / len(pairs) for i in (0, 1)]
        print(f"{name:7} mean  {means[0]:8.3f}  {means[1]:6.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
