"""Anchored Elo fusion."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from ppaint_stats.arguments import check_count, check_positive
from ppaint_stats.columns import CATEGORY, DIMENSION
from ppaint_stats.errors import ArgumentError, PPaintWarning
from ppaint_stats.fuse.cells import Cell
from ppaint_stats.fuse.davidson import AnchoredCell, fit_anchored_cell
from ppaint_stats.fuse.engine import Interval, fuse_cells
from ppaint_stats.fuse.fits import CellFit, calibrate_latent, fit_ratings_cell
from ppaint_stats.fusion import Fusion
from ppaint_stats.kernels.davidson import outcome_probabilities
from ppaint_stats.kernels.elo import ELO_PER_LOGIT, run_elo
from ppaint_stats.progress import track
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, IntArray, Protocols, RandomSeed, Target

BASE = 1500.0
"""Elo points at which an average item stands."""


def fuse_elo(
    study: Study,
    *,
    interval: Interval = "auto",
    interval_prob: float = 0.9,
    target: Target = "population",
    protocols: Protocols = "both",
    k: float = 32.0,
    anchor_games: float | None = None,
    start_slope: float | None = None,
    n_orders: int = 200,
    max_passes: int = 50,
    tol: float = 0.5,
    order_effect: bool = True,
    bend: bool = True,
    n_boot: int = 50,
    random_seed: RandomSeed = 0,
    progressbar: bool = False,
) -> Fusion:
    r"""Fuse ratings and preferences by anchored Elo, averaged over random orders.

    Parameters
    ----------
    study
        Ratings and preferences.
    interval, interval_prob, target, protocols, n_boot, random_seed, progressbar
        As for :func:`ppaint_stats.fuse_davidson`; the covariance behind ``interval="hessian"`` is that of the anchored
        Davidson fit, in Elo points.
    k
        Step of the first pass in Elo points; pass p uses k / (1 + p), p from 0.
    anchor_games
        Virtual draws per item and pass against a fixed opponent at the item's own start value: the weight of the
        ratings. By default the weight that :func:`ppaint_stats.fuse_davidson` estimates: four times the discount times
        beta^2 / (tau^2 + s_i^2), the information of a rating score on its strength.
    start_slope
        Elo points per rating unit of the start values (c). By default what a rating unit stands for in the Davidson
        fit, 1 / beta, in Elo points.
    n_orders
        Random orders over which ratings are averaged.
    max_passes, tol
        Passes end when no mean rating moves by more than ``tol`` Elo points, or after ``max_passes``.
    order_effect
        Whether the first position gets the advantage that the Davidson fit estimates.
    bend
        Whether the map to the rating scale may bend; False is the plain sigmoid.

    Returns
    -------
    Fusion
        Scores with intervals; ``latent`` is in Elo points. ``parameters`` holds the start slope, mean anchor games,
        the number of passes and the largest Monte Carlo standard error that remains from the random orders.

    Raises
    ------
    DisconnectedGraphError
        If nothing links some items to the others.
    ArgumentError
        If an argument is not allowed, or counts stand for more than 20,000,000 games.

    Notes
    -----
    After each comparison :math:`R_A \leftarrow R_A + K (S - E)`, :math:`R_B \leftarrow R_B - K (S - E)` with
    :math:`E = 1/(1 + 10^{-(R_A + \delta - R_B)/400})` (Elo 1978) and S = 1, 1/2, 0 for A, TIE, B. The start values and
    the default anchor come from the anchored Davidson fit of the same judgments: agreement of the two fusions is
    in part agreement by construction, which :func:`ppaint_stats.compare_fusions` takes apart.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> fusion = ps.fuse_elo(sim.study, n_orders=20, interval="none")
    >>> fusion.method, len(fusion.scores)
    ('elo', 60)
    """
    check_positive("k", k)
    check_positive("tol", tol)
    check_count("n_orders", n_orders, 1)
    check_count("max_passes", max_passes, 1)
    if anchor_games is not None and anchor_games != 0:
        check_positive("anchor_games", anchor_games)
    if start_slope is not None and start_slope != 0:
        check_positive("start_slope", start_slope)

    def fit(cell: Cell, start: CellFit | None) -> CellFit:
        if not len(cell.a) or (cell.uses_ratings and (cell.outcome == 1).all()):  # nothing but ties orders no item
            return fit_ratings_cell(cell, shrink=False)
        state = start.state if start is not None and isinstance(start.state, AnchoredCell) else None
        anchored = fit_anchored_cell(cell, order_effect=order_effect, start=state)
        return _play_cell(
            cell, anchored, k=k, anchor_games=anchor_games, start_slope=start_slope, n_orders=n_orders,
            max_passes=max_passes, tol=tol, bend=bend,
        )  # fmt: skip

    return fuse_cells(
        study, fit, method="elo", interval=interval, interval_prob=interval_prob, target=target, protocols=protocols,
        n_boot=n_boot, random_seed=random_seed, progressbar=progressbar,
        settings={
            "k": k, "anchor_games": anchor_games, "start_slope": start_slope, "n_orders": n_orders,
            "max_passes": max_passes, "tol": tol, "order_effect": order_effect, "bend": bend,
        },
    )  # fmt: skip


@dataclass(frozen=True)
class Games:
    """What Elo plays in a cell: outcomes, start values, virtual draws and the advantage of the first position."""

    a: IntArray
    b: IntArray
    score: FloatArray
    weight: FloatArray
    start: FloatArray
    anchor: FloatArray
    order_effect: float
    slope: float
    ties: float


def prepare_games(
    cell: Cell, anchored: AnchoredCell, *, anchor_games: float | None = None, start_slope: float | None = None
) -> Games:
    """Turn a cell and its anchored Davidson fit into games; see `fuse_elo` for the arguments."""
    at = anchored.fit.parameters
    rated = np.isfinite(anchored.ratings.item) & cell.uses_ratings
    centred = np.where(rated, anchored.ratings.item - anchored.centre, 0.0)
    ties = _tie_compression(cell, anchored)
    slope = start_slope
    if slope is None:  # a rating score r stands for the strength r / beta
        slope = ELO_PER_LOGIT * ties / at.slope if at.slope > 0 else 0.0
    if not cell.uses_ratings:
        anchor = np.zeros(cell.n_items)
    elif anchor_games is None:
        anchor = 4 * anchored.discount * anchored.anchor_precision / ties
    else:
        anchor = np.where(rated, anchor_games, 0.0)
    a, b, outcome, weight = _expand_counts(cell)
    return Games(
        a, b, np.array([1.0, 0.5, 0.0])[outcome], weight, BASE + slope * centred, anchor,
        order_effect=at.order_effect * ELO_PER_LOGIT, slope=slope if rated.any() else float("nan"), ties=ties,
    )  # fmt: skip


def _play_cell(
    cell: Cell,
    anchored: AnchoredCell,
    *,
    k: float,
    anchor_games: float | None,
    start_slope: float | None,
    n_orders: int,
    max_passes: int,
    tol: float,
    bend: bool,
) -> CellFit:
    games = prepare_games(cell, anchored, anchor_games=anchor_games, start_slope=start_slope)
    run = run_elo(
        games.a, games.b, games.score, games.weight, games.start, games.anchor, order_effect=games.order_effect, k=k,
        n_orders=n_orders, max_passes=max_passes, tol=tol, random_seed=cell.seed,
    )  # fmt: skip
    calibration = calibrate_latent(cell, run.rating, anchored.ratings, bend=bend)
    return CellFit(
        latent=run.rating,
        score=run.rating if calibration is None else calibration.apply(run.rating),
        covariance=anchored.noise_covariance() * (ELO_PER_LOGIT * games.ties) ** 2,
        parameters={
            "start_slope": games.slope,
            "anchor_games": float(games.anchor.mean()),
            "order_effect": games.order_effect,
            "tie_compression": games.ties,
            "passes": float(run.passes),
            "monte_carlo_se": float(run.monte_carlo_se.max()),
            "design_effect": anchored.design_effect,
            "discount": anchored.discount,
            "rating_share": anchored.rating_share() if anchor_games != 0 else 0.0,
            "rating_components": float(anchored.ratings.n_components),
        },
        calibration=calibration,
        converged=run.converged,
        state=anchored,
    )


def _tie_compression(cell: Cell, anchored: AnchoredCell) -> float:
    """Ratio of Elo's differences to Davidson's: with ties as half a win, expectations rise more slowly.

    The slope of the logit of the expected score on the difference of strengths, over the cell's comparisons.
    """
    strength = anchored.fit.strength
    d = strength[cell.a] - strength[cell.b]
    p_a, p_tie, p_b = outcome_probabilities(d, anchored.fit.parameters.log_nu)
    total = float(cell.pair_weight @ d**2)
    return float(cell.pair_weight @ (np.log((p_a + p_tie / 2) / (p_b + p_tie / 2)) * d)) / total if total > 0 else 1.0


def _expand_counts(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Play a row that stands for several comparisons as that many games; a fraction of a game weighs its share."""
    games = np.maximum(np.ceil(cell.pair_weight - 1e-9), 1).astype(int)
    if games.max() <= 1:
        return cell.a, cell.b, cell.outcome, cell.pair_weight
    if games.sum() > 20_000_000:
        raise ArgumentError(
            f"{cell.name}: counts stand for {games.sum()} games, more than the 20,000,000 that Elo plays one by one; "
            "use fuse_davidson, which works on the counts"
        )
    rows = np.repeat(np.arange(len(games)), games)
    return cell.a[rows], cell.b[rows], cell.outcome[rows], (cell.pair_weight / games)[rows]


