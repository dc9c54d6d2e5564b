"""Fits the weights in src/profile/alignment/score.rs to the judged pairs of clauses.

    PARALLAX_MEASURES=measures.jsonl cargo test --test alignment measures -- --ignored
    python tests/alignment/fit.py measures.jsonl

The first command needs ../shared; the second scikit-learn.
"""

import json
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PENALTY = 0.03

rows = [json.loads(line) for line in open(sys.argv[1])]
names = list(rows[0]["measures"])


def of(name):
    kept = [row for row in rows if row["set"] == name]
    measures = np.array([[row["measures"][n] for n in names] for row in kept])
    return measures, np.array([row["same"] for row in kept])


fitted, same = of("clauses")
held_out, held_out_same = of("held_out")
for penalty in (0.01, PENALTY, 0.1, 0.3, 1.0):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=5000))
    folds = [StratifiedKFold(10, shuffle=True, random_state=seed) for seed in range(3)]
    crossed = [cross_val_predict(model, fitted, same, cv=f, method="decision_function") for f in folds]
    within = np.mean([roc_auc_score(same, z) for z in crossed])
    model.fit(fitted, same)
    beyond = roc_auc_score(held_out_same, model.decision_function(held_out))
    print(
        f"C = {penalty}: ROC-AUC by ten folds on {len(same)} pairs {within:.3f}, "
        f"on {len(held_out_same)} held-out pairs {beyond:.3f}"
    )
    if penalty == PENALTY:
        weights = model[-1].coef_[0] / model[0].scale_
        intercept = model[-1].intercept_[0] - (weights * model[0].mean_).sum()
for name, weight in zip(names, weights):
    print(f'    ("{name}", {weight:.2f}, |m| m.{name}),')
print(f"INTERCEPT: {intercept:.2f}")
