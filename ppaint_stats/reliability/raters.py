"""The table of raters: how each of them differs from the others, by protocol and cell."""

import numpy as np
import pandas as pd

from ppaint_stats.columns import RATER, RATING
from ppaint_stats.errors import DataError
from ppaint_stats.kernels.additive import fit_additive
from ppaint_stats.kernels.agreement import Level, weighted_alpha
from ppaint_stats.kernels.rank_agreement import kendall_w_from_moments, rank_moments, weighted_midranks
from ppaint_stats.kernels.signs import average_pairs, describe_agreement
from ppaint_stats.reliability.habits import rater_habits
from ppaint_stats.reliability.outliers import MIN_ITEMS, score_outliers
from ppaint_stats.reliability.ratings import leave_one_rater_out
from ppaint_stats.reliability.study_cells import PREFERENCES, RATINGS, Options, StudyCell
from ppaint_stats.reliability.triads import circular_triads
from ppaint_stats.seeds import split_seed
from ppaint_stats.typing import FloatArray

RATER_BOOT = 500
"""Replicates of the intervals in this table, at most."""

COLUMNS = (
    "category", "dimension", "protocol", "rater", "n_judgments", "leave_one_out", "leave_one_out_lower",
    "leave_one_out_upper", "influence_alpha", "influence_w", "severity", "severity_se", "tie_rate", "first_rate",
    "first_lower", "first_upper", "n_repeated", "self_agreement", "self_alpha", "circular_triads", "zeta",
    "transitivity", "mean_correlation", "expected_correlation", "outlier_probability", "reason",
)  # fmt: skip

FLAG = 0.05
"""About the chance of naming any rater of a cell as an outlier where all are alike."""

FLAG_SHARE = 2 / 3
"""An outlier also agrees with the others less than this share of what they do: many items show tiny differences."""


def tabulate_raters(cell: StudyCell, options: Options) -> list[dict[str, object]]:
    """Describe each rater of a cell, in a row for each protocol.

    Parameters
    ----------
    cell, options
        The judgments, and the intervals that are wanted.

    Returns
    -------
    list of dict
        With the keys of `COLUMNS`.

    Notes
    -----
    - ``leave_one_out``: Spearman correlation with the mean of the others (ratings, or midranks of derived scores).
    - ``influence_alpha``, ``influence_w``: Krippendorff's alpha (of preferences alpha_sym) and Kendall's W without the
      rater minus with all; above 0 the others agree better without this rater. W is that of a panel of the same size,
      since W itself rises as raters leave.
    - ``severity``: how far the rater's ratings stay below the item means, positive for strict raters, in units of the
      scale (missing ratings: in the additive model of items and raters), with its standard error.
    - ``tie_rate``, ``first_rate``: share of ties; share of decisions for the item shown first, with Wilson's interval.
    - ``n_repeated``, ``self_agreement``, ``self_alpha``: items or pairs that the rater judged again; share of trials
      with the same judgment; agreement of the rater with themself, corrected for chance like that between raters.
    - ``outlier_probability``: see :func:`ppaint_stats.reliability.outliers.score_outliers`.
    """
    rows = _describe_ratings(cell, options) if cell.matrix is not None else []
    return rows + _describe_preferences(cell, options)


def _describe_ratings(cell: StudyCell, options: Options) -> list[dict[str, object]]:
    if cell.matrix is None:
        return []
    values, level = cell.matrix.values, options.levels[0]
    ones = np.ones((1, values.shape[1]), dtype=np.int64)
    alpha = _without_each(values, level)
    whole = float(weighted_alpha(values, ones, None, level=level)[0])
    severity, error = measure_severity(values)
    common = _compare_orders(cell, values, values, options)
    repeats = _repeat_ratings(cell, level)
    rows = []
    for r, rater in enumerate(cell.matrix.raters):
        again = repeats.get(rater, {"n_repeated": 0, "self_agreement": np.nan, "self_alpha": np.nan})
        reasons = [str(common[r].pop("reason"))]
        if np.isnan(alpha[r] - whole):
            reasons.append("alpha is undefined without this rater")
        if not again["n_repeated"]:
            reasons.append("no item was rated twice")
        rows.append(
            cell.key
            | {"protocol": RATINGS, "rater": rater, "n_judgments": int(cell.matrix.present[r].sum())}
            | common[r]
            | {"influence_alpha": alpha[r] - whole, "severity": severity[r], "severity_se": error[r]}
            | again
            | {"reason": "; ".join(filter(None, reasons))}
        )
    return rows


