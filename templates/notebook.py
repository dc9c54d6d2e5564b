The cells of the notebook that `parallax export notebook` writes.
# %% md
# # Outlets side by side
#
# Made by `parallax export notebook`. It loads the tables of a scored folder, counts the
# shares anew and redraws the main charts of the report. It needs pandas, pyarrow and
# matplotlib.
#
# The labels are a model's and err; an interval comes from resampling whole articles and
# does not cover the model's errors. Read the sentences before relying on a figure.
# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

# The folder with the tables; a relative path is meant as seen from this notebook.
DIR = Path(__DIR__)

sentences = pd.read_parquet(DIR / "sentences.parquet")
articles = pd.read_parquet(DIR / "articles.parquet")
profiles = pd.read_parquet(DIR / "profiles.parquet")
contrasts = pd.read_parquet(DIR / "contrasts.parquet")

scored = sentences[sentences["role"] != "boilerplate"]
print(f"{len(articles)} articles, {len(scored)} scored sentences, "
      f"{scored['outlet'].nunique()} outlets")
scored.groupby("outlet").agg(articles=("article_id", "nunique"), sentences=("text", "size"))
# %% md
# ## The shares, counted anew
#
# A layer is a column of `sentences.parquet`: one label for a sentence, or a list of
# labels. The share of a label is the number of sentences that have it by the number of
# scored sentences. These shares must equal those in `profiles.parquet`.
# %%
overall = profiles[profiles["event"].isna() & profiles["period"].isna()]
labels = overall[["layer", "label"]].drop_duplicates()

# A run may leave near-duplicate articles out of its profiles.
counted = overall.groupby("outlet")["n_sentences"].first()
if not counted.eq(scored.groupby("outlet").size()).all():
    scored = scored[scored["duplicate_group"] == scored["article_id"]]


def has_label(given, label):
    if given is None or (isinstance(given, float) and np.isnan(given)):
        return False
    return given == label if isinstance(given, str) else label in list(given)


recounted = pd.concat(
    [
        scored[layer]
        .map(lambda given: has_label(given, label))
        .groupby(scored["outlet"])
        .mean()
        .rename("recounted")
        .reset_index()
        .assign(layer=layer, label=label)
        for layer, label in labels.itertuples(index=False)
    ]
)
compared = overall.merge(recounted, on=["outlet", "layer", "label"], how="left")
assert len(compared) == len(overall)
np.testing.assert_allclose(compared["recounted"], compared["share"], atol=1e-9)
print(f"all {len(compared)} shares agree")
# %% md
# ## The profile of each outlet
# %%
LAYER = overall["layer"].iloc[0]

MARKERS = "osD^vPX*<>"
COLOURS = ["#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]


def draw(rows, across, zero=None, title=""):
    """One row a label or target, one point with its interval an outlet."""
    names = list(dict.fromkeys(rows[across]))
    outlets = sorted(rows["outlet"].unique())
    fig, ax = plt.subplots(figsize=(8, 0.8 + len(names) * (0.25 + 0.14 * len(outlets))))
    for i, outlet in enumerate(outlets):
        part = rows[rows["outlet"] == outlet].set_index(across).reindex(names)
        y = np.arange(len(names)) + (i - (len(outlets) - 1) / 2) * 0.8 / max(len(outlets), 1)
        low = (part["share"] - part["low"]).clip(lower=0).to_numpy(dtype=float)
        high = (part["high"] - part["share"]).clip(lower=0).to_numpy(dtype=float)
        ax.errorbar(
            part["share"].to_numpy(dtype=float), y, xerr=np.nan_to_num([low, high]),
            fmt=MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)],
            markersize=5, capsize=2, linewidth=1, label=outlet,
        )
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    if zero is not None:
        ax.axvline(zero, color="0.6", linewidth=0.8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_title(title, loc="left")
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    plt.show()


draw(overall[overall["layer"] == LAYER], "label",
     title=f"{LAYER}: observed share of sentences, interval where there is one")
overall[overall["layer"] == LAYER].pivot(index="label", columns="outlet", values="share").round(3)
# %% md
# ## Differences between outlets
#
# `q` is the p-value of the permutation test, corrected for all comparisons of the run.
# Empty where an outlet has too few articles.
# %%
contrasts.reindex(contrasts["difference"].abs().sort_values(ascending=False).index).head(20)
# %% md
# ## Mean stance by target
# %%
if (DIR / "target_profiles.parquet").exists():
    stance = pd.read_parquet(DIR / "target_profiles.parquet")
    means = stance[stance["label"] == "mean"].dropna(subset=["share"])
    for layer, rows in means.groupby("layer"):
        draw(rows, "target", zero=0, title=f"mean {layer}, from -1 to +1")
    print(means.pivot_table(index="target", columns="outlet", values="share").round(2).to_string())
else:
    print("this folder has no targets")
# %% md
# ## The same claim in every outlet's words
#
# A group holds sentences of different outlets that report one claim or quote one utterance;
# `contested` says on which side of a contested claim a sentence stands.
# %%
if (DIR / "alignments.parquet").exists():
    aligned = pd.read_parquet(DIR / "alignments.parquet").merge(
        sentences[["article_id", "sentence_index", "text", LAYER]],
        on=["article_id", "sentence_index"], how="left", validate="many_to_one",
    )
    by_group = aligned.groupby("group").agg(
        outlets=("outlet", "nunique"), contested=("contested", lambda c: c.notna().any())
    )
    print(f"{len(by_group)} claims and quotations in more than one outlet, "
          f"{by_group['contested'].sum()} contested")
    first = by_group.sort_values(["contested", "outlets"], ascending=False).head(8).index
    with pd.option_context("display.max_colwidth", None):
        for group in first:
            print(f"group {group}")
            display(aligned.loc[aligned["group"] == group, ["outlet", LAYER, "text"]])
else:
    print("this folder has no alignments")
# %% md
# ## Words that set outlets apart
#
# Weighted log-odds with an informative prior (Monroe, Colaresi and Quinn 2008).
# %%
if (DIR / "words.parquet").exists():
    words = pd.read_parquet(DIR / "words.parquet")
    overall_words = words[words["label"].isna() & words["target"].isna() & words["against"].isna()]
    top = overall_words[overall_words["z"] > 0].sort_values("z", ascending=False)
    columns = ["outlet", "term", "log_odds", "z", "count", "count_rest", "n_articles"]
    display(top.groupby("outlet").head(10).sort_values(["outlet", "z"], ascending=[True, False])[columns])
else:
    print("words were not counted for this folder")
# %% md
# ## The sentences of a label
#
# Those of which the model is surest come first. Set `LAYER` and `LABEL` to what you want
# to read.
# %%
LABEL = overall[overall["layer"] == LAYER].sort_values("share")["label"].iloc[-1]

chosen = scored[scored[LAYER].map(lambda given: has_label(given, LABEL))]
chosen = chosen.merge(articles[["article_id", "title"]], on="article_id", how="left")
columns = ["outlet", "date", "title", "text", f"{LAYER}_p_{LABEL}"]
with pd.option_context("display.max_colwidth", None):
    display(chosen.sort_values(f"{LAYER}_p_{LABEL}", ascending=False)[columns].head(10))
