"""Section: how far ratings and preferences can be trusted, and which of them orders items more reliably."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.report import Report
from ppaint_stats.report.tables import write_interval
from ppaint_stats.study_report.section import Finding, Section, Status, count, name_cell

TARGET = 0.8
"""Reliability of a panel's mean that is commonly asked for."""

MOST = 200
"""More raters than this are not advised."""

PANEL = {"ratings": "ICC(C,k)", "preferences": "rank_split_half"}
"""Reliability of the order that the whole panel gives."""

OVERVIEW = {"ratings": ("ICC(C,1)", "ICC(C,k)", "raters_needed_relative", "rank_correlation", "rank_split_half"),
            "preferences": ("alpha_sym", "rank_correlation", "rank_split_half", "tie_rate")}  # fmt: skip


def describe_reliability(report: Report) -> Section:
    """Put the report on reliability into a section, with a verdict for each protocol and cell."""
    summary, verdicts = report.tables["summary"], report.tables["verdicts"]
    findings = [f for protocol in PANEL for f in judge_panels(summary, protocol)] + judge_protocols(verdicts)
    tables = {"overview": lay_out(summary)}
    names = ("verdicts", "matched", "curves", "items", "summary", "checklist")
    tables |= {name: report.tables[name] for name in names if len(report.tables.get(name, ()))}
    captions = {
        "overview": "Main statistics with intervals, by category, dimension and protocol. ICC(C,k) is the "
        "reliability of the order that mean ratings of all raters give, ICC(C,1) that of one rater's; rank split "
        "half is the same for both protocols; rank correlation is that of two raters' orders; alpha sym is agreement "
        "on single comparisons beyond chance.",
        "verdicts": "Which protocol orders the items of a cell more reliably: the difference of rank correlations of "
        "two raters' orders, preferences minus ratings, and the raters that would decide what is open (with a "
        "probability of 80 %, if the difference found is the true one).",
        "matched": "Both protocols by the same statistics, on the same items.",
        "curves": "Reliability of the panel's order at equal cost.",
        "items": "Items on which raters disagree most; z is in standard errors beyond what is expected.",
        "summary": "Every statistic of reliability, with its interval or the reason why there is none.",
        "checklist": "What guidelines for reports on reliability (GRRAS) ask for, filled as far as the data tell.",
    }
    shown = {
        "verdicts": ("category", "dimension", "choice", "difference", "lower", "upper", "raters_needed"),
        "summary": ("category", "dimension", "protocol", "statistic", "estimate", "lower", "upper", "n_items",
                    "n_raters", "reason"),
    }  # fmt: skip
    return Section(
        "Reliability", tables, report.text, report.settings, captions=captions, anchor="reliability", shown=shown,
        folded=frozenset(names[1:]), filters={"summary": ("protocol", "statistic"), "items": ("category", "dimension")},
        findings=tuple(findings),
    )  # fmt: skip


def judge_panels(summary: pd.DataFrame, protocol: str) -> list[Finding]:
    """Hold the reliability of the panel's order against the target, the worst first; cells that pass share a line."""
    rows = summary[(summary["protocol"] == protocol) & (summary["statistic"] == PANEL[protocol])]
    if rows.empty:
        return []
    short, passed = [], []
    what = "Rating reliability" if protocol == "ratings" else "Preference reliability"
    for row in rows.to_dict("records"):
        if math.isnan(row["estimate"]):
            where = name_cell(row["category"], row["dimension"])
            text = f"{what} of {where} has no value: {row['reason'] or 'no data'}."
            short.append(Finding("open", protocol, text, "", where))
        elif row["estimate"] < TARGET or not row["lower"] >= TARGET:
            short.append(_judge_panel(row, protocol, what))
        else:
            passed.append(row)
    if passed:
        found = [row["estimate"] for row in passed]
        where = f"in {len(passed)} of {len(rows)} cells (category x dimension)"
        text = f"{what} is at least {TARGET}, interval and all, {where}"
        if len(rows) == 1:
            row = passed[0]
            value = write_interval(row["estimate"], row["lower"], row["upper"])
            text = f"{what} of {name_cell(row['category'], row['dimension'])} is {value}, at least {TARGET}"
        short.append(Finding("good", protocol, f"{text}.", "", "", float(np.median(found)), threshold=TARGET))
    return sorted(short, key=lambda finding: finding.value)