def elo_sensitivity(
    study: Study,
    *,
    k: Sequence[float] = (8.0, 16.0, 32.0, 64.0),
    anchor_scale: Sequence[float] = (0.0, 0.5, 1.0, 2.0),
    max_passes: Sequence[int] = (1, 5, 50),
    n_orders: int = 50,
    random_seed: RandomSeed = 0,
    progressbar: bool = False,
) -> pd.DataFrame:
    """Compare Elo scores over its free choices with those of the defaults.

    Parameters
    ----------
    study
        Ratings and preferences.
    k
        Steps of the first pass.
    anchor_scale
        Factors on the mean number of anchor games of the default fit.
    max_passes
        Largest numbers of passes.
    n_orders
        Random orders of each fit.
    random_seed
        Seed, the same for every fit.
    progressbar
        Whether a bar shows the fits and the time left: minutes for a full study.

    Returns
    -------
    DataFrame
        One row per combination: ``k, anchor_games, max_passes, converged``, and the medians over categories and
        dimensions of ``srcc`` (rank correlation with the default fit), ``mean_difference`` and ``max_difference``
        (absolute, in rating units).

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> table = ps.elo_sensitivity(study, k=(16, 32), anchor_scale=(1,), max_passes=(50,), n_orders=5)
    >>> table[["k", "max_passes"]].to_numpy().tolist()
    [[16, 50], [32, 50]]
    """
    default = fuse_elo(study, interval="none", n_orders=n_orders, random_seed=random_seed)
    games = float(default.parameters["anchor_games"].mean())
    rows = []
    choices = list(product(k, anchor_scale, max_passes))
    for step, factor, passes in track(
        choices, total=len(choices), description="Elo's choices", progressbar=progressbar
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PPaintWarning)  # no anchor and few passes are tried on purpose
            other = fuse_elo(
                study, interval="none", k=step, anchor_games=factor * games, max_passes=passes, n_orders=n_orders,
                random_seed=random_seed,
            )  # fmt: skip
        both = default.scores.assign(other=other.scores["score"]).groupby([CATEGORY, DIMENSION], sort=False)
        srcc = [stats.spearmanr(group["score"], group["other"]).statistic for _, group in both]
        gaps = [(group["score"] - group["other"]).abs() for _, group in both]
        rows.append(
            {
                "k": step,
                "anchor_games": factor * games,
                "max_passes": passes,
                "converged": other.converged,
                "srcc": float(np.median(srcc)),
                "mean_difference": float(np.median([gap.mean() for gap in gaps])),
                "max_difference": float(np.median([gap.max() for gap in gaps])),
            }
        )
    return pd.DataFrame(rows)
