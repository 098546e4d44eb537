"""The verdict: which protocol orders the items of a cell more reliably, and what would decide it if that is open."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.jackknife import Spread
from ppaint_stats.reliability.estimate import SCALED, Estimate
from ppaint_stats.reliability.matched import ProtocolMatch

type Choice = Literal["preferences", "ratings", "undecided"]

HEADLINE = "rank_correlation"
"""The statistic that decides."""

SINGLE = "alpha_tie_matched"
"""The statistic of single judgments beside it."""

POWER = 0.8
"""Probability of a decision that `Verdict.raters_needed` aims at."""

MOST_RATERS = 200
"""Largest number of raters that is looked at."""

ROUNDING = 1e-9
"""Differences that are zero but for rounding."""

COLUMNS = (
    "comparison",
    "statistic",
    "ratings",
    "preferences",
    "difference",
    "lower",
    "upper",
    "choice",
    "judgments_per_item",
    "reason",
)


@dataclass(frozen=True, eq=False)
class Verdict:
    """Result of `judge_protocols`.

    Parameters
    ----------
    choice
        ``"preferences"``, ``"ratings"`` or ``"undecided"``.
    statistic
        What decides: ``"rank_correlation"``.
    difference, lower, upper
        Preferences - ratings, with its interval; nan where there is none.
    interval_prob
        Probability of the interval.
    text
        The verdict in words.
    raters_needed
        Raters, the same number in both protocols, that would decide with a probability of 80 % if the true difference
        were the one found; nan where it is decided, cannot be said, or is more than `MOST_RATERS`.
    comparisons
        The comparison that decides and those beside it: ``comparison, statistic, ratings, preferences, difference,
        lower, upper, choice, judgments_per_item`` (by all raters, the same in both at equal cost, else nan),
        ``reason``.
    category, dimension
        The cell.
    """

    choice: Choice
    statistic: str
    difference: float
    lower: float
    upper: float
    interval_prob: float
    text: str
    raters_needed: float
    comparisons: pd.DataFrame = field(repr=False)
    category: str
    dimension: str

    def __str__(self) -> str:
        """Return the verdict in words."""
        return self.text


def judge_protocols(match: ProtocolMatch) -> Verdict:
    r"""Say which protocol orders the items more reliably, or that these judgments do not tell.

    Parameters
    ----------
    match
        Of `match_protocols`, with intervals.

    Returns
    -------
    Verdict
        Choice, difference with its interval, and the verdict in words.

    Raises
    ------
    ArgumentError
        If the match was made without bootstrap replicates.

    Notes
    -----
    *What decides* is the reliability of a single rater's order: the Spearman correlation that two raters of the
    population can be expected to have, over items of the population, with the judgments as each protocol
    collected them: :math:`\rho_P` between scores derived from each rater's comparisons, :math:`\rho_R` between
    ratings. The verdict is a protocol if the interval of :math:`\rho_P - \rho_R` excludes 0, and else
    ``"undecided"``. The interval is that of `match_protocols`: at 95 %, one verdict in twenty may be wrong where the
    two are truly equal, and less than one in forty names the wrong protocol where they are not.

    Why this statistic: both protocols have it in the same unit, whatever their scales and their ties; it is a mean over
    pairs of raters, so that its expected value does not depend on how many raters there are; and W, the mean
    correlation with the panel and the reliability of the panel's order all grow with it, so that they would name the
    same protocol. It is not corrected for the noise of scores derived from few comparisons: who compares little has a
    less reliable order, and this is part of what is judged.

    *Beside it*, with choices of their own that do not enter the verdict:

    - *at equal cost*: the reliability of the panel's mean order when comparisons are thinned to as many judgments per
      item as there were ratings (a row of ``curves``, see `trace_costs`; left out where these were not traced);
    - *single judgments*: ``alpha_tie_matched``, agreement of single comparisons, made or implied, beyond chance after
      ties have been matched. It says which act of judgment is more repeatable, not which order is.

    *Raters needed.* Raters' own variance and their interactions with items are taken to fall as 1 / raters, that of
    the items to stay (:class:`ppaint_stats.kernels.jackknife.Spread`). It is a rough number: the difference that was
    found need not be the true one. Items could be added as well, which is not looked into.

    Two raters do not tell how much raters differ; then, as where the difference has no value, it stays undecided.

    Examples
    --------
    >>> from ppaint_stats import PPaintDesign, simulate_study
    >>> from ppaint_stats.reliability.matched import match_protocols
    >>> design = PPaintDesign(n_categories=1, n_raters=12, dimensions=("mood",), rating_slope=0.4)
    >>> study = simulate_study(design, random_seed=1).study
    >>> verdict = judge_protocols(match_protocols(study, n_boot=300, random_seed=1, n_subsets=0))
    >>> verdict.choice
    'preferences'
    """
    sides = match.estimates[HEADLINE]
    found = sides["difference"]
    if found.defined and found.draws is None:
        raise ArgumentError("a verdict needs intervals: match_protocols with n_boot=1000 or more")
    spread = match.spreads.get(HEADLINE)
    choice = _choose(found)
    n_raters = min(sides["ratings"].n_raters, sides["preferences"].n_raters)
    needed = float("nan")
    if choice == "undecided" and spread is not None and match.settings["resample"] == "both":
        needed = count_raters(found.estimate, spread, n_raters=n_raters, prob=found.interval_prob)
    comparisons = _compare(match)
    return Verdict(
        choice=choice,
        statistic=HEADLINE,
        difference=found.estimate,
        lower=found.lower,
        upper=found.upper,
        interval_prob=found.interval_prob,
        text=" ".join([_say(match, choice, needed), *_say_beside(comparisons, found.interval_prob)]),
        raters_needed=needed,
        comparisons=comparisons,
        category=match.category,
        dimension=match.dimension,
    )


def count_raters(difference: float, spread: Spread, *, n_raters: int, prob: float, power: float = POWER) -> float:
    """Smallest number of raters whose interval would exclude 0 with this probability, if this were the difference.

    Parameters
    ----------
    difference
        The true difference.
    spread
        Of the difference, with ``n_raters`` raters.
    n_raters
        Raters there are.
    prob, power
        Probability of the interval, and of a decision.

    Returns
    -------
    float
        Nan where it is more than `MOST_RATERS`.
    """
    from scipy import special

    ends, sure = special.ndtri((1 + prob) / 2), special.ndtri(power)
    for m in range(n_raters + 1, MOST_RATERS + 1):
        variance, wide = spread.scale_raters(m / n_raters)
        if abs(difference) > ends * np.sqrt(wide) + sure * np.sqrt(variance):
            return float(m)
    return float("nan")


def _choose(difference: Estimate) -> Choice:
    """Name a protocol if the interval is to be trusted and excludes 0."""
    if not difference.interval_kind.endswith(SCALED):
        return "undecided"
    return _choose_by_ends(difference.lower, difference.upper)


def _choose_by_ends(lower: float, upper: float) -> Choice:
    return "preferences" if lower > ROUNDING else "ratings" if upper < -ROUNDING else "undecided"


def _compare(match: ProtocolMatch) -> pd.DataFrame:
    """The comparison that decides and those beside it."""
    rows: list[tuple[object, ...]] = []
    for comparison, name in (("single rater's order", HEADLINE), ("single judgments", SINGLE)):
        found = match.estimates[name]
        gap = found["difference"]
        values = [found["ratings"].estimate, found["preferences"].estimate, gap.estimate, gap.lower, gap.upper]
        rows.append((comparison, name, *values, _choose(gap), np.nan, gap.reason))
    if len(match.curves):
        off = np.abs(np.log(match.curves["rating_raters"] / match.counts["n_rating_raters"]))
        row = match.curves.loc[off.idxmin()]
        trusted = match.spreads.get(HEADLINE) is not None
        choice = _choose_by_ends(row["difference_lower"], row["difference_upper"]) if trusted else "undecided"
        names = ("ratings_estimate", "preferences_estimate", "difference", "difference_lower", "difference_upper")
        values = [float(row[name]) for name in names]
        ends = (choice, float(row["judgments_per_item"]), row["reason"])
        rows.insert(1, ("panel's order at equal cost", "panel_reliability", *values, *ends))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _say(match: ProtocolMatch, choice: Choice, needed: float) -> str:
    """The verdict itself in words."""
    sides = match.estimates[HEADLINE]
    gap, counts = sides["difference"], match.counts
    if not gap.defined:
        return f"Undecided: the orders of two raters cannot be compared in both protocols ({gap.reason})."
    values = (
        f"the orders of two raters correlate {_round(sides['preferences'].estimate)} by preferences and "
        f"{_round(sides['ratings'].estimate)} by ratings, a difference of {_sign(gap.estimate)}"
    )
    if not gap.interval_kind.endswith(SCALED):
        few = min(sides["ratings"].n_raters, sides["preferences"].n_raters) < 3
        why = "fewer than three raters" if few else "raters of whom one cannot be left out without losing the value"
        return f"Undecided: {values}, but {why} do not tell how much raters differ."
    values += f" ({gap.interval_prob:.0%} interval {_sign(gap.lower)} to {_sign(gap.upper)})"
    of_whom = "raters like these" if match.settings["resample"] == "both" else "these raters"
    if choice != "undecided":
        other = "ratings" if choice == "preferences" else "preferences"
        each = 2 * counts["n_comparisons"] / (counts["n_items"] * counts["n_preference_raters"])
        once = counts["n_ratings"] / (counts["n_items"] * counts["n_rating_raters"])
        return (
            f"{choice.capitalize()} order the items more reliably than {other}, for {of_whom}: {values}. That is for "
            f"the judgments as collected, {each:.1f} comparisons and {once:.1f} ratings of an item by one rater."
        )
    text = f"Undecided, for {of_whom}: {values}."
    if match.settings["resample"] != "both":
        return f"{text} More items would narrow the interval."
    if abs(gap.estimate) < ROUNDING:
        return text
    if np.isnan(needed):
        return (
            f"{text} If this is the true difference, not even {MOST_RATERS} raters would decide it on "
            f"{counts['n_items']} items with a probability of {POWER:.0%}."
        )
    n_raters = min(sides["ratings"].n_raters, sides["preferences"].n_raters)
    return (
        f"{text} If this is the true difference, {needed:.0f} raters instead of {n_raters} would decide it with a "
        f"probability of {POWER:.0%}."
    )


def _say_beside(comparisons: pd.DataFrame, prob: float) -> list[str]:
    """One sentence for each comparison beside the verdict that has a value."""
    found = []
    for row in comparisons.iloc[1:].to_dict("records"):
        if np.isnan(row["difference"]):
            continue
        cost = f" ({row['judgments_per_item']:.1f} judgments per item)" if row["judgments_per_item"] > 0 else ""
        what = {
            "panel_reliability": f"At equal cost{cost} the reliability of the panel's mean order is",
            SINGLE: "Of single judgments, with ties matched, alpha_sym is",
        }[row["statistic"]]
        choice = "undecided" if row["choice"] == "undecided" else f"{row['choice']} higher"
        found.append(
            f"{what} {_round(row['preferences'])} by preferences and {_round(row['ratings'])} by ratings "
            f"({_sign(row['difference'])}, {prob:.0%} interval {_sign(row['lower'])} to {_sign(row['upper'])}: "
            f"{choice})."
        )
    return found


def _round(x: float) -> str:
    """Write a value with three digits; what rounds to 0 has no sign."""
    return f"{round(x, 3) + 0.0:.3f}"


def _sign(x: float) -> str:
    """Write a difference with its sign; what rounds to 0 is +0.000."""
    return f"{round(x, 3) + 0.0:+.3f}"
