"""Intervals of fused scores: rater jackknife, rater x item bootstrap, curvature."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ppaint_stats.errors import ArgumentError
from ppaint_stats.fuse.cells import Cell
from ppaint_stats.fuse.fits import CellFit
from ppaint_stats.progress import track
from ppaint_stats.seeds import split_seed
from ppaint_stats.spread import Spread
from ppaint_stats.typing import FloatArray

type Fitter = Callable[[Cell, CellFit | None], CellFit]

HESSIAN_DRAWS = 1000


@dataclass(frozen=True)
class RaterPanel:
    """Raters of one category by the protocols in which they took part: the strata of the jackknife."""

    category: str
    strata: tuple[tuple[int, ...], ...]
    anonymous: bool

    @property
    def raters(self) -> tuple[int, ...]:
        """Codes of all raters."""
        return tuple(rater for stratum in self.strata for rater in stratum)


def list_panels(cells: list[Cell]) -> list[RaterPanel]:
    """List each category's raters, those in both protocols, in ratings alone and in comparisons alone apart."""
    panels = []
    for category in dict.fromkeys(cell.category for cell in cells):
        inside = [cell for cell in cells if cell.category == category]
        rated = {
            int(r) for cell in inside if cell.uses_ratings or cell.protocols == "preferences" for r in cell.raters()[0]
        }
        compared = {int(r) for cell in inside for r in cell.raters()[1]}
        groups = [rated & compared, rated - compared, compared - rated]
        strata = [tuple(sorted(group)) for group in groups if group]
        if any(len(stratum) < 2 for stratum in strata):  # a lone rater cannot be a stratum of its own
            strata = [tuple(sorted(rated | compared))]
        anonymous = any(bool((cell.pair_rater < 0).any()) for cell in inside)
        panels.append(RaterPanel(category, tuple(strata), anonymous))
    return panels


def list_strata(cell: Cell, panel: RaterPanel) -> list[list[int]]:
    """Strata of the raters who judged a cell: a rater without a judgment in it is no replicate of its scores."""
    present = set(np.union1d(*cell.raters()).tolist())
    strata = [[rater for rater in stratum if rater in present] for stratum in panel.strata]
    strata = [stratum for stratum in strata if stratum]
    return [sorted(present)] if any(len(stratum) < 2 for stratum in strata) else strata


def explain_no_jackknife(cells: list[Cell]) -> str | None:
    """Say why raters cannot be left out one at a time; None if they can."""
    for panel in list_panels(cells):
        if panel.anonymous:
            return f"category {panel.category!r} has comparisons whose rater is not recorded"
        if len(panel.raters) < 2:
            return f"category {panel.category!r} has {len(panel.raters)} rater, and 2 are needed"
    for cell in cells:
        rated, compared = cell.raters()
        if len(np.union1d(rated, compared)) < 2:
            return f"{cell.name} was judged by one rater alone, and 2 are needed"
        if cell.has_ratings and len(rated) == 1:  # a lone rater of ratings beside others who compare
            return f"{cell.name} has ratings by one rater alone, and without them no score is on the rating scale"
        if not len(compared):
            by_item = [set(cell.rating_rater[cell.rated == i].tolist()) for i in range(cell.n_items)]
            single = [item for item, raters in zip(cell.items, by_item, strict=True) if len(raters) < 2]
            if single:
                return f"{cell.name} has {len(single)} items judged by one rater alone, {single[:10]}"
        if not cell.uses_ratings:
            for rater in compared.tolist():
                if len(np.unique(_leave_out(cell, rater).components())) > 1:
                    return f"{cell.name} falls apart without the comparisons of rater {cell.rater_names[rater]!r}"
    return None


def _leave_out(cell: Cell, rater: int) -> Cell:
    weight = np.ones(cell.n_raters)
    weight[rater] = 0.0
    return cell.reweight(weight)


