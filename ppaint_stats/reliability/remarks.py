"""What the text of the report on reliability remarks beside the values: width, cautions, raters, items, gaps."""

from collections import Counter
from statistics import NormalDist

import pandas as pd

from ppaint_stats.columns import RATER
from ppaint_stats.reliability.phrases import pick_rows
from ppaint_stats.reliability.raters import find_outliers
from ppaint_stats.reliability.study_cells import DIFFERENCE, PREFERENCES, RATINGS, Options
from ppaint_stats.tables import show_values

WIDE = 0.2
"""An interval of an agreement coefficient wider than this leaves open what it is good for."""

SURE = 0.95


def add_caution(design: pd.DataFrame) -> str:
    """Say what stands against reading orders, or a difference of protocols, at face value."""
    cautions = []
    split = design[design["comparison_parts"] > 1]
    if len(split):
        parts = int(split["comparison_parts"].max())
        where = "" if len(design) == 1 else f" in {len(split)} of {len(design)} cells"
        cautions.append(
            f"Comparisons fall into separate parts{where} (up to {parts:,}): across parts no comparison orders items, "
            "and what is said of orders by preferences holds within parts at best."
        )
    both = design[(design["rating_raters"] > 0) & (design["preference_raters"] > 0)]
    apart = both[both["shared_raters"] == 0]
    if len(apart):
        where = "" if len(design) == 1 else f" in {len(apart)} of {len(both)} cells"
        cautions.append(f"Nobody did both{where}: there a difference of protocols may be one of raters.")
    return " ".join(cautions)


def remark_width(summary: pd.DataFrame, options: Options) -> str:
    """Say which headline intervals are too wide to be of use."""
    if not options.n_boot:
        return ""
    headlines = {
        "alpha of ratings": (RATINGS, f"krippendorff_alpha_{options.levels[0]}"),
        "alpha_sym of preferences": (PREFERENCES, "alpha_sym"),
        "the difference of rank correlations": (DIFFERENCE, "rank_correlation"),
    }
    found = []
    for name, (protocol, statistic) in headlines.items():
        rows = pick_rows(summary, protocol, statistic)
        width = (rows["upper"] - rows["lower"]).dropna()
        wide = int((width > WIDE).sum())
        if wide and len(rows) == 1:
            found.append(f"that of {name} is {width.iloc[0]:.2f} wide")
        elif wide:
            found.append(
                f"that of {name} is wider than {WIDE} in {wide} of {len(rows)} cells (up to {width.max():.2f})"
            )
    if not found:
        return ""
    more = "More items narrow them."
    if options.resample == "both":
        more = "More raters and more items narrow them more than more judgments of the same items by the same raters."
    return f"Mind the intervals: {'; '.join(found)}. {more}"


def remark_raters(raters: pd.DataFrame, design: pd.DataFrame) -> str:
    """Name raters who stand out, and say how consistent raters are with themselves."""
    sentences = []
    if len(raters):
        flagged = find_outliers(raters)
        if len(flagged):
            names = Counter(flagged[RATER]).most_common()
            listed = [f"{name} ({n} times)" if n > 1 else str(name) for name, n in names]
            verb = "agrees" if len(names) == 1 else "agree"
            more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
            who = f"{', '.join(listed[:5])}{more}"
            sentences.append(f"{who} {verb} clearly less with the others than these do with each other (see raters).")
        biased = raters[(raters["first_lower"] > 0.5) | (raters["first_upper"] < 0.5)]
        n_known = int(raters["first_rate"].notna().sum())
        if len(biased) > max(1.0, 2 * 0.05 * n_known):
            sentences.append(
                f"{len(biased)} of {n_known} intervals of the share of the first position leave out 1/2 "
                f"({show_values(biased[RATER].unique(), limit=5)}): position bias, if the order was random."
            )
    if n := int(design["repeated_ratings"].sum()):
        sentences.append(
            f"{n:,} ratings repeat an earlier one by the same rater: between raters the first counts, and repeats give "
            "self_agreement and self_alpha."
        )
    for protocol, column in ((RATINGS, "repeated_ratings"), (PREFERENCES, "repeated_comparisons")):
        own = raters[(raters["protocol"] == protocol) & raters["self_agreement"].notna()] if len(raters) else raters
        if len(own) and design[column].sum():
            sentences.append(
                f"Repeating {protocol}, a rater gives the same judgment at a rate of "
                f"{own['self_agreement'].median():.2f} (median; self_alpha {own['self_alpha'].median():.2f})."
            )
    return " ".join(sentences)


def remark_items(items: pd.DataFrame, design: pd.DataFrame) -> str:
    """Name items that are disputed beyond what the largest of so many would be by chance."""
    n = int(design["rated"].sum() + design["compared"].sum())
    limit = NormalDist().inv_cdf(SURE ** (1 / max(n, 1)))
    beyond = items[items["z"] > limit]
    if beyond.empty:
        return ""
    names = show_values(beyond.sort_values("z", ascending=False)["item"].unique(), limit=5)
    text = "item is" if len(beyond) == 1 else "items are"
    return f"{len(beyond)} {text} disputed more than chance explains among {n} (z over {limit:.1f}): {names}."


def remark_gaps(summary: pd.DataFrame) -> str:
    """Count the statistics without a value and give the commonest reasons."""
    missing = summary[summary["estimate"].isna()]
    if missing.empty:
        return ""
    kinds = missing["reason"].str.replace(r"[\d,.%]+", "#", regex=True)
    parts = []
    for kind, n in kinds.value_counts().head(2).items():
        rows = missing[kinds == kind]
        names = rows["statistic"].unique()
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        verb = "is" if n == 1 else "are"
        example = "" if len(set(rows["reason"])) == 1 else "for example, "
        parts.append(f"{n:,} {verb} {listed} ({example}{rows['reason'].iloc[0]}).")
    verb = "has" if len(missing) == 1 else "have"
    start = f"{len(missing):,} of {len(summary):,} statistics {verb} no value; summary gives the reason of each."
    return " ".join([start, *parts])
