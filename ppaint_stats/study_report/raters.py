"""Section: the raters, how severe they are, how often they tie, and who stands out."""

from collections import Counter

import pandas as pd

from ppaint_stats.reliability.raters import find_outliers
from ppaint_stats.report import Report
from ppaint_stats.study_report.section import Finding, Section, count, list_names

DETAILS = ("category", "dimension", "protocol", "rater", "n_judgments", "leave_one_out", "leave_one_out_lower",
           "leave_one_out_upper", "severity", "tie_rate", "first_rate", "outlier_probability")  # fmt: skip


def describe_raters(report: Report) -> Section:
    """Describe each rater from the tables of the report on reliability."""
    raters = report.tables.get("raters", pd.DataFrame())
    if not len(raters) or "rater" not in raters:
        text = "The judgments do not name their raters, so that nothing can be said of them."
        return Section("Raters", {}, text, anchor="raters", missing=("Give the column rater in both tables.",))
    outliers = find_outliers(raters)
    flags = Counter(outliers["rater"])
    means = average_raters(raters, flags)
    captions = {
        "raters": "Means over categories and dimensions. Agreement: rank correlation with the mean of the others, by "
        "ratings and by preferences; "
        "severity: points of the scale below the item means, positive for strict raters; first rate: share of decided "
        "comparisons won by the item shown first; stands out: in how many cells the rater agrees clearly less with the "
        "others.",
        "by cell": "The same for each category and dimension, with intervals.",
    }
    return Section(
        "Raters", {"raters": means, "by cell": raters}, _describe(means, flags), captions=captions, anchor="raters",
        shown={"by cell": DETAILS}, folded=frozenset({"by cell"}), filters={"by cell": ("protocol", "category")},
        findings=tuple(judge_raters(raters, flags)),
    )  # fmt: skip


def average_raters(raters: pd.DataFrame, flags: "Counter[str]") -> pd.DataFrame:
    """Average what is known of each rater over cells, both protocols in one row."""
    table = pd.DataFrame(index=pd.Index(raters["rater"].unique(), name="rater"))
    for protocol, noun in (("ratings", "ratings"), ("preferences", "comparisons")):
        own = raters[raters["protocol"] == protocol].groupby("rater")
        if not len(own):
            continue
        table[noun] = own["n_judgments"].sum().reindex(table.index).fillna(0).astype(int)
        table[f"agreement_{protocol}"] = own["leave_one_out"].mean()
        habits = ["severity"] if protocol == "ratings" else ["tie_rate", "first_rate", "transitivity"]
        table[habits] = own[habits].mean().reindex(table.index)
    table["stands_out"] = [flags.get(name, 0) for name in table.index]
    return table.reset_index().dropna(axis="columns", how="all")


def judge_raters(raters: pd.DataFrame, flags: "Counter[str]") -> list[Finding]:
    """Name raters who stand out."""
    n = raters["rater"].nunique()
    if not flags:
        text = f"None of {count(n, 'rater')} agrees clearly less with the others than these do with each other."
        return [Finding("good", "raters", text, value=0.0, threshold=0.0)]
    named = [f"{name} ({count(k, 'time')})" for name, k in flags.most_common()]
    text = (
        f"{count(len(flags), 'rater')} of {n} agree{'s' * (len(flags) == 1)} clearly less with the others than these "
        f"do with each other, where none is expected: {list_names(named)}."
    )
    action = "Look at their judgments; leave one out only for a reason that is not their disagreement."
    return [Finding("look", "raters", text, action, value=float(len(flags)), threshold=0.0)]


def _describe(means: pd.DataFrame, flags: "Counter[str]") -> str:
    lines = [f"{count(means['rater'].nunique(), 'rater')} judged."]
    if "severity" in means and means["severity"].notna().any():
        known = means[means["severity"].notna()].sort_values("severity")
        first, last = known.iloc[0], known.iloc[-1]
        lines.append(
            f"Severity runs from {first['severity']:+.2f} ({first['rater']}) to {last['severity']:+.2f} "
            f"({last['rater']}) points of the scale; above 0 ratings are lower than the others'."
        )
    if "tie_rate" in means and means["tie_rate"].notna().any():
        rate = means["tie_rate"].dropna()
        lines.append(f"Ties are between {rate.min():.0%} and {rate.max():.0%} of a rater's comparisons.")
    if flags:
        lines.append(f"Standing out: {list_names(list(flags))}.")
    return " ".join(lines)
