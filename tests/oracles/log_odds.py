"""Golden log-odds z-scores for parallax's distinctive words, from convokit's FightingWords.

Run once and commit what it prints:

    pip install numpy pandas && pip install --no-deps convokit
    python tests/oracles/log_odds.py > tests/golden/log_odds.json

Made with convokit 5.0.0 and numpy 2.4. Of convokit only the module `fightingWords.py` is
loaded; the packages that it imports for cleaning, drawing and counting text are not called
here and stand in as empty modules. The corpus is invented. Words are told apart by blanks.
The prior of each word is its count in the whole corpus.
"""

import contextlib
import importlib.util
import io
import itertools
import json
import pathlib
import sys
import types

import numpy as np

for name, members in {
    "cleantext": ["clean"],
    "matplotlib": ["pyplot"],
    "sklearn": [],
    "sklearn.feature_extraction": [],
    "sklearn.feature_extraction.text": ["CountVectorizer"],
    "convokit": ["Transformer"],
    "convokit.model": ["Corpus", "CorpusComponent"],
}.items():
    module = types.ModuleType(name)
    for member in members:
        setattr(module, member, type(member, (), {}))
    sys.modules[name] = module
root = next(p for p in map(pathlib.Path, sys.path) if (p / "convokit" / "fighting_words").is_dir())
spec = importlib.util.spec_from_file_location(
    "fightingWords", root / "convokit" / "fighting_words" / "fightingWords.py"
)
convokit = importlib.util.module_from_spec(spec)
spec.loader.exec_module(convokit)

# An article a line.
CORPUS = {
    "Courier": [
        "halvia is massing an army on the river and the army is large",
        "the army crossed the river at night and halvia said nothing of the army",
        "the dam was opened by halvia and the town was lost",
        "soldiers of halvia stood at the dam while the water rose",
    ],
    "Standard": [
        "the alleged build-up is a normal exercise and the exercise ends on friday",
        "the so-called massing of soldiers is an exercise said the ministry",
        "nobody opened the dam said the ministry and the alleged order is a forgery",
        "the ministry said the rain filled the dam and the town had been warned",
        "the exercise goes on",
    ],
    "Wire": [
        "halvia said the exercise ends on friday while ketria said an army is massing",
        "ketria said the dam was opened and halvia denied it",
        "the river rose two metres the ministry said and the town was flooded at night",
    ],
}


class Vectorizer:
    """What FightingWords asks of a count vectorizer."""

    def __init__(self):
        words = {w for texts in CORPUS.values() for t in texts for w in t.split()}
        self.vocabulary_ = {w: i for i, w in enumerate(sorted(words))}

    def fit_transform(self, texts):
        rows = np.zeros((len(texts), len(self.vocabulary_)), dtype=int)
        for row, text in zip(rows, texts):
            for word in text.split():
                row[self.vocabulary_[word]] += 1
        return types.SimpleNamespace(toarray=lambda: rows)


def z_scores(a, b):
    vectorizer = Vectorizer()
    everything = [t for texts in CORPUS.values() for t in texts]
    prior = vectorizer.fit_transform(everything).toarray().sum(axis=0).astype(float)
    words = convokit.FightingWords(cv=vectorizer, prior=prior, text_func=lambda text: text)
    with contextlib.redirect_stdout(io.StringIO()):
        found = words._bayes_compare_language(a, b)
    return {word: float(found[word]) for word in sorted(found)}


comparisons = []
for outlet, texts in CORPUS.items():
    rest = [t for other, ts in CORPUS.items() if other != outlet for t in ts]
    comparisons.append({"outlet": outlet, "against": None, "z": z_scores(texts, rest)})
for a, b in itertools.combinations(CORPUS, 2):
    comparisons.append({"outlet": a, "against": b, "z": z_scores(CORPUS[a], CORPUS[b])})
print(json.dumps({"corpus": CORPUS, "comparisons": comparisons}, indent=1))
