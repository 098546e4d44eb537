"""The agreement of fusions in words, written from the numbers of its tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION

VERDICTS = {
    "real": "Real: raters who share no judgment agree on these items, and both fusions show it.",
    "mostly common input": (
        "Mostly common input: across raters who share no judgment something is left, but less than half of what is "
        "observed."
    ),
    "artificial": "ARTIFICIAL: these two agree only on shared input, and on nothing across raters who share none.",
    "undecided": "Undecided: the halves are too small to tell agreement about the items from common input.",
    "no agreement": "No agreement: the two do not surely agree even though they see the same judgments.",
    "not computed": "Agreement across halves of the raters could not be computed: nothing can be said of shared input.",
}


def describe_agreement(tables: Mapping[str, pd.DataFrame], notes: Sequence[str], *, prob: float) -> str:
    """Describe each pair of fusions in a paragraph, then the notes."""
    verdicts = tables.get("verdicts")
    paragraphs = []
    for k, row in enumerate(tables["summary"].to_dict("records")):
        text = f"{row['fusion_a']} and {row['fusion_b']}: median rank correlation {row['srcc']:.3f}"
        if np.isfinite(row["mean_difference"]):
            text += f", mean absolute difference {row['mean_difference']:.3f} rating units"
        if np.isfinite(row["difference_over_sd"]):
            text += f" ({row['difference_over_sd']:.2f} mean standard errors)"
        lines = [text + "."]
        if verdicts is not None:
            lines += _describe_shared(verdicts.iloc[k], tables["shared_inputs"], prob)
        paragraphs.append(" ".join(lines))
    return "\n\n".join([*paragraphs, *notes])


def _describe_shared(row: pd.Series, cells: pd.DataFrame, prob: float) -> list[str]:
    lines = [VERDICTS[row["verdict"]]]
    if np.isfinite(row["cross_half"]):
        lines.append(
            f"On the same half of the raters they agree at {row['same_half']:.3f}, on disjoint halves at "
            f"{_show(row, 'cross_half', prob)}: {_show(row, 'shared_part')} of it is common input. Where items are "
            f"exchanged at random, as much is found across halves with p = {row['p_value']:.3g}; judgments that were "
            f"emptied give {row['same_emptied']:.3f} on the same half and {row['cross_emptied']:.3f} across."
        )
        if np.isfinite(row["ratio"]):
            lines.append(f"Corrected for the halves' own reliability the two correlate at {_show(row, 'ratio')}.")
        own = cells[(cells["fusion_a"] == row["fusion_a"]) & (cells["fusion_b"] == row["fusion_b"])]
        odd = own[(own["verdict"] != row["verdict"]) & (own["verdict"] != "not computed")]
        if len(odd):
            named = [f"{a}, {b}: {c}" for a, b, c in odd[[CATEGORY, DIMENSION, "verdict"]].to_numpy()[:5]]
            more = "; ..." if len(odd) > len(named) else ""
            lines.append(f"By itself it is otherwise in {len(odd)} of {len(own)} cells ({'; '.join(named)}{more}).")
    if np.isfinite(row["permuted"]):
        alone = row["preferences_only"]
        rest = f", with preferences only at {alone:.3f}" if np.isfinite(alone) else ""
        lines.append(f"With permuted ratings they agree at {row['permuted']:.3f}{rest}.")
    if np.isfinite(row["ratings_part_lower"]):
        nothing = "" if row["ratings_part_lower"] > 0 else ", which is not told from nothing"
        lines.append(f"The ratings add {_show(row, 'ratings_part')} to the agreement across halves{nothing}.")
    return lines


def _show(row: pd.Series, name: str, prob: float | None = None) -> str:
    """Value and limits."""
    text = f"{row[name]:.3f}"
    if np.isfinite(row[f"{name}_lower"]):
        head = "" if prob is None else f"{prob:.0%} interval "
        text += f" ({head}{row[f'{name}_lower']:.3f} to {row[f'{name}_upper']:.3f})"
    return text