def _describe_preferences(cell: StudyCell, options: Options) -> list[dict[str, object]]:
    if cell.compared is None or cell.compared.signs is None or cell.study.preferences is None:
        return []
    signs = cell.compared.signs
    scores = cell.derived_scores()
    known = ~np.isnan(scores)
    ranks = np.where(known, weighted_midranks(scores, known.astype(float)), np.nan)
    habits = rater_habits(cell.study.preferences, interval_prob=options.interval_prob)
    triads = circular_triads(cell.study.preferences)
    m = signs.n_raters
    weights = np.concatenate([np.ones((1, m), dtype=np.int64), 1 - np.eye(m, dtype=np.int64)])
    alpha = describe_agreement(average_pairs(signs, np.ones((m + 1, signs.n_items), dtype=np.int64), weights))
    influence = alpha["alpha_sym"][1:] - alpha["alpha_sym"][0]
    common = _compare_orders(cell, scores, ranks, options)
    rows = []
    for r, rater in enumerate(cell.compared.raters):
        habit, triad = habits.iloc[r], triads.iloc[r]
        reasons = [str(common[r].pop("reason"))]
        if np.isnan(influence[r]):
            reasons.append("alpha_sym is undefined without this rater")
        reasons += [str(habit["reason"]), str(triad["reason"])]
        kept = ("n_judgments", "tie_rate", "first_rate", "first_lower", "first_upper", "n_repeated", "self_agreement")
        rows.append(
            cell.key
            | {"protocol": PREFERENCES, "rater": rater}
            | common[r]
            | {name: habit[name] for name in (*kept, "self_alpha")}
            | {"circular_triads": triad["triads"], "zeta": triad["zeta"], "transitivity": triad["transitivity"]}
            | {"influence_alpha": influence[r], "reason": "; ".join(filter(None, reasons))}
        )
    return rows


