"""From a method that fits one cell to a Fusion of a study: checks, cells, intervals, tables."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ppaint_stats import __version__
from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.calibrate import resample_anchors
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, RATER
from ppaint_stats.errors import (
    ArgumentError,
    CalibrationWarning,
    ConvergenceWarning,
    DiscardedDataWarning,
    DisconnectedGraphError,
    DisconnectedWarning,
    IntervalWarning,
)
from ppaint_stats.fuse.cells import Cell, build_cells
from ppaint_stats.fuse.fits import CellFit
from ppaint_stats.fuse.intervals import Fitter, bootstrap, curvature, explain_no_jackknife, jackknife
from ppaint_stats.fusion import Fusion
from ppaint_stats.progress import track
from ppaint_stats.seeds import check_seed, describe_seed, split_seed
from ppaint_stats.spread import Spread
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, Protocols, RandomSeed, Target

type Interval = Literal["auto", "jackknife", "bootstrap", "hessian", "none"]

RANK_DRAWS = 1000


def fuse_cells(
    study: Study,
    fit: Fitter,
    *,
    method: str,
    interval: Interval,
    interval_prob: float,
    target: Target,
    protocols: Protocols,
    n_boot: int,
    random_seed: RandomSeed,
    progressbar: bool,
    settings: Mapping[str, Any],
) -> Fusion:
    """Fit every cell of a study and collect the fusion; the arguments are those of the public functions."""
    check_options(
        study, interval=interval, interval_prob=interval_prob, target=target, protocols=protocols, n_boot=n_boot,
        random_seed=random_seed,
    )  # fmt: skip
    cell_seed, interval_seed, rank_seed, anchor_seed = split_seed(random_seed, 4)
    cells = build_cells(study, protocols=protocols, random_seed=cell_seed)
    warn_of_lost_items(study, cells, protocols)
    for cell in cells:
        check_connected(cell)
    kind = choose_interval(interval, target, cells)
    with threadpool_limits(
        1, "blas"
    ):  # thousands of small systems: threads would spend their time waiting for each other
        shown = track(cells, total=len(cells), description="fitting", progressbar=progressbar)
        fits = [fit(cell, None) for cell in shown]
    warn_of_fits(cells, fits)

    def transform(_: Cell, scores: FloatArray) -> FloatArray:
        return scores - scores.mean(axis=-1, keepdims=True) if target == "relative" else scores

    influence: dict[int, FloatArray] = {}
    with threadpool_limits(1, "blas"):
        if kind == "jackknife":
            spread, influence = jackknife(cells, fits, fit, transform, progressbar=progressbar)
        elif kind == "bootstrap":
            spread = bootstrap(cells, fits, fit, transform, n_boot=n_boot, seed=interval_seed, progressbar=progressbar)
        elif kind == "hessian":
            spread = curvature(cells, fits, transform, seed=interval_seed)
        else:
            n = sum(cell.n_items for cell in cells)
            spread = Spread(deviations=np.full((1, n), np.nan), dof=np.ones(n))
    on_scale = [cell.has_ratings for cell in cells]
    warn_of_latent_cells(cells, on_scale)
    scores = tabulate_scores(
        cells, [transform(c, f.score) for c, f in zip(cells, fits, strict=True)], [f.latent for f in fits], spread,
        prob=interval_prob, bounded=target != "relative", seed=rank_seed,
    )  # fmt: skip
    return Fusion(
        method=method,
        scores=scores,
        spread=spread,
        scale=study.scale,
        settings={
            **settings,
            "interval_prob": interval_prob,
            "interval_kind": kind,
            "target": target,
            "protocols": protocols,
            "calibrated": all(on_scale),
            "n_boot": n_boot if kind == "bootstrap" else None,
            "random_seed": describe_seed(random_seed),
            "ppaint_version": __version__,
        },
        parameters=_by_cell(cells, [f.parameters for f in fits]),
        calibration=tabulate_calibration(cells, fits, anchor_seed),
        raters=tabulate_raters(study, cells, influence),
        converged=all(f.converged for f in fits),
    )


def check_options(
    study: Study,
    *,
    interval: str,
    interval_prob: float,
    target: str,
    protocols: str,
    n_boot: int,
    random_seed: RandomSeed,
) -> None:
    """Refuse what no fusion can do."""
    if not isinstance(study, Study):
        raise ArgumentError(f"study is a {type(study).__name__}, not a Study; read_study makes one of tables")
    check_seed(random_seed)
    check_probability("interval_prob", interval_prob)
    check_count("n_boot", n_boot, 2)
    for name, value, allowed in (
        ("interval", interval, get_args(Interval.__value__)),
        ("target", target, get_args(Target.__value__)),
        ("protocols", protocols, get_args(Protocols.__value__)),
    ):
        if value not in allowed:
            raise ArgumentError(f"{name}={value!r} is not one of {list(allowed)}")
    if protocols == "ratings" and study.ratings is None:
        raise ArgumentError("protocols='ratings', but the study has no ratings")
    if protocols == "preferences" and study.preferences is None:
        raise ArgumentError("protocols='preferences', but the study has no preferences")


def choose_interval(interval: Interval, target: Target, cells: list[Cell]) -> str:
    """Choose the kind of interval, and say so where it is not the one that a reader would expect."""
    obstacle = explain_no_jackknife(cells)
    if interval in {"jackknife", "bootstrap"} and obstacle:
        raise ArgumentError(
            f"interval={interval!r} needs to leave out or reweight raters, but {obstacle}; use 'hessian'"
        )
    if interval != "auto":
        return interval
    if target == "panel":
        return "hessian"
    if obstacle:
        warnings.warn(
            "the intervals of all cells are from the curvature and speak of these judgments only, not of other raters, "
            f"because {obstacle}; select other categories or dimensions to have a jackknife there",
            IntervalWarning,
            stacklevel=4,
        )
        return "hessian"
    return "jackknife"


def check_connected(cell: Cell) -> None:
    """Refuse cells that hold items which nothing links to the others."""
    if not len(cell.a):
        return
    component = cell.components()
    groups = np.unique(component)
    if len(groups) == 1:
        return
    if not cell.uses_ratings:
        raise DisconnectedGraphError(
            f"{cell.name}: the comparisons fall into {len(groups)} components, and preferences alone cannot rank items "
            "across them; add comparisons between components, or ratings with protocols='both'"
        )
    rated = np.unique(cell.rated)
    loose = np.setdiff1d(groups, component[rated])
    if len(loose):
        items = [cell.items[i] for i in np.flatnonzero(np.isin(component, loose))[:10]]
        raise DisconnectedGraphError(
            f"{cell.name}: the comparisons fall into {len(groups)} components, and {len(loose)} of them hold no "
            f"rated item, so that nothing links them to the rest (items {items}); rate one item of each or drop them"
        )


def warn_of_lost_items(study: Study, cells: list[Cell], protocols: Protocols) -> None:
    """Warn of items and cells that hold no judgment under the protocols that are used."""
    if protocols == "both":
        return
    lost_cells = set(study.cells) - {(cell.category, cell.dimension) for cell in cells}
    lost_items = set(study.items()) - {item for cell in cells for item in cell.items}
    if lost_cells or lost_items:
        warnings.warn(
            f"protocols={protocols!r} leaves out {len(lost_cells)} cells {sorted(lost_cells)[:5]} and "
            f"{len(lost_items)} items {sorted(lost_items)[:10]} that have no judgment of that kind",
            DiscardedDataWarning,
            stacklevel=4,
        )


def warn_of_latent_cells(cells: list[Cell], on_scale: list[bool]) -> None:
    """Warn where some cells have scores on the rating scale and others, without ratings, latent ones."""
    latent = [cell.name for cell, rated in zip(cells, on_scale, strict=True) if not rated]
    if latent and any(on_scale):
        warnings.warn(
            f"{len(latent)} of {len(cells)} cells have no ratings, and their scores are latent, not on the rating "
            f"scale (see the column 'calibrated'): {latent[:5]}",
            CalibrationWarning,
            stacklevel=4,
        )


def warn_of_fits(cells: list[Cell], fits: list[CellFit]) -> None:
    """Warn of what a person must look at: ratings that fall apart or carry no weight, flat maps, no convergence."""
    for cell, found in zip(cells, fits, strict=True):
        if found.parameters.get("rating_components", 1) > 1:
            warnings.warn(
                f"{cell.name}: raters and items form {found.parameters['rating_components']:.0f} separate groups; "
                "severities are shrunken towards 0 instead of compared across groups",
                DisconnectedWarning,
                stacklevel=4,
            )
        if cell.uses_ratings and len(cell.a) and found.parameters.get("rating_share", 1.0) < 1e-6:
            warnings.warn(
                f"{cell.name}: the ratings have no weight in the fused score: they do not rise with the strengths",
                CalibrationWarning,
                stacklevel=4,
            )
        if found.calibration is not None and found.calibration.at_bound:
            warnings.warn(
                f"{cell.name}: the map to the rating scale is at its bound; latent scores and ratings hardly agree",
                CalibrationWarning,
                stacklevel=4,
            )
        if not found.converged:
            message = f"{cell.name}: the fit did not converge; hold its scores against those of another method"
            warnings.warn(message, ConvergenceWarning, stacklevel=4)


def tabulate_scores(
    cells: list[Cell],
    scores: list[FloatArray],
    latents: list[FloatArray],
    spread: Spread,
    *,
    prob: float,
    bounded: bool,
    seed: np.random.SeedSequence,
) -> pd.DataFrame:
    """Build the table of scores; intervals are cut at the ends of the rating scale."""
    score = np.concatenate(scores)
    on_scale = np.concatenate([np.full(c.n_items, c.has_ratings) for c in cells])
    lower, upper = spread.interval(score, prob)
    if bounded:
        lower = np.where(on_scale, np.maximum(lower, cells[0].low), lower)
        upper = np.where(on_scale, np.minimum(upper, cells[0].high), upper)
    frame = pd.DataFrame(
        {
            CATEGORY: np.repeat([c.category for c in cells], [c.n_items for c in cells]),
            DIMENSION: np.repeat([c.dimension for c in cells], [c.n_items for c in cells]),
            ITEM: [item for c in cells for item in c.items],
            "score": score,
            "sd": spread.sd(),
            "lower": lower,
            "upper": upper,
        }
    )
    by_cell = frame.groupby([CATEGORY, DIMENSION], sort=False)["score"]
    frame["rank"] = by_cell.rank(ascending=False, method="min").astype(int)
    frame["latent"] = np.concatenate(latents)
    rank_low, rank_high = [], []
    draws = None if np.isnan(frame["sd"]).all() else spread.sample(score, RANK_DRAWS, seed)
    offset = 0
    for cell in cells:
        columns = slice(offset, offset + cell.n_items)
        offset += cell.n_items
        if draws is None:
            rank_low.append(np.full(cell.n_items, np.nan))
            rank_high.append(np.full(cell.n_items, np.nan))
            continue
        ranks = (-draws[:, columns]).argsort(axis=1).argsort(axis=1) + 1
        low, high = np.quantile(ranks, [(1 - prob) / 2, (1 + prob) / 2], axis=0, method="nearest")
        rank_low.append(low)
        rank_high.append(high)
    frame["calibrated"] = on_scale
    frame["rank_lower"], frame["rank_upper"] = np.concatenate(rank_low), np.concatenate(rank_high)
    frame["n_ratings"] = np.concatenate([np.bincount(c.rated, minlength=c.n_items) for c in cells])
    frame["n_comparisons"] = np.concatenate(
        [np.bincount(np.r_[c.a, c.b], np.r_[c.pair_weight, c.pair_weight], c.n_items) for c in cells]
    ).astype(int)
    return frame


def tabulate_calibration(cells: list[Cell], fits: list[CellFit], seed: np.random.SeedSequence) -> pd.DataFrame:
    """Build the table of maps to the rating scale."""
    rows = []
    for cell, found, child in zip(cells, fits, split_seed(seed, len(cells)), strict=True):
        if found.calibration is None:
            continue
        c = found.calibration
        ratings = cell.fit_ratings().item
        moved = resample_anchors(found.latent, ratings, low=c.low, high=c.high, random_seed=child)
        rows.append(
            {
                CATEGORY: cell.category,
                DIMENSION: cell.dimension,
                "midpoint": c.midpoint,
                "width": c.width,
                "bend": c.bend,
                "rmse": c.rmse,
                "n_anchors": c.n_anchors,
                "anchor_sd": moved,
                "at_bound": c.at_bound,
            }
        )
    columns = [CATEGORY, DIMENSION, "midpoint", "width", "bend", "rmse", "n_anchors", "anchor_sd", "at_bound"]
    return pd.DataFrame(rows, columns=columns)


def tabulate_raters(study: Study, cells: list[Cell], influence: dict[int, FloatArray]) -> pd.DataFrame:
    """Build the table of raters: severity, habits, and how much the scores move without each of them."""
    rows = []
    offset = 0
    for cell in cells:
        severity = cell.fit_ratings().severity if cell.has_ratings else np.full(cell.n_raters, np.nan)
        span = slice(offset, offset + cell.n_items)
        offset += cell.n_items
        for code in np.union1d(*cell.raters()).tolist():
            rated, compared = cell.rating_rater == code, cell.pair_rater == code
            weight = cell.pair_weight[compared]
            outcome = cell.outcome[compared]
            total, decided = weight.sum(), weight[outcome != 1].sum()
            rows.append(
                {
                    CATEGORY: cell.category,
                    DIMENSION: cell.dimension,
                    RATER: study.raters[code],
                    "n_ratings": int(rated.sum()),
                    "n_comparisons": int(total),
                    "severity": -severity[code],
                    "tie_rate": weight[outcome == 1].sum() / total if total else np.nan,
                    "first_share": weight[outcome == 0].sum() / decided if decided else np.nan,
                    "influence": float(np.sqrt((influence[code][span] ** 2).mean())) if code in influence else np.nan,
                }
            )
    columns = [
        CATEGORY,
        DIMENSION,
        RATER,
        "n_ratings",
        "n_comparisons",
        "severity",
        "tie_rate",
        "first_share",
        "influence",
    ]
    return pd.DataFrame(rows, columns=columns)


def _by_cell(cells: list[Cell], rows: list[dict[str, float]]) -> pd.DataFrame:
    heads = [{CATEGORY: cell.category, DIMENSION: cell.dimension} for cell in cells]
    return pd.DataFrame([{**head, **row} for head, row in zip(heads, rows, strict=True)])
