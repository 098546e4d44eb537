"""From the joint uncertainty of scores to composites, ranks, best items and the ceiling for any model."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.typing import FloatArray, RandomSeed


def composite_scores(
    fusion: Fusion,
    weights: Mapping[str, float] | None = None,
    *,
    interval_prob: float | None = None,
    random_seed: RandomSeed = 0,
) -> pd.DataFrame:
    """Weigh the dimensions to one score per item, with an interval that knows how their errors go together.

    Parameters
    ----------
    fusion
        A fusion with intervals.
    weights
        Weight of each dimension, made to sum to 1; None weighs all alike. Dimensions that are not named have weight 0.
    interval_prob
        Probability of the intervals; None takes the fusion's.
    random_seed
        Seed, for fusions whose uncertainty is no set of draws.

    Returns
    -------
    DataFrame
        One row per category and item that every weighted dimension scores: ``category, item, score, sd, lower, upper,
        rank``.

    Raises
    ------
    ArgumentError
        If a weight is negative or names no dimension, all are 0, or the fusion has no intervals.

    Notes
    -----
    Raters who like an item in one dimension tend to like it in others (halo), so that errors add up: intervals of the
    dimensions, averaged, would be too narrow.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> ps.composite_scores(fusion, {"overall": 2, "mood": 1}).columns.tolist()
    ['category', 'item', 'score', 'sd', 'lower', 'upper', 'rank']
    """
    _check_intervals(fusion)
    prob = fusion.settings["interval_prob"] if interval_prob is None else interval_prob
    check_probability("interval_prob", prob)
    shares = _normalise(fusion, weights)
    wanted = [dimension for dimension, share in shares.items() if share > 0]
    draws = fusion.sample_scores(2000, random_seed=random_seed) if fusion.spread.draws is None else fusion.spread.draws
    rows = fusion.scores.reset_index(drop=True)
    rows = rows[rows[DIMENSION].isin(wanted)]
    found = []
    for (category, item), group in rows.groupby([CATEGORY, ITEM], sort=False):
        if len(group) < len(wanted):
            continue
        share = group[DIMENSION].map(shares).to_numpy(float)
        values = draws[:, group.index.to_numpy()] @ share
        lower, upper = np.quantile(values, [(1 - prob) / 2, (1 + prob) / 2])
        score = float(group["score"].to_numpy() @ share)
        found.append((category, item, score, float(values.std(ddof=1)), float(lower), float(upper)))
    frame = pd.DataFrame(found, columns=[CATEGORY, ITEM, "score", "sd", "lower", "upper"])
    frame["rank"] = frame.groupby(CATEGORY, sort=False)["score"].rank(ascending=False, method="min").astype(int)
    return frame


def rank_probabilities(fusion: Fusion, *, category: str, dimension: str, random_seed: RandomSeed = 0) -> pd.DataFrame:
    """Probability of each rank for each item of one category and dimension.

    Parameters
    ----------
    fusion
        A fusion with intervals.
    category, dimension
        Names.
    random_seed
        Seed, for fusions whose uncertainty is no set of draws.

    Returns
    -------
    DataFrame
        Shape (items, ranks): rows are items, best expected rank first, columns are ranks from 1; rows and columns sum
        to 1.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> ranks = ps.rank_probabilities(fusion, category="flower-and-bird", dimension="mood")
    >>> ranks.shape
    (8, 8)
    >>> bool(np.allclose(ranks.sum(axis=1), 1))
    True
    """
    items, draws = _cell_draws(fusion, category, dimension, random_seed)
    ranks = (-draws).argsort(axis=1).argsort(axis=1)
    n = len(items)
    counts = np.stack([np.bincount(ranks[:, i], minlength=n) for i in range(n)]) / len(draws)
    frame = pd.DataFrame(counts, index=pd.Index(items, name=ITEM), columns=pd.RangeIndex(1, n + 1, name="rank"))
    return frame.iloc[np.argsort(ranks.mean(axis=0), kind="stable")]


def top_k_probabilities(
    fusion: Fusion, k: int, *, category: str, dimension: str, random_seed: RandomSeed = 0
) -> pd.Series:
    """Probability that each item of one category and dimension is among the best ``k``, most likely first.

    Parameters
    ----------
    fusion
        A fusion with intervals.
    k
        How many.
    category, dimension
        Names.
    random_seed
        Seed, for fusions whose uncertainty is no set of draws.

    Returns
    -------
    Series
        Probabilities by item; they sum to ``k``.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> best = ps.top_k_probabilities(fusion, 3, category="flower-and-bird", dimension="mood")
    >>> round(float(best.sum()), 6)
    3.0
    """
    table = rank_probabilities(fusion, category=category, dimension=dimension, random_seed=random_seed)
    check_count("k", k, 1)
    if k > len(table):
        raise ArgumentError(f"k={k} is more than the {len(table)} items of the cell")
    return table.iloc[:, :k].sum(axis=1).sort_values(ascending=False, kind="stable").rename("probability")


def noise_ceiling(fusion: Fusion, *, random_seed: RandomSeed = 0) -> pd.DataFrame:
    """Rank correlation with the fused scores that a model without error can expect to reach.

    Parameters
    ----------
    fusion
        A fusion with intervals.
    random_seed
        Seed, for fusions whose uncertainty is no set of draws.

    Returns
    -------
    DataFrame
        One row per category and dimension: ``category, dimension, estimate, lower, upper``, with the fusion's interval
        probability.

    Notes
    -----
    A model that knew the true scores would be compared with the fused ones. Each joint draw is a set of true scores
    that the judgments allow; the ceiling is the distribution of its Spearman correlation with the fused scores.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> ceiling = ps.noise_ceiling(fusion)
    >>> ceiling["dimension"].tolist()
    ['mood', 'overall']
    """
    from scipy.stats import rankdata

    _check_intervals(fusion)
    prob = fusion.settings["interval_prob"]
    rows = []
    for category, dimension in fusion.scores[[CATEGORY, DIMENSION]].drop_duplicates().itertuples(index=False):
        items, draws = _cell_draws(fusion, category, dimension, random_seed)
        if len(items) < 3:
            rows.append((category, dimension, np.nan, np.nan, np.nan))
            continue
        cell = fusion.scores[(fusion.scores[CATEGORY] == category) & (fusion.scores[DIMENSION] == dimension)]
        fused = rankdata(cell["score"].to_numpy())
        ranks = rankdata(draws, axis=1)
        fused, ranks = fused - fused.mean(), ranks - ranks.mean(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = ranks @ fused / (np.linalg.norm(ranks, axis=1) * np.linalg.norm(fused))
        lower, upper = np.nanquantile(values, [(1 - prob) / 2, (1 + prob) / 2])
        rows.append((category, dimension, float(np.nanmean(values)), float(lower), float(upper)))
    return pd.DataFrame(rows, columns=[CATEGORY, DIMENSION, "estimate", "lower", "upper"])


def _check_intervals(fusion: Fusion) -> None:
    if fusion.settings["interval_kind"] == "none":
        raise ArgumentError("this needs the scores' uncertainty; fuse with an interval other than 'none'")


def _normalise(fusion: Fusion, weights: Mapping[str, float] | None) -> dict[str, float]:
    known = fusion.scores[DIMENSION].unique().tolist()
    if weights is None:
        return dict.fromkeys(known, 1 / len(known))
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise ArgumentError(f"weights name {unknown}, and the fusion's dimensions are {known}")
    bad = {name: value for name, value in weights.items() if not (np.isfinite(value) and value >= 0)}
    if bad or not sum(weights.values()) > 0:
        raise ArgumentError(f"weights must be finite, at least 0, and not all 0: {bad or dict(weights)}")
    total = float(sum(weights.values()))
    return {name: float(value) / total for name, value in weights.items()}


def _cell_draws(fusion: Fusion, category: str, dimension: str, seed: RandomSeed) -> tuple[list[str], FloatArray]:
    _check_intervals(fusion)
    fusion.select(category=category, dimension=dimension)  # refuses unknown names
    rows = fusion.scores.reset_index(drop=True)
    inside = rows.index[(rows[CATEGORY] == category) & (rows[DIMENSION] == dimension)].to_numpy()
    if not len(inside):
        raise ArgumentError(f"the fusion has no scores of category {category!r} in dimension {dimension!r}")
    draws = fusion.sample_scores(2000, random_seed=seed) if fusion.spread.draws is None else fusion.spread.draws
    return rows.loc[inside, ITEM].tolist(), draws[:, inside]