def measure_severity(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far each rater stays below the item means, and its standard error; nan where it is undefined.

    Positive is strict, as in fusions and in the simulator.

    Examples
    --------
    >>> measure_severity(np.array([[1.0, 2, 3], [2, 3, 5]]))[0].round(3).tolist()
    [0.667, -0.667]
    """
    present = ~np.isnan(values)
    rater, item = np.nonzero(present)
    fit = fit_additive(item, rater, values[present], np.ones(len(rater)), values.shape[1], len(values))
    residual = np.where(present, values - fit.item - fit.severity[:, None], 0.0)
    n = present.sum(axis=1)
    centre = residual.sum(axis=1) / np.maximum(n, 1)
    squares = (np.where(present, residual - centre[:, None], 0.0) ** 2).sum(axis=1)
    error = np.sqrt(np.divide(squares, n * (n - 1), out=np.full(len(n), np.nan), where=n > 1))
    if len(values) < 2:
        return np.full(len(n), np.nan), np.full(len(n), np.nan)
    return -fit.severity, error  # the kernel adds a rater's effect, so that its sign is that of mildness


def find_outliers(raters: pd.DataFrame) -> pd.DataFrame:
    """Rows of raters whose outlier probability is too high for a panel of their size, and who agree clearly less."""
    size = raters.groupby(["category", "dimension", "protocol"])[RATER].transform("size")
    rare = raters["outlier_probability"] > 1 - FLAG / size
    return raters[rare & (raters["mean_correlation"] < FLAG_SHARE * raters["expected_correlation"])]


def _compare_orders(
    cell: StudyCell, scores: FloatArray, means: FloatArray, options: Options
) -> list[dict[str, object]]:
    """Place of each rater's order among the others': ``means`` are what may be averaged over raters."""
    m = len(scores)
    seeds = split_seed(cell.seed, 6)[4:]
    table = leave_one_rater_out(
        means,
        n_boot=min(options.n_boot, RATER_BOOT),
        random_seed=seeds[0],
        interval_prob=options.interval_prob,
        resample=options.resample,
    )
    w = _influence_w(scores)
    intervals = table[["srcc", "lower", "upper"]].to_numpy(dtype=float)
    own, expected, probability, why = score_outliers(scores, np.random.default_rng(seeds[1]))
    rows = []
    for r in range(m):
        srcc, lower, upper = intervals[r]
        reasons = [str(table["reason"].iloc[r])]
        if np.isnan(lower) and not np.isnan(srcc) and not options.n_boot:
            reasons.append("no intervals: n_boot=0")
        if np.isnan(w[r]):
            reasons.append("W is undefined without this rater")
        if np.isnan(probability[r]):
            few = int((~np.isnan(scores[r])).sum()) < MIN_ITEMS
            short = f"the outlier probability needs {MIN_ITEMS} items of the rater" if few else ""
            reasons.append(why or short or "no outlier probability: rank correlations are undefined or do not vary")
        rows.append(
            {
                "leave_one_out": srcc,
                "leave_one_out_lower": lower,
                "leave_one_out_upper": upper,
                "influence_w": w[r],
                "mean_correlation": own[r],
                "expected_correlation": expected[r],
                "outlier_probability": probability[r],
                "reason": "; ".join(filter(None, reasons)),
            }
        )
    return rows


def _influence_w(scores: FloatArray) -> FloatArray:
    """Kendall's W without each rater minus with all, both for as many raters as there are."""
    m, n_items = scores.shape
    if m < 2 or n_items < 2:
        return np.full(m, np.nan)
    moments = rank_moments(scores, np.ones((1, n_items)))
    weights = np.concatenate([np.ones((1, m)), 1 - np.eye(m)])
    w = np.array([kendall_w_from_moments(moments, row[None], m, tie_corrected=True)[0] for row in weights])
    return np.asarray(w[1:] - w[0])


def _without_each(values: FloatArray, level: Level) -> FloatArray:
    ones = np.ones((1, values.shape[1]), dtype=np.int64)
    kind: Level = level
    return np.array(
        [float(weighted_alpha(np.delete(values, r, 0), ones, None, level=kind)[0]) for r in range(len(values))]
    )


def _repeat_ratings(cell: StudyCell, level: Level) -> dict[str, dict[str, object]]:
    """Self-consistency of each rater who rated items again: trials take the place of raters."""
    found: dict[str, dict[str, object]] = {}
    if cell.repeats.empty:
        return found
    for rater, rows in cell.repeats.groupby(RATER, sort=False):
        item, names = pd.factorize(rows["item"])
        trial = rows.groupby("item").cumcount().to_numpy()
        values = np.full((int(trial.max()) + 1, len(names)), np.nan)
        values[trial, item] = rows[RATING].to_numpy(float)
        n = (~np.isnan(values)).sum(axis=0)
        same = [(np.unique(column[~np.isnan(column)], return_counts=True)[1] * 1.0) for column in values.T]
        pairs = [float((k * (k - 1)).sum()) / (total * (total - 1)) for k, total in zip(same, n, strict=True)]
        ones = np.ones((1, len(names)), dtype=np.int64)
        alpha = float(weighted_alpha(values, ones, None, level=level)[0])
        found[str(rater)] = {"n_repeated": len(names), "self_agreement": float(np.mean(pairs)), "self_alpha": alpha}
    return found


def collect_raters(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Put the rows of all cells together, with every column."""
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    strange = [name for name in rows[0] if name not in COLUMNS]
    if strange:
        raise DataError(f"columns {strange} are not in the table of raters")
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))
