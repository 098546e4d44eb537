"""The verdict of a cross-validation, and its tables in words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ppaint_stats.validation.held_out_tables import ALL, BASE, OWN

JOINT = ("bayes", "laplace", "davidson", "elo", "thurstone")
"""Joint fusions in the order in which one of them is judged."""


def judge_joint(
    scores: pd.DataFrame, differences: pd.DataFrame, uses: Mapping[str, str], margin: float, *, both: bool
) -> tuple[pd.DataFrame, bool | None]:
    """Compare joint fusions with the best single protocol.

    Parameters
    ----------
    scores, differences
        Tables of the cross-validation.
    uses
        Protocols of each method.
    margin
        Nats per judgment.
    both
        Whether the study has both protocols.

    Returns
    -------
    tuple
        A row per joint fusion and predicted protocol: the best single one, which is chosen for that protocol and with
        hindsight, the difference with its interval, and "not worse", "worse" or "not decided"; and the verdict on the
        first of :data:`JOINT` over all judgments.
    """
    singles = [method for method, protocols in uses.items() if protocols != "both"]
    joint = [method for method, protocols in uses.items() if protocols == "both"]
    if not singles or not joint or not both:
        return pd.DataFrame(), None
    joint.sort(key=lambda method: JOINT.index(method.partition(":")[0]))
    present = set(scores["method"])
    rows = []
    for protocol, part in scores.groupby("protocol", sort=False):
        log = part.set_index("method")["log_score"]
        best = max(singles, key=lambda method: float(log[method]))
        for method in [name for own in joint for name in (own, own + OWN) if name in present]:
            difference, lower, upper = _find(differences, method, best, str(protocol))
            known = np.isfinite(lower)
            word = "not worse" if known and lower > -margin else "worse" if known and upper < -margin else "not decided"
            rows.append({"method": method, "protocol": protocol, "best_single": best, "difference": difference,
                         "lower": lower, "upper": upper, "margin": margin, "verdict": word})  # fmt: skip
    table = pd.DataFrame(rows)
    last = table["protocol"].iloc[-1]  # all judgments, or the only protocol
    head = table[(table["method"] == joint[0]) & (table["protocol"] == last)].iloc[0]
    return table, {"not worse": True, "worse": False}.get(str(head["verdict"]))


def _find(differences: pd.DataFrame, a: str, b: str, protocol: str) -> tuple[float, float, float]:
    """Difference a - b with its interval, whichever way round the table holds it."""
    part = differences[differences["protocol"] == protocol]
    row = part[(part["method_a"] == a) & (part["method_b"] == b)]
    if len(row):
        first = row.iloc[0]
        return float(first["difference"]), float(first["lower"]), float(first["upper"])
    first = part[(part["method_a"] == b) & (part["method_b"] == a)].iloc[0]
    return -float(first["difference"]), -float(first["upper"]), -float(first["lower"])


def describe_validation(tables: Mapping[str, pd.DataFrame], *, by: str, margin: float, prob: float) -> str:
    """Write the result in plain words."""
    paragraphs = []
    what = "Each rater in turn was left out" if by == "rater" else "The comparisons of groups of items were left out"
    first = (
        f"{what}, and predicted from the rest. Log scores are in nats a judgment above those of predictions without "
        "any score; higher is better."
    )
    lines = [first]
    scores = tables["scores"]
    for protocol, part in scores.groupby("protocol", sort=False):
        own = part[part["method"] != BASE].sort_values("gain", ascending=False, kind="stable")
        n = part["judgments"].iloc[0]
        name = "all judgments together, each counting once" if protocol == ALL else str(protocol)
        listed = ", ".join(f"{m} {g:+.3f}" for m, g in zip(own["method"], own["gain"], strict=True))
        lines.append(f"Of {name} ({n:,.0f}): {listed}.")
    paragraphs.append(" ".join(lines))
    if "verdict" in tables:
        paragraphs.append(_describe_verdict(tables["verdict"], margin, prob))
    paragraphs += _describe_folds(tables["folds"])
    return "\n\n".join(paragraphs)


def _describe_verdict(verdict: pd.DataFrame, margin: float, prob: float) -> str:
    first = verdict["method"].iloc[0]
    lines = []
    for row in verdict[verdict["method"] == first].iloc[::-1].to_dict("records"):
        about = "all judgments" if row["protocol"] == ALL else str(row["protocol"])
        single = f"the best single protocol ({row['best_single']})"
        words = {
            "not worse": f"is not worse than {single} by more than {margin:g} nats a judgment",
            "worse": f"is worse than {single} by more than {margin:g} nats a judgment",
            "not decided": f"may or may not be worse than {single} by {margin:g} nats a judgment: it is not decided",
        }[row["verdict"]]
        lines.append(
            f"Predicting {about}, the joint fusion ({first}) {words}; difference {row['difference']:+.4f} "
            f"[{row['lower']:+.4f}, {row['upper']:+.4f}] ({prob:.0%} interval)."
        )
    return " ".join(lines)


def _describe_folds(folds: pd.DataFrame) -> list[str]:
    lines = []
    for method, part in folds.groupby("method", sort=False):
        lost = part[~part["fitted"]]
        if len(lost):
            lines.append(
                f"{method} could not be fitted in {len(lost)} of {len(part)} folds, which were predicted as without "
                f"scores ({lost['reason'].iloc[0]})."
            )
        shaky = int((part["fitted"] & ~part["converged"]).sum())
        if shaky:
            lines.append(f"{method} did not pass its convergence gate in {shaky} of {len(part)} folds.")
        unknown = part.loc[part["fitted"], ["ratings_without_score", "comparisons_without_score"]].sum()
        if unknown.any():
            lines.append(
                f"{method} had no score for {unknown.iloc[0]} ratings and {unknown.iloc[1]} comparisons, which were "
                "predicted as without scores."
            )
    return [" ".join(lines)] if lines else []