def jackknife(
    cells: list[Cell],
    fits: list[CellFit],
    fit: Fitter,
    transform: Callable[[Cell, FloatArray], FloatArray],
    *,
    progressbar: bool,
) -> tuple[Spread, dict[int, FloatArray]]:
    r"""Leave out one rater at a time.

    With strata h of :math:`R_h` raters the covariance is :math:`\sum_h \frac{R_h - 1}{R_h} \sum_{r \in h}
    (s^{(-r)} - \bar s_h)(s^{(-r)} - \bar s_h)^\top`, and t quantiles have :math:`\sum_h (R_h - 1)` degrees of freedom.

    Returns
    -------
    tuple
        The spread, and for each rater's code the change of all scores on leaving that rater out.
    """
    panels = {panel.category: panel for panel in list_panels(cells)}
    offsets = np.cumsum([0] + [cell.n_items for cell in cells])
    jobs = [(rater, i) for i, cell in enumerate(cells) for rater in panels[cell.category].raters]
    raters = sorted({rater for rater, _ in jobs})
    row_of = {rater: k for k, rater in enumerate(raters)}
    full = np.concatenate([transform(cell, f.score) for cell, f in zip(cells, fits, strict=True)])
    without = np.tile(full, (len(raters), 1))
    for rater, i in track(jobs, total=len(jobs), description="leaving out raters", progressbar=progressbar):
        reduced = _leave_out(cells[i], rater)
        if len(reduced.a) == len(cells[i].a) and len(reduced.rated) == len(cells[i].rated):
            continue  # this rater has no judgment in this cell
        if not len(reduced.a) and not len(reduced.rated):
            message = f"leaving out one rater leaves no judgment in {cells[i].name}; use interval='hessian'"
            raise ArgumentError(message)
        without[row_of[rater], offsets[i] : offsets[i + 1]] = transform(cells[i], fit(reduced, fits[i]).score)
    deviations, dof = np.zeros_like(without), np.zeros(len(full))
    for i, cell in enumerate(cells):
        rows = slice(offsets[i], offsets[i + 1])
        for stratum in list_strata(cell, panels[cell.category]):
            index, size = [row_of[r] for r in stratum], len(stratum)
            block = without[index, rows]
            deviations[index, rows] = np.sqrt((size - 1) / size) * (block - block.mean(axis=0))
            dof[rows] += size - 1
    return Spread(deviations=deviations, dof=dof), {r: without[row_of[r]] - full for r in raters}


def bootstrap(
    cells: list[Cell],
    fits: list[CellFit],
    fit: Fitter,
    transform: Callable[[Cell, FloatArray], FloatArray],
    *,
    n_boot: int,
    seed: np.random.SeedSequence,
    progressbar: bool,
) -> Spread:
    r"""Resample raters and items by random weights (Bayesian bootstrap, Rubin 1981).

    Every rater and every item gets an independent exponential weight, a comparison the product of its rater's and its
    two items' weights. No item ever disappears, and no copy of an item meets itself. Deviations from their mean are
    multiplied by :math:`\sqrt{(R + 1)/(R - 1)}`, which makes the variance over R raters unbiased.
    """
    size = {panel.category: len(panel.raters) for panel in list_panels(cells)}
    full = [transform(cell, f.score) for cell, f in zip(cells, fits, strict=True)]
    draws = np.empty((n_boot, sum(cell.n_items for cell in cells)))
    rngs = [np.random.default_rng(child) for child in split_seed(seed, n_boot)]
    for k, rng in track(enumerate(rngs), total=n_boot, description="bootstrap", progressbar=progressbar):
        rater_weight = rng.exponential(size=cells[0].n_raters)
        rater_weight /= rater_weight.mean()
        item_weight: dict[str, dict[str, float]] = {}
        scores = []
        for cell, start in zip(cells, fits, strict=True):
            weights = item_weight.setdefault(cell.category, {})
            for item in cell.items:
                if item not in weights:
                    weights[item] = float(rng.exponential())
            reduced = cell.reweight(rater_weight, np.array([weights[item] for item in cell.items]))
            scores.append(transform(cell, fit(reduced, start).score))
        draws[k] = np.concatenate(scores)
    centre = np.concatenate(full)
    raters = np.concatenate([np.full(cell.n_items, size[cell.category]) for cell in cells])
    stretch = np.sqrt((raters + 1) / np.maximum(raters - 1, 1))
    return Spread(draws=centre + stretch * (draws - draws.mean(axis=0)))


def curvature(
    cells: list[Cell],
    fits: list[CellFit],
    transform: Callable[[Cell, FloatArray], FloatArray],
    *,
    seed: np.random.SeedSequence,
) -> Spread:
    """Draw from the normal approximation at the fit: the judgments' noise given these raters, nothing else."""
    blocks = []
    for cell, found, child in zip(cells, fits, split_seed(seed, len(cells)), strict=True):
        blocks.append(transform(cell, _draw_scores(found, np.random.default_rng(child))))
    return Spread(draws=np.concatenate(blocks, axis=1))


def _draw_scores(found: CellFit, rng: np.random.Generator) -> FloatArray:
    values, vectors = np.linalg.eigh(found.covariance)
    noise = rng.standard_normal((HESSIAN_DRAWS, len(values))) * np.sqrt(np.maximum(values, 0.0))
    if found.calibration is None:  # the covariance is the scores' own
        return found.score + noise @ vectors.T
    return found.calibration.apply(found.latent + noise @ vectors.T)
