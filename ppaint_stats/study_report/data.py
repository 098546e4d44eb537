"""Section: what the data are."""

import pandas as pd

from ppaint_stats.check import check_study
from ppaint_stats.study import Study
from ppaint_stats.study_report.section import Finding, Section, count

CELLS = ("category", "dimension", "items", "raters", "ratings", "comparisons", "missing", "ties", "first",
         "comparison_parts")  # fmt: skip


def describe_data(study: Study) -> Section:
    """Describe what was judged, by whom, and what needs a look."""
    check = check_study(study)
    notes = check.tables["notes"]
    look = notes[notes["level"] == "look"]
    findings = [
        Finding("look", "data", f"{str(row['where']).capitalize()}: {row['finding']}.",
                f"{row['advice']}.", str(row["where"]))
        for row in look.to_dict("records")
    ]  # fmt: skip
    if look.empty:
        sizes = f"{count(study.n_ratings, 'rating')} and {count(study.n_preferences, 'comparison')}"
        findings = [Finding("good", "data", f"The data hold nothing that needs a look: {sizes}.")]
    captions = {
        "notes": "What was noticed in the data; 'look' asks for a decision, 'info' is for your information.",
        "cells": "What each category and dimension holds. Missing: share of rater and item pairs without a rating; "
        "ties: share of comparisons; first: share of decisions for the item shown first; comparison parts: separate "
        "parts into which the comparisons fall.",
        "raters": "What each rater did.",
        "scale": "How often each step of the scale was used.",
    }
    return Section(
        "What the data are", check.tables, _describe(study, check.tables["cells"], check.text), check.settings,
        captions=captions, anchor="data", shown={"cells": CELLS}, folded=frozenset({"raters", "scale"}),
        findings=tuple(findings),
    )  # fmt: skip


def _describe(study: Study, cells: pd.DataFrame, text: str) -> str:
    sizes = [count(len(study.items()), "item"), count(len(study.categories), "category"),
             count(len(study.dimensions), "dimension")]  # fmt: skip
    who = f"{count(len(study.raters), 'rater')} judged {sizes[0]} of {sizes[1]} on {sizes[2]}"
    parts = []
    if study.n_ratings:
        parts.append(f"{count(study.n_ratings, 'rating')} on {study.scale}")
    if study.n_preferences:
        parts.append(count(study.n_preferences, "pairwise comparison"))
    # The first sentence of the check is a line for programmers.
    rest = text.partition(").")[2].strip() if text.startswith("Study(") else text
    return f"{who}: {' and '.join(parts)}. {rest}" if len(cells) else rest
