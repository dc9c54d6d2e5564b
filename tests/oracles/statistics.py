"""Golden figures for parallax's statistics, from scipy and statsmodels.

Run once and commit what it prints:

    python tests/oracles/statistics.py > tests/golden/statistics.json

Needs numpy, scipy and statsmodels (made with numpy 2.4, scipy 1.17, statsmodels 0.15).
The corpora are invented numbers: for each article, the sentences that carry a label and
the sentences it has.
"""

import itertools
import json

import numpy as np
import statsmodels.api as sm
from scipy import stats

rng = np.random.default_rng(20310506)


def corpus(articles, a, b):
    """Articles whose sentences resemble each other: an article's share is Beta(a, b)."""
    x = rng.integers(4, 40, articles)
    y = rng.binomial(x, rng.beta(a, b, articles))
    return y, x


def sentences(y, x):
    """One row a sentence: does it carry the label, and which article is it of."""
    label = np.concatenate([np.r_[np.ones(k), np.zeros(n - k)] for k, n in zip(y, x)])
    return label, np.repeat(np.arange(len(x)), x)


def clustered(y, x):
    """Mean and cluster-robust (linearised, CR1) standard error over articles."""
    label, article = sentences(y, x)
    fit = sm.OLS(label, np.ones_like(label)).fit(
        cov_type="cluster", cov_kwds={"groups": article}, use_t=True
    )
    naive = sm.OLS(label, np.ones_like(label)).fit()
    low, high = fit.conf_int()[0]
    return {
        "share": float(y.sum() / x.sum()),
        "mean": float(fit.params[0]),
        "se": float(fit.bse[0]),
        "naive_se": float(naive.bse[0]),
        "t_interval": [float(low), float(high)],
    }


def expanded_level(n, level=0.95):
    """Hesterberg (2015, section 4.1): the level whose percentile interval is expanded."""
    tail = stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - level) / 2, n - 1))
    return 1 - 2 * tail


def scipy_bootstrap(y, x):
    """The ratio's percentile interval at the expanded level, articles resampled in pairs."""
    ratio = lambda y, x, axis=-1: y.sum(axis=axis) / x.sum(axis=axis)
    result = stats.bootstrap(
        (y, x), ratio, paired=True, vectorized=True, method="percentile", n_resamples=200_000,
        batch=2000, confidence_level=expanded_level(len(x)), rng=np.random.default_rng(1),
    )
    ci = result.confidence_interval
    return {"interval": [float(ci.low), float(ci.high)], "se": float(result.standard_error)}


def numpy_difference(a, b):
    """Likewise for the difference between two outlets, by numpy alone; its clustered
    standard error by statsmodels."""
    (ya, xa), (yb, xb) = a, b
    n = min(len(xa), len(xb))
    gen = np.random.default_rng(2)

    def replicates(y, x):
        out = []
        for _ in range(100):
            drawn = gen.integers(0, len(x), (2000, len(x)))
            out.append(y[drawn].sum(1) / x[drawn].sum(1))
        return np.concatenate(out)

    d = replicates(ya, xa) - replicates(yb, xb)
    level = expanded_level(n)
    low, high = np.quantile(d, [(1 - level) / 2, (1 + level) / 2])
    label, article = sentences(np.r_[ya, yb], np.r_[xa, xb])
    outlet = np.repeat([1.0, 0.0], [xa.sum(), xb.sum()])
    fit = sm.OLS(label, sm.add_constant(outlet)).fit(
        cov_type="cluster", cov_kwds={"groups": article}
    )
    return {
        "difference": float(ya.sum() / xa.sum() - yb.sum() / xb.sum()),
        "coefficient": float(fit.params[1]),
        "se": float(fit.bse[1]),
        "interval": [float(low), float(high)],
    }


def exact_permutation(a, b):
    """The two-sided p-value over every way of dealing the articles out."""
    y = np.r_[a[0], b[0]]
    x = np.r_[a[1], b[1]]
    k = len(a[0])

    def distance(chosen):
        mask = np.zeros(len(y), bool)
        mask[list(chosen)] = True
        return abs(y[mask].sum() / x[mask].sum() - y[~mask].sum() / x[~mask].sum())

    observed = distance(range(k))
    ways = list(itertools.combinations(range(len(y)), k))
    return sum(distance(c) >= observed - 1e-12 for c in ways) / len(ways), len(ways)


def lists(*arrays):
    return [[int(v) for v in array] for array in arrays]


groups = []
for articles, a, b in [(12, 1.0, 3.0), (60, 1.5, 4.0), (300, 0.6, 6.0)]:
    y, x = corpus(articles, a, b)
    groups.append(
        {"y": lists(y)[0], "x": lists(x)[0], "clustered": clustered(y, x),
         "bootstrap": scipy_bootstrap(y, x)}
    )

pair = corpus(60, 1.5, 4.0), corpus(45, 2.5, 4.0)
tiny = []
for shift in (1.5, 3.0, 6.0):
    a, b = corpus(5, 1.5, 3.0), corpus(6, shift, 3.0)
    p, ways = exact_permutation(a, b)
    tiny.append({"a": lists(*a), "b": lists(*b), "p": p, "ways": ways})

p = np.r_[rng.uniform(size=30), rng.beta(0.2, 8.0, 15), 0.05, 0.05, 1.0]
golden = {
    "groups": groups,
    "pair": {"a": lists(*pair[0]), "b": lists(*pair[1]), **numpy_difference(*pair)},
    "tiny": tiny,
    "benjamini_hochberg": {
        "p": p.tolist(),
        "q": stats.false_discovery_control(p, method="bh").tolist(),
    },
}
print(json.dumps(golden, indent=None, separators=(",", ":")))
