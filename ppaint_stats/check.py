"""check_study: what a study holds, and what a person should look at before fusing it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ppaint_stats.check_tables import tabulate_cells, tabulate_raters, tabulate_scale
from ppaint_stats.columns import CATEGORY, DIMENSION, RATER, RATING
from ppaint_stats.report import Report
from ppaint_stats.study import Study
from ppaint_stats.tables import show_values

LOOK, INFO = "look", "info"
MIN_DECIDED = 20
"""Fewer decided comparisons say nothing about a rater's position habit."""
MIN_RATINGS = 5
Z_LIMIT = 4.0
"""Standard errors by which a share must leave one half to be mentioned: about 1 in 16,000 by chance."""
MAX_WHOLE = 11
"""Ratings that take at most this many whole values look like a scale with steps."""

type Note = tuple[str, str, str, str]


def check_study(study: Study) -> Report:
    """Describe a study and list what needs a look.

    Parameters
    ----------
    study : Study
        What to check. Its tables have been validated already; this is about what they hold.

    Returns
    -------
    Report
        Tables ``notes`` (``level`` look or info, ``where``, ``finding``, ``advice``), ``cells``, ``raters`` and
        ``scale``. ``passed`` is True if no note asks for a look, otherwise None: nothing here makes a study unusable.

    Notes
    -----
    The share of the first position is k / n over decided comparisons; it is mentioned where it leaves 1/2 by more than
    four standard errors, sqrt(1 / (4 n)). That is evidence of position bias only if the order was random.

    Examples
    --------
    >>> import pandas as pd
    >>> pairs = pd.DataFrame({"rater": "r1", "item_a": ["u", "x"], "item_b": ["v", "y"], "outcome": ["A", "TIE"]})
    >>> report = check_study(Study(preferences=pairs))
    >>> int(report.tables["cells"].loc[0, "comparison_parts"])
    2
    >>> print(report.tables["notes"].loc[0, "finding"])
    the comparisons fall into 2 separate parts
    """
    cells, raters, scale = tabulate_cells(study), tabulate_raters(study), tabulate_scale(study)
    found = [*_note_cells(study, cells), *_note_raters(study, raters), *_note_ratings(study)]
    found.sort(key=lambda note: note[0] != LOOK)
    notes = pd.DataFrame(found, columns=["level", "where", "finding", "advice"], dtype="str")
    tables = {"notes": notes, "cells": cells, "raters": raters, "scale": scale}
    needs_look = int((notes["level"] == LOOK).sum())
    return Report(
        title="What the study holds",
        tables={name: table for name, table in tables.items() if len(table) or name == "notes"},
        text=_write_text(study, cells, raters, needs_look),
        settings={"scale": "none" if study.scale is None else str(study.scale)},
        passed=None if needs_look else True,
    )


def _write_text(study: Study, cells: pd.DataFrame, raters: pd.DataFrame, needs_look: int) -> str:
    sentences = [f"{study!r}."]
    if study.ratings is not None:
        x = study.ratings[RATING]
        sentences.append(f"Ratings run from {x.min():g} to {x.max():g}, mean {x.mean():.3g}, sd {x.std():.3g}.")
        full = (cells["missing"].fillna(0) == 0).all()
        share = "none is" if full else f"{_span(cells['missing'])} are"
        sentences.append(f"Of the rater x item cells {share} without a rating.")
    if study.preferences is not None:
        total = int(cells["comparisons"].sum())
        ties = float((cells["ties"] * cells["comparisons"]).sum() / total)
        sentences.append(f"{ties:.1%} of the comparisons are ties; by cell {_span(cells['ties'])}.")
        if cells["first"].notna().any():
            sentences.append(f"Of the decided ones the item shown first wins {_span(cells['first'])} by cell.")
    if study.ratings is not None and study.preferences is not None and len(raters):
        n_both = int((raters["protocols"] == "both").sum())
        sentences.append(f"{n_both} of {len(raters)} raters both rate and compare.")
    last = "Nothing needs a look."
    if needs_look:
        last = f"{needs_look} finding{' needs' if needs_look == 1 else 's need'} a look: see notes."
    return " ".join(sentences) + "\n\n" + last


def _span(shares: "pd.Series[float]") -> str:
    low, high = shares.min(), shares.max()
    return f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"


