"""The text of a plan, written from its tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ppaint_stats.planning.designs import SAME


def write_plan(
    table: pd.DataFrame, recommended: pd.DataFrame, *, width: str, facts: Mapping[str, object], source: str
) -> str:
    """Say what the tables show and what they rest on.

    Parameters
    ----------
    table
        Designs with their outlook.
    recommended
        Answers to the questions asked.
    width
        Column of the widths asked for.
    facts
        Settings of the plan.
    source
        Where the assumptions come from, as a phrase.

    Returns
    -------
    str
        Paragraphs.
    """
    parts = [_answer({str(k): v for k, v in row.items()}, width, facts) for row in recommended.to_dict("records")]
    start = table[table["minutes"] == 0]
    if len(start):
        row = start.iloc[0]
        parts.insert(0, f"The pilot as it stands: intervals {row[width]:.3g} wide, rank correlation {row['srcc']:.2f}.")
    known = table[table["frontier"]].sort_values("minutes")
    known = known[known["minutes"] > 0]
    if len(known) > 1:
        first, last = known.iloc[0], known.iloc[-1]
        parts.append(
            f"Among {len(table)} designs, {len(known)} are worth their price: nothing as cheap gives narrower "
            f"intervals. They run from {first['hours']:.1f} hours for intervals {first[width]:.3g} wide to "
            f"{last['hours']:.1f} hours for {last[width]:.3g}."
        )
    parts.append(_state_assumptions(facts, source, table))
    return "\n\n".join(parts)


def describe_design(row: Mapping[str, object]) -> str:
    """Say what a design asks of whom."""
    n = int(str(row["raters"]))
    tasks = []
    if row["ratings_per_item"]:
        times = int(str(row["ratings_per_item"]))
        tasks.append("rate every item" + ("" if times == 1 else " twice" if times == 2 else f" {times} times"))
    if row["pairs_per_rater"]:
        tasks.append(f"compare {row['pairs_per_rater']:,} pairs")
    who = f"the {n} raters of the pilot" if row["who"] == SAME else f"{n} rater{'s' if n > 1 else ''}"
    return f"{who} {'each ' if n > 1 else ''}{' and '.join(tasks)}" if tasks else "nothing more is judged"


def _answer(row: Mapping[str, object], width: str, facts: Mapping[str, object]) -> str:
    fate = "" if row["reached"] else " No design of the grid gets there; the nearest: "
    question = str(row["question"])
    told = f"{question[0].upper()}{question[1:]}:" + (fate or " ")
    value = float(str(row[width]))
    wide = f"{facts['interval_prob']:.0%} intervals {value:.3g} wide on average, " if np.isfinite(value) else ""
    return (
        f"{told}{describe_design(row)} ({row['minutes']:,.0f} minutes). Expected: {wide}rank correlation with the "
        f"truth {row['srcc']:.2f}, {row['pairs_right']:.0%} of item pairs in the right order, the best item found with "
        f"probability {row['best_right']:.2f}."
    )


def _state_assumptions(facts: Mapping[str, object], source: str, table: pd.DataFrame) -> str:
    words = [
        f"Assumptions come from {source}, averaged over {facts['n_worlds']} draws of items and raters.",
        "Scores are those of fuse_bayes, its posterior taken as normal, judgments telling what they tell on average.",
        f"Widths are means over items and dimensions, for target {facts['target']!r}, in points of the rating scale.",
    ]
    if (table["ratings"] == 0).any():
        words.append("Comparisons alone give no score on the rating scale, hence no width.")
    if facts["pilot_kept"]:
        words.append("Judgments of the pilot are kept; ratings and pairs of a design come on top of them.")
    return " ".join(words)
