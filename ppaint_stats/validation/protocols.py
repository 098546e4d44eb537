"""Whether ratings and preferences measure one thing, and on which items they do not."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_positive, check_probability
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.report import Report
from ppaint_stats.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

NAMED = 5
"""Items that the text names; the table holds all."""


def compare_protocols(
    fusion: Fusion,
    *,
    interval_prob: float | None = None,
    high: float = 0.9,
    margin: float = 0.5,
) -> Report:
    r"""Compare what ratings and preferences say of the items, by a fusion that let them differ.

    Parameters
    ----------
    fusion
        A fusion by ``fuse_bayes(study, protocol_discrepancy=True)``.
    interval_prob
        Probability of the intervals; None takes the fusion's.
    high
        Correlation above which the protocols count as measuring one thing.
    margin
        Difference that counts as a disagreement about an item, in standard deviations of the items.

    Returns
    -------
    Report
        Tables "correlation" (a row per dimension) and "items" (a row per category, dimension and item, the most certain
        disagreements first); see Notes.

    Raises
    ------
    ArgumentError
        If the fusion did not let the protocols differ, or an argument is not allowed.

    Notes
    -----
    With :math:`\theta` the consensus behind the preferences and :math:`\theta'` that behind the ratings,
    :math:`\theta' = \rho\theta + \sqrt{1 - \rho^2}\,\text{other}`, and :math:`\rho \sim U(-1, 1)`.

    "correlation": the posterior of :math:`\rho`: ``mean``, ``median``, the equal-tailed interval ``lower, upper``, the
    shortest interval ``shortest_lower, shortest_upper``, the one-sided bound ``at_least``, above which :math:`\rho`
    lies with the intervals' probability, ``p_high`` = P(rho > high), and a ``verdict``. As rho cannot exceed 1, an
    equal-tailed interval never reaches 1, even where the protocols measure one thing: then read ``at_least``,
    ``p_high`` and whether the shortest interval goes up to 1.

    "items": ``difference``, posterior mean of :math:`(\theta'_i - \theta_i) / \sigma` with :math:`\sigma` the items'
    spread (positive: rated higher than preferred), its ``lower, upper``, ``p_sign`` (that it has the sign of its mean),
    ``p_beyond`` = P(\|difference\| > margin), and the mean rank by either protocol with its interval. The closer rho
    is to 1, the more the differences are drawn towards zero.

    Examples
    --------
    >>> import warnings
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=3, dimensions=("overall",), n_pairs=20)
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # a study and a fit as small as this are for show
    ...     fusion = ps.fuse_bayes(
    ...         study, protocol_discrepancy=True, draws=100, tune=200, chains=1, random_seed=1, progressbar=False
    ...     )
    >>> report = compare_protocols(fusion)
    >>> list(report.tables)
    ['correlation', 'items']
    """
    if not isinstance(fusion, Fusion):
        raise ArgumentError(f"compare_protocols takes a fusion, not a {type(fusion).__name__}")
    prob = fusion.settings["interval_prob"] if interval_prob is None else interval_prob
    check_probability("interval_prob", prob)
    check_probability("high", high)
    check_positive("margin", margin)
    if fusion.posterior is None or not fusion.settings.get("protocol_discrepancy"):
        raise ArgumentError(
            f"{fusion!r} gave both protocols one utility, so that it cannot tell whether they differ; fit the study "
            "with fuse_bayes(study, protocol_discrepancy=True)"
        )
    posterior = fusion.posterior["posterior"].to_dataset()
    correlation = _describe_correlation(posterior, prob=prob, high=high)
    items = _rank_disagreements(fusion, posterior, prob=prob, margin=margin)
    return Report(
        title="Ratings against preferences",
        tables={"correlation": correlation, "items": items},
        text=_put_in_words(fusion, correlation, items, prob=prob, high=high, margin=margin),
        settings={
            "fusion": repr(fusion),
            "interval_prob": prob,
            "high": high,
            "margin": margin,
            "converged": fusion.converged,
        },
    )


def shortest_interval(values: FloatArray, prob: float) -> tuple[float, float]:
    """Shortest interval that holds a share ``prob`` of the draws: of highest density where there is one mode."""
    ordered = np.sort(values)
    n = len(ordered)
    inside = min(max(int(np.ceil(prob * n)), 1), n)
    start = int(np.argmin(ordered[inside - 1 :] - ordered[: n - inside + 1]))
    return float(ordered[start]), float(ordered[start + inside - 1])


def _draws(posterior: "xr.Dataset", name: str, *dims: str) -> FloatArray:
    """Draws of a quantity, those of all chains on the first axis."""
    values = np.asarray(posterior[name].transpose("chain", "draw", *dims).to_numpy(), dtype=float)
    return values.reshape(-1, *values.shape[2:])


def _describe_correlation(posterior: "xr.Dataset", *, prob: float, high: float) -> pd.DataFrame:
    rho = _draws(posterior, "protocol_correlation", DIMENSION)
    rows = []
    for d, dimension in enumerate(posterior[DIMENSION].to_numpy().tolist()):
        values = rho[:, d]
        lower, median, upper = np.quantile(values, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
        shortest = shortest_interval(values, prob)
        p_high = float((values > high).mean())
        rows.append(
            {
                DIMENSION: dimension,
                "mean": float(values.mean()),
                "median": float(median),
                "lower": float(lower),
                "upper": float(upper),
                "shortest_lower": shortest[0],
                "shortest_upper": shortest[1],
                "at_least": float(np.quantile(values, 1 - prob)),
                "p_high": p_high,
                "verdict": "one thing" if p_high >= prob else "two things" if p_high <= 1 - prob else "undecided",
            }
        )
    return pd.DataFrame(rows)


def _rank_disagreements(fusion: Fusion, posterior: "xr.Dataset", *, prob: float, margin: float) -> pd.DataFrame:
    rated, preferred = (_draws(posterior, name, ITEM, DIMENSION) for name in ("consensus_rating", "consensus"))
    spread = _draws(posterior, "item_sd", DIMENSION)
    names = pd.MultiIndex.from_arrays([posterior["item_category"].to_numpy(), posterior[ITEM].to_numpy()])
    dimensions = posterior[DIMENSION].to_numpy().tolist()
    tails = [(1 - prob) / 2, (1 + prob) / 2]
    parts = []
    for (category, dimension), group in fusion.scores.groupby([CATEGORY, DIMENSION], sort=False):
        d = dimensions.index(dimension)
        places = names.get_indexer(pd.MultiIndex.from_arrays([[category] * len(group), group[ITEM]]))
        a, b = rated[:, places, d], preferred[:, places, d]
        difference = (a - b) / spread[:, d, None]
        lower, upper = np.quantile(difference, tails, axis=0)
        above = (difference > 0).mean(axis=0)
        mean = difference.mean(axis=0)
        part = {
            CATEGORY: category,
            DIMENSION: dimension,
            ITEM: group[ITEM].to_numpy(),
            "difference": mean,
            "lower": lower,
            "upper": upper,
            "p_sign": np.where(mean >= 0, above, 1 - above),
            "p_beyond": (np.abs(difference) > margin).mean(axis=0),
        }
        for protocol, values in (("rating", a), ("preference", b)):
            ranks = (-values).argsort(axis=1).argsort(axis=1) + 1
            low, top = np.quantile(ranks, tails, axis=0, method="nearest")
            part |= {f"{protocol}_rank": ranks.mean(axis=0)}
            part |= {f"{protocol}_rank_lower": low, f"{protocol}_rank_upper": top}
        parts.append(pd.DataFrame(part))
    table = pd.concat(parts, ignore_index=True)
    order = pd.DataFrame({"p": table["p_beyond"], "size": table["difference"].abs()})
    return table.loc[order.sort_values(["p", "size"], ascending=False, kind="stable").index].reset_index(drop=True)


def _put_in_words(
    fusion: Fusion, correlation: pd.DataFrame, items: pd.DataFrame, *, prob: float, high: float, margin: float
) -> str:
    meaning = {
        "one thing": "ratings and preferences measure one thing, as far as these judgments can tell",
        "two things": f"ratings and preferences do not measure one thing: the correlation is below {high:g}",
        "undecided": f"these judgments do not settle whether the correlation is above {high:g}",
    }
    lines = [
        f"{row[DIMENSION]}: correlation across protocols {row['mean']:.2f} ({prob:.0%} interval {row['lower']:.2f} "
        f"to {row['upper']:.2f}; above {row['at_least']:.2f} with probability {prob:g}); P(above {high:g}) = "
        f"{row['p_high']:.2f}: {meaning[row['verdict']]}."
        for row in correlation.to_dict("records")
    ]
    sure = items[items["p_beyond"] >= prob]
    expected = items["p_beyond"].sum()
    text = (
        f"By more than {margin:g} sd of the items the protocols disagree about {expected:.1f} of {len(items)} items "
        f"(expected number), and about {len(sure)} with probability {prob:g} or more"
    )
    if len(sure):
        named = zip(sure[ITEM].head(NAMED), sure["difference"].head(NAMED), strict=True)
        first = [f"{item} ({'rated' if value > 0 else 'preferred'} higher)" for item, value in named]
        text += f": {', '.join(first)}{', ...' if len(sure) > NAMED else ''}"
    lines.append(text + ".")
    if not fusion.converged:
        lines.append("The fit did NOT CONVERGE: none of this can be relied on before it does.")
    if fusion.settings.get("approximate"):
        lines.append("The posterior is approximate.")
    return "\n\n".join(lines)