def _name_cells(study: Study, cells: pd.DataFrame) -> str:
    """Name up to three cells, or say that it is all of them."""
    if len(cells) == len(study.cells):
        return "all cells" if len(cells) > 1 else "the whole study"
    names = [f"{c} / {d}" for c, d in zip(cells[CATEGORY], cells[DIMENSION], strict=True)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more cells" if len(names) > 3 else "")


def _note_cells(study: Study, cells: pd.DataFrame) -> Iterator[Note]:
    both = study.ratings is not None and study.preferences is not None
    split = cells[cells["joint_parts"] > 1]
    if len(split):
        parts = _counts(split["joint_parts"])
        if study.ratings is None:
            what, advice = (
                "comparisons",
                "They cannot rank items of different parts; compare across them, or add ratings",
            )
        else:
            what = "judgments"
            advice = (
                "Only the scale itself links these parts, so scores differ between them by rater severity too. "
                "Let raters or comparisons overlap, or read scores within a part only"
            )
        yield LOOK, _name_cells(study, split), f"the {what} fall into {parts} separate parts", advice
    linked = cells[(cells["comparison_parts"] > 1) & (cells["joint_parts"] == 1)]
    if len(linked):
        finding = (
            f"the comparisons fall into {_counts(linked['comparison_parts'])} separate parts, linked by ratings alone"
        )
        yield (
            LOOK,
            _name_cells(study, linked),
            finding,
            "Fuse with both protocols; preferences alone cannot rank these items",
        )
    if both:
        single = cells[(cells["ratings"] == 0) | (cells["comparisons"] == 0)]
        if len(single):
            yield INFO, _name_cells(study, single), "only one protocol", "Scores there rest on that protocol"
        full = cells[(cells["ratings"] > 0) & (cells["comparisons"] > 0)]
        for column, verb in (("rated", "rated"), ("compared", "compared")):
            lacking = full[full[column] < full["items"]]
            if len(lacking):
                n = int((lacking["items"] - lacking[column]).sum())
                finding = f"{n:,} item{'s were' if n > 1 else ' was'} never {verb}"
                yield INFO, _name_cells(study, lacking), finding, "Their scores rest on the other protocol alone"
    sparse = cells[cells["missing"] > 0.5]
    if len(sparse):
        finding = f"{_span(sparse['missing'])} of the rater x item cells have no rating"
        yield (
            INFO,
            _name_cells(study, sparse),
            finding,
            "Raw means mix items with raters; fused scores allow for severity",
        )
    if study.preferences is not None and (cells.loc[cells["comparisons"] > 0, "ties"] == 0).all():
        advice = "Fine if ties were not on offer; if graded margins were recorded, tie_margin= cuts them"
        yield INFO, "preferences", "no ties at all", advice
    all_tied = cells[cells["ties"] == 1]
    if len(all_tied):
        yield (
            LOOK,
            _name_cells(study, all_tied),
            "every comparison is a tie",
            "These comparisons cannot order the items",
        )
    n_decided = (cells["comparisons"] * (1 - cells["ties"])).fillna(0)
    total = float(n_decided.sum())
    share = float((n_decided * cells["first"].fillna(0)).sum() / total) if total else 0.5
    if total >= MIN_DECIDED and abs(share - 0.5) > Z_LIMIT * np.sqrt(0.25 / total):
        finding = f"the item shown first wins {share:.1%} of {total:,.0f} decided comparisons"
        advice = "Position bias if the order was random (order_effect=True estimates it); else it may be the items"
        yield LOOK, "preferences", finding, advice


def _counts(values: "pd.Series[float]") -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _note_raters(study: Study, raters: pd.DataFrame) -> Iterator[Note]:
    if study.preferences is not None and RATER not in study.preferences:
        advice = "Fusion works, but intervals cannot tell raters apart: no jackknife, and they tend to be too narrow"
        yield INFO, "preferences", "comparisons do not name their raters", advice
    elif study.ratings is not None and study.preferences is not None:
        single = raters[raters["protocols"] != "both"]
        if len(single) == len(raters):
            yield (
                INFO,
                "raters",
                "no rater is in both protocols",
                "Protocols and raters cannot be told apart; same ids?",
            )
        elif len(single):
            finding = f"{len(single):,} of {len(raters):,} are in one protocol only: {_name(single)}"
            yield INFO, "raters", finding, "Check that a rater has the same id in both tables"
    habit = raters[raters["decided"] >= MIN_DECIDED]
    biased = habit[(habit["first"] - 0.5).abs() > Z_LIMIT * np.sqrt(0.25 / habit["decided"])]
    if len(biased):
        shown = ", ".join(f"{r} {f:.0%}" for r, f in zip(biased[RATER].head(5), biased["first"].head(5), strict=True))
        finding = f"{len(biased):,} pick one position too often or too seldom (share of the first: {shown})"
        yield LOOK, "raters", finding, "If the order was random: position bias, or a rater who does not look"
    tied = raters[(raters["comparisons"] >= MIN_DECIDED) & (raters["ties"] == 1)]
    if len(tied):
        yield LOOK, "raters", f"{_name(tied)} call every comparison a tie", "They tell nothing about the order"
    flat = raters[(raters["ratings"] >= MIN_RATINGS) & (raters["sd"] < 1e-9)]
    if len(flat):
        yield LOOK, "raters", f"{_name(flat)} give the same rating to everything", "They tell nothing about the items"
    if n_repeats := int(raters["repeats"].sum()):
        advice = "They separate noise from taste; if they are not meant to be repeats, rows may be doubled"
        yield INFO, "raters", f"{n_repeats:,} repeated judgments", advice


def _name(raters: pd.DataFrame) -> str:
    return show_values(raters[RATER], limit=5)


def _note_ratings(study: Study) -> Iterator[Note]:
    if study.ratings is None or study.scale is None:
        return
    x = study.ratings[RATING].to_numpy()
    distinct = np.unique(x)
    if study.scale.step is None and len(distinct) <= MAX_WHOLE and bool((distinct == np.rint(distinct)).all()):
        advice = f"If only such ratings could be given: scale=({study.scale.low:g}, {study.scale.high:g}, 1)"
        yield (
            INFO,
            "ratings",
            f"the scale is continuous, but there are only {len(distinct)} distinct ratings, all whole",
            advice,
        )
    margin = study.scale.span / 4
    if x.min() - study.scale.low > margin or study.scale.high - x.max() > margin:
        finding = (
            f"ratings run from {x.min():g} to {x.max():g} on a scale of {study.scale.low:g} to {study.scale.high:g}"
        )
        yield INFO, "ratings", finding, "Check that this is the scale the raters saw"
