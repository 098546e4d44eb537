"""Fusion: one score per item with its uncertainty, and everything that is needed to trust or distrust it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.scale import RatingScale
from ppaint_stats.spread import Spread
from ppaint_stats.typing import FloatArray, RandomSeed

if TYPE_CHECKING:
    import xarray as xr
    from rich.table import Table


@dataclass(frozen=True, eq=False, repr=False)
class Fusion:
    """Fused scores of a study.

    Parameters
    ----------
    method
        "davidson", "elo", "thurstone", "bayes" or "laplace" (a Bayesian fit by approximation).
    scores
        One row per category, dimension and item: ``category, dimension, item, score, sd, lower, upper, rank, latent``
        and ``calibrated, rank_lower, rank_upper, n_ratings, n_comparisons``. Rank 1 is the best; ``score``, ``sd``,
        ``lower`` and ``upper`` are on the rating scale where ``settings["calibrated"]`` is True, else on the latent
        scale.
    spread
        Joint uncertainty of the scores.
    scale
        The rating scale; None without ratings.
    settings
        What was asked for and what was done, among them ``interval_prob``, ``interval_kind``, ``target``,
        ``protocols``, ``calibrated`` and the versions of the packages used.
    parameters
        One row per category and dimension: the method's estimates and the parts of its likelihood.
    calibration
        One row per category and dimension: the map from latent score to rating scale, its residual, and how far
        it moves when the anchors are drawn anew. Empty where no map was needed.
    raters
        One row per category, dimension and rater; of a Bayesian fit one per rater and dimension, with intervals.
    converged
        Whether every fit met its tolerance.
    dimensions
        Bayesian fits: one row per pair of dimensions, their correlations with intervals.
    protocols
        Bayesian fits: one row per dimension, spreads, rating slope and the correlation across protocols.
    convergence
        Bayesian fits: the sampler's checks; :func:`ppaint_stats.diagnose` puts them into words.
    posterior
        The posterior draws of a Bayesian fit as a DataTree, otherwise None.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_davidson(study)
    >>> fusion.select(dimension="mood")["rank"].tolist()
    [1, 2, 3, 4, 5, 6, 7, 8]
    """

    method: str
    scores: pd.DataFrame
    spread: Spread
    scale: RatingScale | None
    settings: Mapping[str, Any]
    parameters: pd.DataFrame
    calibration: pd.DataFrame
    raters: pd.DataFrame
    converged: bool
    dimensions: pd.DataFrame = field(default_factory=pd.DataFrame)
    protocols: pd.DataFrame = field(default_factory=pd.DataFrame)
    convergence: pd.DataFrame = field(default_factory=pd.DataFrame)
    posterior: "xr.DataTree | None" = field(default=None)

    @property
    def calibrated(self) -> bool:
        """Whether all scores are on the rating scale; the column ``calibrated`` of ``scores`` says it of each."""
        return bool(self.settings["calibrated"])

    def select(self, *, category: str | None = None, dimension: str | None = None) -> pd.DataFrame:
        """Return the rows of ``scores`` of one category, one dimension or both, best first.

        Parameters
        ----------
        category, dimension
            Names; None keeps all.

        Returns
        -------
        DataFrame
            Columns as in ``scores``.

        Raises
        ------
        ArgumentError
            If there is no such category or dimension.
        """
        chosen = self.scores
        for column, name in ((CATEGORY, category), (DIMENSION, dimension)):
            if name is not None:
                known = self.scores[column].unique().tolist()
                if name not in known:
                    raise ArgumentError(f"{column}={name!r} is not in the fusion; it holds {known}")
                chosen = chosen[chosen[column] == name]
        return chosen.sort_values([CATEGORY, DIMENSION, "rank"], kind="stable")

    def summary(self) -> pd.DataFrame:
        """Summarise each category and dimension: items, spread of the scores, mean width of the intervals.

        Returns
        -------
        DataFrame
            Columns ``category, dimension, items, mean, between_sd, mean_sd, mean_width, reliability``: reliability is
            the share of the scores' variance that is not error, 1 - mean(sd^2) / var(score), floored at 0.
        """
        rows = []
        for (category, dimension), group in self.scores.groupby([CATEGORY, DIMENSION], sort=False):
            between = float(group["score"].var(ddof=1)) if len(group) > 1 else np.nan
            noise = float((group["sd"] ** 2).mean())
            rows.append(
                {
                    CATEGORY: category,
                    DIMENSION: dimension,
                    "items": len(group),
                    "mean": float(group["score"].mean()),
                    "between_sd": np.sqrt(between),
                    "mean_sd": float(group["sd"].mean()),
                    "mean_width": float((group["upper"] - group["lower"]).mean()),
                    "reliability": max(0.0, 1 - noise / between) if between > 0 and np.isfinite(noise) else np.nan,
                }
            )
        table = pd.DataFrame(rows)
        if self.settings.get("approximate"):
            table.attrs["approximate"] = str(self.settings["approximation"])
        return table

    def probability_better(
        self, a: str, b: str, *, dimension: str | None = None, category: str | None = None
    ) -> float | pd.Series:
        """Probability that item ``a`` scores above item ``b``.

        Parameters
        ----------
        a, b
            Item ids of one category.
        dimension
            Name of a dimension; may be left out if there is only one, otherwise all are returned.
        category
            Category of the two items, where ids recur.

        Returns
        -------
        float or Series
            The probability, or one per dimension.

        Raises
        ------
        ArgumentError
            If an item or dimension is unknown, the items are never scored together, or the fusion has no intervals.
        """
        rows = self.scores if category is None else self.scores[self.scores[CATEGORY] == category]
        if self.settings["interval_kind"] == "none":
            raise ArgumentError("probabilities need the scores' uncertainty; fuse with an interval other than 'none'")
        for name in (a, b):
            if name not in set(rows[ITEM]):
                raise ArgumentError(
                    f"item {name!r} is not in the fusion" + (f" in category {category!r}" if category else "")
                )
        both = rows[rows[ITEM].isin([a, b])]
        cells = both.groupby([CATEGORY, DIMENSION], sort=False)[ITEM].nunique()
        wanted = 1 if a == b else 2
        dimensions = cells[cells == wanted].index.get_level_values(DIMENSION).astype(str).tolist()
        if dimension is not None:
            if dimension not in dimensions:
                raise ArgumentError(
                    f"dimension={dimension!r} does not score both {a!r} and {b!r}; these do: {dimensions}"
                )
            dimensions = [dimension]
        if not dimensions:
            raise ArgumentError(f"no dimension scores both {a!r} and {b!r} in one category")
        score = self.scores["score"].to_numpy(float)
        found = {}
        for name in dimensions:
            contrast = np.zeros(len(score))
            inside = both[both[DIMENSION] == name]
            contrast[inside.index[inside[ITEM] == a]] += 1
            contrast[inside.index[inside[ITEM] == b]] -= 1
            found[name] = self.spread.probability_positive(score, contrast)
        if len(found) == 1:
            return next(iter(found.values()))
        return pd.Series(found, name="probability").rename_axis(DIMENSION)

    def sample_scores(self, n: int = 1000, *, random_seed: RandomSeed = None) -> FloatArray:
        """Draw joint scores from their uncertainty.

        Parameters
        ----------
        n
            Number of draws.
        random_seed
            Seed.

        Returns
        -------
        ndarray of shape (n, rows of ``scores``)
            Draws; for the jackknife from a multivariate t whose covariance has the rank of the number of raters.
        """
        return self.spread.sample(self.scores["score"].to_numpy(float), n, random_seed)

    def to_csv(self, path: str | Path) -> Path:
        """Write ``scores`` as CSV; see :func:`ppaint_stats.fusion_io.write_csv`.

        Parameters
        ----------
        path
            The file; it is written whole or not at all.

        Returns
        -------
        Path
            The file.
        """
        from ppaint_stats.fusion_io import write_csv

        return write_csv(self, path)

    def to_targets(self, path: str | Path) -> Path:
        """Write the targets of a scorer's training; see :func:`ppaint_stats.fusion_io.write_targets`.

        Parameters
        ----------
        path
            The file; it is written whole or not at all.

        Returns
        -------
        Path
            The file.
        """
        from ppaint_stats.fusion_io import write_targets

        return write_targets(self, path)

    def save(self, path: str | Path) -> Path:
        """Write the whole fusion as NetCDF; see :func:`ppaint_stats.fusion_io.save_fusion`.

        Parameters
        ----------
        path
            The file; it is written whole or not at all.

        Returns
        -------
        Path
            The file.
        """
        from ppaint_stats.fusion_io import save_fusion

        return save_fusion(self, path)

    def __repr__(self) -> str:
        """One line: method, size, interval, and loudly a failure to converge."""
        cells = self.scores[[CATEGORY, DIMENSION]].drop_duplicates()
        s = self.settings
        what = f"{len(self.scores)} scores in {len(cells)} cell{'s' * (len(cells) != 1)}"
        interval = (
            "no intervals"
            if s["interval_kind"] == "none"
            else f"{s['interval_prob']:.0%} {s['interval_kind']} intervals"
        )
        state = "" if self.converged else ", NOT CONVERGED"
        if s.get("failed_checks"):
            state += f": {'; '.join(s['failed_checks'])}"
        scale = f"on {self.scale}" if self.calibrated else "on the latent scale"
        method = f"{self.method}, approximate" if s.get("approximate") else self.method
        return f"Fusion({method}: {what} {scale}, target {s['target']}, {interval}{state})"

    def __rich__(self) -> "Table":
        """Table of the summary."""
        from rich.table import Table

        table = Table(title=repr(self))
        summary = self.summary()
        for column in summary:
            table.add_column(str(column), justify="left" if column in {CATEGORY, DIMENSION} else "right")
        for row in summary.itertuples(index=False):
            table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
        return table
