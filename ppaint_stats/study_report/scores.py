"""Section: the fused scores, with intervals and ranks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.fusion import Fusion
from ppaint_stats.study_report.reliability import TARGET, count_raters
from ppaint_stats.study_report.section import Finding, Section, Status, count, list_names, name_cell

KEYS = [CATEGORY, DIMENSION, ITEM]
ORDER = ("bayes", "laplace", "davidson", "elo", "thurstone")
"""Which fusion is the main one, where there are several."""


def name_fusions(fusions: Sequence[Fusion]) -> list[str]:
    """Name fusions by method and protocol, so that no two are called alike."""
    names: list[str] = []
    for fusion in fusions:
        used = fusion.settings.get("protocols", "both")
        name = fusion.method if used == "both" else f"{fusion.method}, {used} only"
        same = sum(other == name or other.startswith(f"{name} #") for other in names)
        names.append(f"{name} #{same + 1}" if same else name)
    return names


def choose_main(fusions: Sequence[Fusion]) -> Fusion:
    """Choose the fusion whose scores lead: of both protocols, the joint model before the others."""

    def place(fusion: Fusion) -> tuple[bool, bool, int]:
        known = ORDER.index(fusion.method) if fusion.method in ORDER else len(ORDER)
        return fusion.settings.get("protocols", "both") != "both", not fusion.converged, known

    return min(fusions, key=place)


def describe_scores(fusions: Sequence[Fusion], *, missing: tuple[str, ...] = ()) -> Section:
    """Put scores of the main fusion into a table, and those of the others beside them."""
    main, names = choose_main(fusions), name_fusions(fusions)
    own = names[[fusion is main for fusion in fusions].index(True)]
    columns = [*KEYS, "score", "lower", "upper", "sd", "rank", "rank_lower", "rank_upper", "n_ratings", "n_comparisons"]
    table = main.scores[[c for c in columns if c in main.scores]]
    for fusion, name in zip(fusions, names, strict=True):
        if fusion is not main:
            ends = {"score": f"by {name}", "lower": f"by {name}_lower", "upper": f"by {name}_upper"}
            table = table.merge(fusion.scores[[*KEYS, *ends]].rename(columns=ends), on=KEYS, how="left")
    places = table.groupby([CATEGORY, DIMENSION], sort=False).ngroup()
    order = np.lexsort((table["rank"], places))
    table = table.iloc[order].reset_index(drop=True)
    summaries = [f.summary().assign(fusion=name) for f, name in zip(fusions, names, strict=True)]
    summary = pd.concat(summaries, ignore_index=True)
    summary = summary[["fusion", *[c for c in summary if c != "fusion"]]]
    scale = f"on the scale {main.scale.low:g} to {main.scale.high:g}" if main.calibrated and main.scale else "latent"
    kind = main.settings["interval_kind"]
    interval = (
        "without intervals" if kind == "none" else f"with {main.settings['interval_prob']:.0%} intervals ({kind})"
    )
    others = [name for name in names if name != own]
    beside = f"; scores by {list_names(others)} stand beside them" if others else ""
    n_items = count(len(table[[CATEGORY, ITEM]].drop_duplicates()), "item")
    captions = {
        "scores": f"Fused scores of {n_items} by {own}, {scale}, "
        f"{interval}{beside}. Rank 1 is the best of its category and dimension; the bar shows score and interval.",
        "summary": "Spread of the scores and width of their intervals. Reliability is the share of the scores' "
        "variance that is not error.",
    }
    return Section(
        "Fused scores", {"scores": table, "summary": summary}, _describe(main, own, names, scale),
        {f"{n}": repr(f) for n, f in zip(names, fusions, strict=True)},
        captions=captions, anchor="scores", filters={"scores": (CATEGORY, DIMENSION)}, folded=frozenset({"summary"}),
        findings=(*judge_fits(fusions, names), *judge_scores(main, own)), missing=missing,
    )  # fmt: skip


def judge_fits(fusions: Sequence[Fusion], names: Sequence[str]) -> list[Finding]:
    """Name the fusions that did not converge."""
    action = "Fit again with more steps; for a sampled fusion see the section on convergence."
    return [
        Finding("bad", "fusion", f"The fusion by {name} did not converge.", action)
        for fusion, name in zip(fusions, names, strict=True)
        if not fusion.converged
    ]


def judge_scores(main: Fusion, name: str) -> list[Finding]:
    """Hold the reliability of scores against the target."""
    summary = main.summary()
    known = summary[summary["reliability"].notna()]
    if known.empty:
        text = f"How reliable the scores by {name} are is not known: they have no intervals."
        return [Finding("open", "scores", text, "Fuse with an interval other than 'none'.")]
    low = known[known["reliability"] < TARGET]
    middle, worst = float(known["reliability"].median()), known.iloc[int(known["reliability"].to_numpy(float).argmin())]
    width = float(known["mean_width"].mean())
    unit = f"; intervals are {width:.2f} points wide on average" if main.calibrated else ""
    where = name_cell(worst[CATEGORY], worst[DIMENSION])
    status: Status = "bad" if len(low) else "good"
    n = _count_raters(main, worst)
    needed = count_raters(float(worst["reliability"]), n)
    more = max(int(needed) - n, 1) if np.isfinite(needed) else 0
    action = f"About {count(more, 'rater')} more would lift {where} to {TARGET}; ppaint plan says what costs least."
    if not np.isfinite(needed):
        action = f"Judgments of {where} hardly tell its items apart; ppaint plan says what more would give."
    text = f"Fused scores ({name}) tell items apart with a reliability of {middle:.2f}"
    if len(known) > 1:
        text += f" (median of {len(known)} cells; lowest {worst['reliability']:.2f}, {where})"
    text += f"; {TARGET} is asked for{unit}."
    return [Finding(status, "scores", text, action if len(low) else "", "", middle, threshold=TARGET)]


def _count_raters(main: Fusion, cell: "pd.Series[Any]") -> int:
    raters = main.raters
    if not len(raters):
        return 0
    own = raters
    if CATEGORY in raters:
        own = raters[(raters[CATEGORY] == cell[CATEGORY]) & (raters[DIMENSION] == cell[DIMENSION])]
    return int(own["rater"].nunique())


def _describe(main: Fusion, own: str, names: list[str], scale: str) -> str:
    lines = [f"The scores below are by {own}, {scale}."]
    if len(names) > 1:
        lines.append(f"{count(len(names), 'fusion')} were made: {list_names(names)}.")
    target = {"population": "They are scores by raters like these, so that intervals hold the choice of raters.",
              "panel": "They are scores by these raters.",
              "relative": "They are differences from the mean of the category."}  # fmt: skip
    lines.append(target.get(str(main.settings.get("target")), ""))
    tops = []
    for (category, dimension), group in main.scores.groupby([CATEGORY, DIMENSION], sort=False):
        best = group.sort_values("rank").iloc[0]
        if np.isfinite(best["rank_upper"]) and int(best["rank_upper"]) == 1:
            tops.append(f"{best[ITEM]} ({name_cell(category, dimension)})")
    if tops:
        lines.append(f"First beyond doubt, by the interval of the rank: {list_names(tops)}.")
    elif main.settings["interval_kind"] != "none":
        lines.append("Nowhere is the first place beyond doubt: every best item's interval of ranks goes beyond 1.")
    return " ".join(filter(None, lines))
