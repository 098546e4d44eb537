"""Estimate: a statistic with its interval, its bootstrap replicates, and the reason where it has no value."""

from dataclasses import dataclass, field, replace

import numpy as np

from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.bootstrap import RESAMPLES, draw_weights
from ppaint_stats.kernels.jackknife import Spread
from ppaint_stats.seeds import check_seed, split_seed
from ppaint_stats.typing import FloatArray, IntArray, RandomSeed

INTERVAL_KINDS = {"both": "bootstrap of items and raters", "items": "bootstrap of items"}
"""Name of a percentile interval, by what was resampled."""

SCALED = ", scaled to the jackknife"
"""Added to the name of an interval whose replicates were shrunk by `shrink_interval`."""


MANY_LOST = 0.01
"""Share of replicates without a value above which ``reason`` tells of them; ``n_undefined`` always counts them."""


@dataclass(frozen=True, eq=False)
class Estimate:
    r"""A statistic and its uncertainty.

    Parameters
    ----------
    statistic
        Its name.
    estimate, lower, upper
        The value and its interval; nan where there is none (``reason`` says why; an interval that nobody asked for is
        nan too).
    interval_prob
        Probability of the interval.
    interval_kind
        How it was made: ``"bootstrap of items and raters"``, ``"bootstrap of items"``, ``"F"``, ``"none"`` ...
    n_items, n_raters, n_judgments
        What the value rests on.
    n_boot
        Bootstrap replicates that were drawn; 0 if none were.
    reason
        What is missing: why the value, its interval or many replicates are undefined, or which data could not be used.
    draws
        The replicates, shape (n_boot,), nan where the statistic is undefined in a resample; None without bootstrap.

    Examples
    --------
    >>> draws = np.array([0.5, 0.6, 0.7, 0.9])
    >>> found = summarise("alpha", 0.7, draws, resample="items", n_items=9, n_raters=3, n_judgments=27)
    >>> found.probability_below(0.667)
    0.5
    >>> found
    Estimate(alpha 0.7000, 95% interval 0.5075 to 0.8850, bootstrap of items)
    """

    statistic: str
    estimate: float
    lower: float
    upper: float
    interval_prob: float
    interval_kind: str
    n_items: int
    n_raters: int
    n_judgments: int
    n_boot: int = 0
    reason: str = ""
    draws: FloatArray | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """One line: value, interval and, where something is missing, why."""
        text = f"{self.statistic} {self.estimate:.4f}"
        if not np.isnan(self.lower):
            text += f", {self.interval_prob:.0%} interval {self.lower:.4f} to {self.upper:.4f}, {self.interval_kind}"
        return f"Estimate({text}; {self.reason})" if self.reason else f"Estimate({text})"

    def __float__(self) -> float:
        """Return the value."""
        return self.estimate

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return not np.isnan(self.estimate)

    @property
    def n_undefined(self) -> int:
        """Replicates in which the statistic has no value; the interval leaves them out."""
        return 0 if self.draws is None else int(np.isnan(self.draws).sum())

    def probability_below(self, value: float) -> float:
        """Share of the defined replicates below a value; nan where the statistic has no value at all.

        Parameters
        ----------
        value
            For instance 0.667 or 0.8, Krippendorff's lines for tentative and for firm conclusions.

        Returns
        -------
        float
            A probability.

        Raises
        ------
        ArgumentError
            If there are no replicates.
        """
        if self.draws is None:
            if not self.defined:
                return float("nan")
            raise ArgumentError(f"{self.statistic} has no bootstrap replicates: estimate it with n_boot=1000 or more")
        draws = self.draws[~np.isnan(self.draws)]
        return float((draws < value).mean()) if len(draws) else float("nan")

    def difference(self, other: "Estimate", *, statistic: str | None = None) -> "Estimate":
        """Subtract another estimate of the same draw of items and raters: replicates are paired.

        Parameters
        ----------
        other
            What to subtract. Replicate b of both must come from the same weights.
        statistic
            Name of the difference.

        Returns
        -------
        Estimate
            Its replicates are differences of replicates; ``n_judgments`` is the sum of both. Where one of the two has
            no value, neither has the difference, and ``reason`` says which.

        Raises
        ------
        ArgumentError
            If the two have not the same number of replicates, or intervals of different kinds.
        """
        resampled = [e for e in (self, other) if e.defined]  # what has no value has no interval to pair
        sizes = [None if e.draws is None else len(e.draws) for e in resampled]
        if len(set(sizes)) > 1:
            raise ArgumentError(
                f"replicates of {self.statistic} and {other.statistic} are not paired: {sizes[0]}, {sizes[1]}"
            )
        kinds = {e.interval_kind for e in resampled if e.draws is not None}
        if len(kinds) > 1:
            raise ArgumentError(
                f"{self.statistic} and {other.statistic} come from different resampling: {sorted(kinds)}"
            )
        draws = None
        if len(resampled) == 2 and self.draws is not None and other.draws is not None:
            draws = self.draws - other.draws
        reasons = dict.fromkeys(f"{e.statistic}: {e.reason or 'no value'}" for e in (self, other) if not e.defined)
        found = summarise(
            statistic or f"{self.statistic} - {other.statistic}",
            self.estimate - other.estimate,
            draws,
            n_items=min(self.n_items, other.n_items),
            n_raters=min(self.n_raters, other.n_raters),
            n_judgments=self.n_judgments + other.n_judgments,
            interval_prob=self.interval_prob,
            reason="; ".join(reasons),
        )
        return found if draws is None else replace(found, interval_kind=self.interval_kind)

    def to_row(self) -> dict[str, object]:
        """Return all but the replicates, by name, as a row of a table."""
        names = ("statistic", "estimate", "lower", "upper", "interval_prob", "interval_kind", "n_items", "n_raters")
        return {name: getattr(self, name) for name in (*names, "n_judgments", "n_boot", "reason")}


