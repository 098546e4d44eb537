"""Scores of items from one rater's comparisons alone."""

import numpy as np

from ppaint_stats.kernels.davidson import PairCounts, outcome_probabilities
from ppaint_stats.kernels.newton import fit_maximum_likelihood
from ppaint_stats.kernels.signs import SignTable
from ppaint_stats.typing import FloatArray, IntArray

PENALTY = 0.005
"""Weight of the penalty on strengths: a normal prior with standard deviation 14, so weak that it does little but keep
strengths finite. Stronger ones shrink just the slow trend along which a locally dense design pairs its items."""

DENSE_LIMIT = 200
"""Items up to which all raters are fitted at once with dense matrices; beyond, one after the other with sparse ones."""

MAX_ITER = 60


def derive_scores(table: SignTable, *, penalty: float = PENALTY) -> FloatArray:
    """Fit Davidson's model to each rater's comparisons alone, with a weak penalty.

    Parameters
    ----------
    table
        Comparisons by rater and item pair.
    penalty
        Subtracts ``penalty / 2 * sum(strength**2)`` from the log-likelihood.

    Returns
    -------
    array
        Shape (raters, items): log-worths around 0; nan for items that the rater did not compare. Zero throughout for
        a rater who called everything a tie.
    """
    compared = np.zeros((table.n_raters, table.n_items), dtype=np.bool_)
    rater, pair = np.nonzero(table.judged)
    compared[rater, table.a[pair]] = compared[rater, table.b[pair]] = True
    decides = np.flatnonzero((table.decided > 0).any(axis=1))
    scores = np.zeros(compared.shape)
    if table.n_items <= DENSE_LIMIT:
        if len(decides):
            scores[decides] = _fit_dense(table, decides, penalty)
    else:
        for code in decides:
            nothing = np.zeros(table.n_items, dtype=np.int64)
            fit = fit_maximum_likelihood(
                rater_counts(table, int(code)), nothing, penalty=penalty, standard_errors=False
            )
            scores[code] = fit.strength
    # Newton stops at about 1e-5 standard errors: what differs by less is a tie that rounding broke.
    return np.where(compared, np.round(scores, 6), np.nan)


def _fit_dense(table: SignTable, raters: IntArray, penalty: float) -> FloatArray:
    """Newton's method for all raters at once, log nu of each rater included, steps halved until they improve."""
    a, b = table.a, table.b
    n, sign = table.count[raters], table.count[raters] * table.sign[raters]
    ties = n * (1 - table.decided[raters])
    tied = ties.sum(axis=1)
    some = tied > 1e-9
    with np.errstate(divide="ignore"):
        log_nu = np.where(some, np.log(2 * tied / (n.sum(axis=1) - tied)), -np.inf)
    x = np.zeros((len(raters), table.n_items))

    def value(x: FloatArray, log_nu: FloatArray) -> FloatArray:
        d = x[:, a] - x[:, b]
        size = np.abs(d) / 2
        log_z = size + np.log1p(np.exp(-2 * size) + np.exp(log_nu[:, None] - size))
        loglik = (sign * d / 2 - n * log_z).sum(axis=1) + np.where(some, tied * np.where(some, log_nu, 0.0), 0.0)
        return np.asarray(loglik - penalty / 2 * (x * x).sum(axis=1))

    now = value(x, log_nu)
    for _ in range(MAX_ITER):
        p_a, p_tie, p_b = outcome_probabilities(x[:, a] - x[:, b], log_nu[:, None])
        lean = (p_a - p_b) / 2
        slope = _scatter(table, sign / 2 - n * lean) - penalty * x
        border = _scatter(table, -n * lean * p_tie)
        solved = np.linalg.solve(
            _information(table, n * ((p_a + p_b) / 4 - lean**2), penalty), np.stack([slope, border], axis=2)
        )
        corner = (n * p_tie * (1 - p_tie)).sum(axis=1) - (border * solved[:, :, 1]).sum(axis=1)
        gain = (ties - n * p_tie).sum(axis=1) - (border * solved[:, :, 0]).sum(axis=1)
        move_nu = np.where(some, gain / np.where(some, corner, 1.0), 0.0)
        move = solved[:, :, 0] - solved[:, :, 1] * move_nu[:, None]
        decrement = (slope * move).sum(axis=1) + np.where(some, (ties - n * p_tie).sum(axis=1) * move_nu, 0.0)
        size = np.ones(len(raters))
        for _ in range(30):
            trial_x = x + size[:, None] * move
            trial_nu = np.where(some, log_nu + size * move_nu, log_nu)
            then = value(trial_x, trial_nu)
            worse = then < now - 1e-12 * np.abs(now)
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        x, log_nu, now = trial_x, trial_nu, then
        if (decrement < 1e-9).all():
            break
    return x


def _scatter(table: SignTable, values: FloatArray) -> FloatArray:
    """Sum values of pairs, shape (raters, pairs), into their first items and take them from their second ones."""
    out = np.zeros((len(values), table.n_items))
    for row, found in enumerate(values):
        out[row] += np.bincount(table.a, weights=found, minlength=table.n_items)
        out[row] -= np.bincount(table.b, weights=found, minlength=table.n_items)
    return out


def _information(table: SignTable, weight: FloatArray, penalty: float) -> FloatArray:
    """Weighted Laplacians with the penalty on their diagonals, shape (raters, items, items)."""
    matrix = np.zeros((len(weight), table.n_items, table.n_items))
    matrix[:, table.a, table.b] = matrix[:, table.b, table.a] = -weight
    index = np.arange(table.n_items)
    matrix[:, index, index] = penalty - matrix.sum(axis=2)
    return matrix


def rater_counts(table: SignTable, rater: int) -> PairCounts:
    """Count one rater's outcomes by pair."""
    seen = table.count[rater] > 0
    count, sign, decided = (x[rater, seen] for x in (table.count, table.sign, table.decided))
    wins = [count * np.maximum(decided + turn * sign, 0) / 2 for turn in (1, -1)]
    return PairCounts(table.a[seen], table.b[seen], wins[0], count * (1 - decided), wins[1], table.n_items)


def separate_items(counts: PairCounts, *, tol: float = 1e-4, max_iter: int = 50) -> tuple[float, float]:
    r"""Reliability of strengths as the share of their spread that comparisons determine, and that spread.

    Parameters
    ----------
    counts
        Outcomes of all raters by pair.
    tol, max_iter
        When the spread counts as settled, relative, and after how many fits to stop in any case.

    Returns
    -------
    reliability, spread
        :math:`\gamma / (n - 1)` and the standard deviation tau of strengths; (0, 0) where all of it is noise.

    Notes
    -----
    Strengths have a normal prior whose spread tau is estimated by MacKay's fixed point: with posterior variances
    :math:`v_i`, :math:`\gamma = \sum_i (1 - v_i / \tau^2)`, :math:`\tau^2 = \sum_i \hat\theta_i^2 / \gamma`.
    """
    n = counts.n_items
    spread2, reliability = 1.0, 0.0
    for _ in range(max_iter):
        fit = fit_maximum_likelihood(counts, np.zeros(n, dtype=np.int64), penalty=1 / spread2)
        known = float((1 - fit.strength_se**2 / spread2).sum())
        reliability = min(max(known / (n - 1), 0.0), 1.0)
        new = float((fit.strength**2).sum()) / max(known, 1e-12)
        settled = abs(new - spread2) <= tol * spread2
        spread2 = min(max(new, 1e-8), 1e4)
        if settled or new < 1e-6:
            break
    return (reliability, float(np.sqrt(spread2))) if spread2 > 1e-6 else (0.0, 0.0)
