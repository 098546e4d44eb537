"""Section: whether ratings and preferences, and different fusions, agree, and what shared inputs explain of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.fusion import Fusion
from ppaint_stats.report import Report
from ppaint_stats.study_report.section import Finding, Section, Status, count, name_cell

CLOSE = 0.9
"""Rank correlation from which two fusions are called close."""

AGREEMENT = ("fusion_a", "fusion_b", "category", "dimension", "n_items", "srcc", "srcc_lower", "srcc_upper",
             "mean_difference", "max_difference", "ccc")  # fmt: skip
SHARED = ("fusion_a", "fusion_b", "category", "dimension", "observed", "same_half", "cross_half", "cross_half_lower",
          "cross_half_upper", "shared_part", "ratings_part", "p_value", "verdict")  # fmt: skip
STATUS: dict[str, Status] = {"real": "good", "mostly common input": "look", "artificial": "bad", "no agreement": "bad"}
NULLS = "What shared inputs explain takes refits: run ppaint report with --nulls, or ppaint compare with --study."


def describe_agreement(
    comparison: Report | None, protocols: Report | Sequence[Fusion] | None, *, missing: tuple[str, ...] = ()
) -> Section:
    """Describe the agreement of fusions, and of the two protocols."""
    tables: dict[str, pd.DataFrame] = {}
    texts, findings, absent = [], [], list(missing)
    settings: dict[str, object] = {}
    if comparison is not None:
        tables |= comparison.tables
        texts.append(comparison.text)
        findings += judge_fusions(comparison)
        settings |= dict(comparison.settings)
        if "verdicts" not in tables:
            absent.append(NULLS)
    if isinstance(protocols, Report):
        tables |= {f"protocol {name}": table for name, table in protocols.tables.items()}
        texts.append(protocols.text)
        findings += judge_correlation(protocols)
    elif protocols:
        table = correlate_protocols(*protocols)
        tables["protocols"] = table
        finding = judge_orders(table)
        texts.append(finding.text)
        findings.append(finding)
        absent.append(
            "How far both protocols measure one thing, apart from noise, takes the joint model: ppaint fuse STUDY "
            "--method bayes --discrepancy --out joint.nc, then ppaint report STUDY --fusion joint.nc."
        )
    captions = {
        "summary": "Medians over categories and dimensions: Spearman's, Pearson's and Kendall's correlation, "
        "differences in points of the scale, Lin's concordance (ccc).",
        "agreement": "Agreement by category and dimension; srcc is Spearman's correlation with its interval.",
        "verdicts": "What agreement is worth: cross half is that of fusions of disjoint halves of the raters, shared "
        "part what comes from common judgments alone.",
        "shared_inputs": "The same by category and dimension.",
        "protocols": "Spearman's correlation of scores from ratings alone with scores from preferences alone.",
        "protocol correlation": "Correlation of what ratings and what preferences measure, by dimension.",
        "protocol items": "Items on which ratings and preferences differ, the surest first.",
    }
    text = "\n\n".join(texts) or "There is one fusion of one protocol: nothing to compare it with."
    return Section(
        "Agreement of protocols and fusions", tables, text, settings, captions=captions, anchor="agreement",
        shown={"agreement": AGREEMENT, "shared_inputs": SHARED, "verdicts": tuple(c for c in SHARED if c[:3] not in
               ("cat", "dim"))}, folded=frozenset({"agreement", "shared_inputs", "protocol items"}),
        filters={"protocol items": (CATEGORY, DIMENSION)}, findings=tuple(findings), missing=tuple(absent),
    )  # fmt: skip


def judge_fusions(comparison: Report) -> list[Finding]:
    """Judge each pair of fusions: by the nulls where they were computed, else by correlation alone."""
    verdicts = comparison.tables.get("verdicts")
    if verdicts is not None and len(verdicts):
        found = []
        for row in verdicts.to_dict("records"):
            pair, verdict = f"{row['fusion_a']} and {row['fusion_b']}", str(row["verdict"])
            text = f"Agreement of {pair} cannot be told from common input."
            if np.isfinite(row["cross_half"]):
                text = (
                    f"Agreement of {pair} is {verdict}: {row['observed']:.2f} as observed, {row['cross_half']:.2f} "
                    f"across raters who share no judgment (p = {row['p_value']:.3g}; below 0.05 it is about the "
                    "items)."
                )
            action = "" if verdict == "real" else "Do not take it as confirmation: more raters would tell."
            found.append(Finding(STATUS.get(verdict, "open"), "agreement", text, action, "", row["cross_half"]))
        return found
    found = []
    for row in comparison.tables["summary"].to_dict("records"):
        value = float(row["srcc"])
        status: Status = "good" if value >= CLOSE else "look"
        text = f"{row['fusion_a']} and {row['fusion_b']} rank items alike: median rank correlation {value:.3f}"
        if value < CLOSE:
            text = f"{row['fusion_a']} and {row['fusion_b']} differ: median rank correlation {value:.3f}"
        text += f" ({CLOSE} or more is close). They see the same judgments, so part of it is common input."
        action = "" if status == "good" else "See which items differ, and prefer the fusion that predicts better."
        found.append(Finding(status, "agreement", text, action, "", value, threshold=CLOSE))
    return found


def judge_correlation(protocols: Report) -> list[Finding]:
    """Judge what the joint model says of the two protocols, by dimension."""
    words: dict[str, Status] = {"one thing": "good", "two things": "bad"}
    found = []
    for row in protocols.tables["correlation"].to_dict("records"):
        text = (
            f"Ratings and preferences of {row['dimension']} correlate at {row['mean']:.2f} [{row['lower']:.2f}, "
            f"{row['upper']:.2f}], apart from noise: {row['verdict']} (P(above {CLOSE}) = {row['p_high']:.2f})."
        )
        action = {"two things": "Report both protocols, and read the items on which they differ.",
                  "undecided": "More raters who do both would tell."}.get(str(row["verdict"]), "")  # fmt: skip
        status = words.get(str(row["verdict"]), "open")
        found.append(Finding(status, "protocols", text, action, str(row["dimension"]), row["mean"], row["lower"],
                             row["upper"], CLOSE))  # fmt: skip
    return found


def correlate_protocols(ratings: Fusion, preferences: Fusion) -> pd.DataFrame:
    """Correlate scores from ratings with scores from preferences, cell by cell."""
    keys = [CATEGORY, DIMENSION, ITEM]
    both = ratings.scores[[*keys, "score"]].merge(preferences.scores[[*keys, "latent"]], on=keys)
    rows = []
    for (category, dimension), group in both.groupby([CATEGORY, DIMENSION], sort=False):
        value = group["score"].rank().corr(group["latent"].rank()) if len(group) > 2 else np.nan
        rows.append({CATEGORY: category, DIMENSION: dimension, "items": len(group), "rank_correlation": value})
    return pd.DataFrame(rows)


def judge_orders(table: pd.DataFrame) -> Finding:
    """Put the correlation of the two protocols into words."""
    known = table[table["rank_correlation"].notna()] if len(table) else table
    if known.empty:
        return Finding("open", "protocols", "Ratings and preferences cannot be compared: too few items have both.")
    values = known["rank_correlation"]
    at = known.iloc[int(values.to_numpy(float).argmin())]
    text = f"Ratings alone and preferences alone order items with a rank correlation of {values.median():.2f}"
    if len(known) > 1:
        text += f" (median of {count(len(known), 'cell')}; lowest {values.min():.2f}, "
        text += f"{name_cell(at[CATEGORY], at[DIMENSION])})"
    status: Status = "good" if float(values.median()) >= CLOSE else "look"
    action = "" if status == "good" else "Noise lowers it: read it beside the reliability of each."
    return Finding(status, "protocols", f"{text}; {CLOSE} or more is close.", action, "", float(values.median()),
                   threshold=CLOSE)  # fmt: skip