def _judge_panel(row: dict[Any, Any], protocol: str, what: str) -> Finding:
    value, lower, upper, n = row["estimate"], row["lower"], row["upper"], int(row["n_raters"])
    where = name_cell(row["category"], row["dimension"])
    shown = write_interval(value, lower, upper)
    below = value < TARGET
    status: Status = "bad" if below else "look"
    text = f"{what} of {where} is {shown}, below {TARGET}."
    if math.isnan(lower):
        text = f"{what} of {where} is {value:.2f}, {'below' if below else 'not below'} {TARGET}, without an interval."
    elif not below:
        text = f"{what} of {where} is {shown}: {TARGET} or more, but the interval reaches below."
    if math.isnan(lower) and not below:
        action = "Assess it with resamples (n_boot) to see how sure that is."
        return Finding(status, protocol, text, action, where, value, threshold=TARGET)
    needed = count_raters(value if below else lower, n)
    if math.isnan(needed):
        action = "No number of raters up to 200 is sure to reach it: look at the question and the items first."
    else:
        more = max(int(needed) - n, 1)
        goal = f"for {TARGET}" if below else f"for {TARGET} even at the lower end"
        action = f"Add {count(more, 'rater')} {goal} ({n + more} in all, by Spearman-Brown)."
    return Finding(status, protocol, text, action, where, value, lower, upper, TARGET)


def count_raters(reliability: float, n_raters: int, *, target: float = TARGET) -> float:
    """Count the raters that the target takes, by Spearman-Brown; nan where it is more than can be advised.

    Examples
    --------
    >>> count_raters(0.62, 5), count_raters(0.0, 5)
    (13.0, nan)
    """
    if not 0 < reliability < 1 or n_raters < 1:
        return float("nan")
    needed = math.ceil(n_raters * target * (1 - reliability) / (reliability * (1 - target)) - 1e-9)
    return float(needed) if needed <= MOST else float("nan")


def judge_protocols(verdicts: pd.DataFrame) -> list[Finding]:
    """Say which protocol orders items more reliably."""
    if verdicts.empty:
        return []
    found, n = Counter(verdicts["choice"]), len(verdicts)
    needed = verdicts.loc[verdicts["choice"] == "undecided", "raters_needed"].dropna()
    more = f"Where it is open, {needed.min():.0f} raters or more would decide it." if len(needed) else ""
    if n == 1:
        row = verdicts.iloc[0]
        words = {"undecided": "Which protocol orders the items more reliably is undecided"}
        start = words.get(row["choice"], f"{str(row['choice']).capitalize()} order the items more reliably")
        value = write_interval(row["difference"], row["lower"], row["upper"])
        text = f"{start}: difference of rank correlations, preferences minus ratings, {value}; 0 decides."
        status: Status = "good" if row["choice"] != "undecided" else "open"
        return [Finding(status, "protocols", text, more, "", row["difference"], row["lower"], row["upper"], 0.0)]
    text = (
        f"Preferences order the items more reliably in {found['preferences']} of {n} cells and ratings in "
        f"{found['ratings']}; {found['undecided']} are undecided (the interval of the difference holds 0)."
    )
    status = "open" if found["undecided"] > n / 2 else "good"
    return [Finding(status, "protocols", text, more, value=float(verdicts["difference"].median()), threshold=0.0)]


def lay_out(summary: pd.DataFrame) -> pd.DataFrame:
    """Put the main statistics of a cell and protocol side by side, each with its interval."""
    wanted = list(dict.fromkeys([*(s for s in summary["statistic"] if s.startswith("krippendorff_alpha"))][:1]
                                + [s for names in OVERVIEW.values() for s in names]))  # fmt: skip
    rows = []
    for (category, dimension, protocol), part in summary.groupby(["category", "dimension", "protocol"], sort=False):
        if protocol not in OVERVIEW:
            continue
        row: dict[str, object] = {"category": category, "dimension": dimension, "protocol": protocol}
        known = part.set_index("statistic")
        for name in wanted:
            for column, end in ((name, "estimate"), (f"{name}_lower", "lower"), (f"{name}_upper", "upper")):
                row[column] = float(known.loc[name, end]) if name in known.index else np.nan
        rows.append(row)
    table = pd.DataFrame(rows)
    empty = [name for name in wanted if len(table) and table[name].isna().all()]
    return table.drop(columns=[f"{name}{end}" for name in empty for end in ("", "_lower", "_upper")])