def summarise(
    statistic: str,
    value: float,
    draws: FloatArray | None = None,
    *,
    n_items: int,
    n_raters: int,
    n_judgments: int,
    interval_prob: float = 0.95,
    resample: str = "both",
    reason: str = "",
) -> Estimate:
    """Put a value and its replicates together as an Estimate with a percentile interval.

    Parameters
    ----------
    statistic, value
        Name and value; a value of nan needs a ``reason``.
    draws
        Replicates, nan where undefined; None, or none at all, gives no interval.
    n_items, n_raters, n_judgments
        What the value rests on.
    interval_prob
        Probability of the interval.
    resample
        What was resampled, for the interval's name.
    reason
        Why there is no value.

    Returns
    -------
    Estimate
        With an interval if at least two replicates are defined; ``reason`` counts those that are not, where they are
        more than `MANY_LOST` of all.
    """
    lower = upper = float("nan")
    kind, n_boot = "none", 0 if draws is None else len(draws)
    draws = None if n_boot == 0 else draws
    if draws is not None and not np.isnan(value):
        defined = draws[~np.isnan(draws)]
        kind = INTERVAL_KINDS[resample]
        if len(defined) >= 2:
            tail = (1 - interval_prob) / 2
            lower, upper = (float(q) for q in np.quantile(defined, [tail, 1 - tail]))
        if len(draws) - len(defined) > MANY_LOST * len(draws) or len(defined) < 2:
            lost = f"{len(draws) - len(defined):,} of {len(draws):,} resamples leave {statistic} undefined"
            lost += " and are left out of the interval" if len(defined) >= 2 else ": no interval"
            reason = f"{reason}; {lost}" if reason else lost
    return Estimate(
        statistic=statistic,
        estimate=float(value),
        lower=lower,
        upper=upper,
        interval_prob=interval_prob,
        interval_kind=kind,
        n_items=n_items,
        n_raters=n_raters,
        n_judgments=n_judgments,
        n_boot=n_boot,
        reason=reason,
        draws=draws,
    )


def shrink_interval(estimate: Estimate, spread: Spread | None, *, shrunk: FloatArray | None = None) -> Estimate:
    """Shrink replicates around the estimate where a bootstrap of items and raters overstates their spread.

    Parameters
    ----------
    estimate
        With replicates.
    spread
        How much the estimate varies; None where that cannot be told.
    shrunk
        Its replicates, where they have been shrunk on another scale; None shrinks them here.

    Returns
    -------
    Estimate
        ``interval_kind`` ends in `SCALED`. As it was, if it has no interval, or if the spread is not known, which
        ``reason`` then says.

    Notes
    -----
    See :class:`ppaint_stats.kernels.jackknife.Spread`. The replicates that were shrunk serve probabilities as well.
    """
    if estimate.draws is None or np.isnan(estimate.lower):
        return estimate
    if spread is None:
        why = f"{estimate.statistic} has no value without one of its raters: its interval is not to be trusted"
        return replace(estimate, reason=f"{estimate.reason}; {why}" if estimate.reason else why)
    prob = estimate.interval_prob
    draws = shrunk
    if draws is None:
        draws = estimate.estimate + spread.shrinkage * (estimate.draws - estimate.estimate)
    lower, upper = (float(q) for q in np.nanquantile(draws, [(1 - prob) / 2, (1 + prob) / 2]))
    return replace(estimate, draws=draws, lower=lower, upper=upper, interval_kind=f"{estimate.interval_kind}{SCALED}")


def draw_bootstrap(
    n_items: int, n_raters: int, *, n_boot: int, random_seed: RandomSeed, resample: str
) -> tuple[IntArray, IntArray]:
    """Draw the weights that every statistic of these items and raters shares.

    Parameters
    ----------
    n_items, n_raters
        How many there are.
    n_boot, random_seed, resample
        As every function of reliability takes them.

    Returns
    -------
    item_weights, rater_weights
        Of :func:`ppaint_stats.kernels.bootstrap.draw_weights`, after a first row of ones: row 0 gives the
        statistic itself. The same seed gives the same weights, so that differences of statistics are paired.
    """
    rng = np.random.default_rng(split_seed(random_seed, 1)[0])
    items, raters = draw_weights(n_items, n_raters, n_boot, rng, "items" if resample == "items" else "both")
    ones = [np.ones((1, n), dtype=np.int64) for n in (n_items, n_raters)]
    return np.concatenate([ones[0], items]), np.concatenate([ones[1], raters])


def check_bootstrap(n_boot: int, random_seed: RandomSeed, interval_prob: float, resample: str) -> None:
    """Refuse arguments that no bootstrap can use.

    Parameters
    ----------
    n_boot, random_seed, interval_prob, resample
        As every function of reliability takes them.

    Raises
    ------
    ArgumentError
        If one of them is not allowed.
    """
    check_count("n_boot", n_boot, 0)
    check_seed(random_seed)
    check_probability("interval_prob", interval_prob)
    if resample not in RESAMPLES:
        raise ArgumentError(f"resample={resample!r} is not allowed: {' or '.join(map(repr, RESAMPLES))} is")
