"""The page of a study: sections, navigation, style and script in one file that loads nothing."""

from html import escape

import pandas as pd

from ppaint_stats.columns import CATEGORY, DEFAULT_CATEGORY
from ppaint_stats.report.figures import render_figure
from ppaint_stats.report.html import render_page, render_text
from ppaint_stats.report.tables import find_ends, render_table
from ppaint_stats.study_report.document import StudyReport
from ppaint_stats.study_report.script import SCRIPT
from ppaint_stats.study_report.section import WORDS, Finding, Section
from ppaint_stats.study_report.style import ROWS_ON_PAPER, STUDY_STYLE
from ppaint_stats.study_report.thumbnails import Thumbnails

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""What the page may load: nothing but what it holds."""

SHOWN = 8
"""Verdicts that do not pass and are shown at once; more of them are folded."""

SIMULATED = "The data of this report are simulated."

SHORT = {
    "answer": "Answer", "data": "Data", "reliability": "Reliability", "scores": "Scores", "raters": "Raters",
    "agreement": "Agreement", "convergence": "Convergence", "prediction": "Prediction", "methods": "Methods",
}  # fmt: skip
"""Names of sections in the navigation."""

WORDED = {
    "rank": "rank", "sd": "sd", "srcc": "rank correlation", "plcc": "Pearson correlation", "ccc": "concordance",
    "n_items": "items", "n_raters": "raters", "n_judgments": "judgments", "n_ratings": "ratings",
    "n_comparisons": "comparisons", "krippendorff_alpha_ordinal": "alpha (ordinal)",
    "krippendorff_alpha_interval": "alpha (interval)", "krippendorff_alpha_nominal": "alpha (nominal)",
    "raters_needed_relative": "raters needed for 0.8", "p_value": "p",
}  # fmt: skip
"""What columns are called on the page."""


def render_study(report: StudyReport) -> str:
    """Write the whole page."""
    links = "".join(
        f'<li><a href="#{escape(s.anchor)}">{escape(SHORT.get(s.anchor, s.title))}</a></li>' for s in report.sections
    )
    body = (
        '<a class="skip" href="#main">Skip to the report</a>\n'
        f'<nav class="top" aria-label="Sections"><ul>{links}</ul></nav>\n'
        f'<main id="main" tabindex="-1">\n{_render_inside(report)}\n</main>\n<script>{SCRIPT}</script>'
    )
    style = STUDY_STYLE + _style_pictures(report.thumbnails)
    return render_page(report.title, body, style=style, policy=POLICY)


def render_notebook(report: StudyReport) -> str:
    """Write the short answer as a block for a notebook; the page is a file of its own."""
    from ppaint_stats.report.html import render_fragment

    return render_fragment(f"<h1>{escape(report.title)}</h1>\n{_render_answer(report.findings)}")


def _render_inside(report: StudyReport) -> str:
    lead = str(report.settings.get("lead", ""))
    parts = [f"<h1>{escape(report.title)}</h1>"]
    if lead:
        parts.append(f'<p class="lead">{escape(lead)}</p>')
    if report.settings.get("simulated"):
        parts.append(f'<p class="simulated"><strong>{SIMULATED}</strong></p>')
    parts += [_render_section(section, report) for section in report.sections]
    version = escape(str(report.settings.get("ppaint", "")))
    parts.append(f"<footer>Made by ppaint {version}. This file loads nothing from elsewhere.</footer>")
    return "\n".join(parts)


def _render_section(section: Section, report: StudyReport) -> str:
    inside = [f"<h2>{escape(section.title)}</h2>"]
    if section.anchor == "answer":
        inside.append(_render_answer(report.findings))
    else:
        inside.append(render_text(section.text))
        inside += [f'<p class="missing">{escape(line)}</p>' for line in section.missing]
        tables = {name: _render_section_table(section, name, report.thumbnails) for name in section.tables}
        open_tables = [name for name in tables if name not in section.folded]
        inside += [f"<h3>{escape(_title(name))}</h3>\n{tables[name]}" for name in open_tables]
        figures = {n: render_figure(n, f, section.captions.get(n, "")) for n, f in section.figures.items()}
        inside += [f"<h3>{escape(n)}</h3>\n{f}" for n, f in figures.items() if n not in section.folded]
        inside += _fold_figures({n: f for n, f in figures.items() if n in section.folded})
        inside += [_fold(_title(n), t) for n, t in tables.items() if n in section.folded]
    name = escape(section.anchor)
    return f'<section id="{name}" aria-label="{escape(section.title)}">\n' + "\n".join(inside) + "\n</section>"


def _fold(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>\n{inside}\n</details>"


def _fold_figures(figures: dict[str, str]) -> list[str]:
    """Close figures; those of one kind for many cells are closed together."""
    kinds: dict[str, list[str]] = {}
    for name in figures:
        kinds.setdefault(name.partition(":")[0], []).append(name)
    folded = []
    for kind, names in kinds.items():
        inside = [_fold(name, figures[name]) for name in names]
        folded += [_fold(f"{kind} of {len(names)} more cells", "\n".join(inside))] if len(names) > 2 else inside
    return folded


def _title(name: str) -> str:
    return name[:1].upper() + name[1:].replace("_", " ")


def _render_answer(findings: tuple[Finding, ...]) -> str:
    counted = "".join(
        f'<li class="{status}"><b>{sum(f.status == status for f in findings)}</b>{escape(word)}</li>'
        for status, word in WORDS.items()
        if any(f.status == status for f in findings)
    )
    open_ones = [f for f in findings if f.status != "good"]
    # What falls short comes first; verdicts on single cells may be many.
    first = _spread(open_ones)
    rest = [f for f in open_ones if f not in first]
    good = [f for f in findings if f.status == "good"]
    parts = [f'<ul class="counts">{counted}</ul>', _list_findings(first)]
    if rest:
        word = "verdict" if len(rest) == 1 else "verdicts"
        parts.append(_fold(f"{len(rest)} more {word} that did not pass", _list_findings(rest)))
    return "\n".join([*parts, _list_findings(good)])


def _spread(findings: list[Finding]) -> list[Finding]:
    """Choose verdicts to be shown at once: two of each topic at most."""
    chosen: list[Finding] = []
    for finding in findings:
        if sum(f.topic == finding.topic for f in chosen) < 2 and len(chosen) < SHOWN:
            chosen.append(finding)
    return chosen


def _list_findings(findings: list[Finding]) -> str:
    if not findings:
        return ""
    items = "\n".join(
        f'<li class="{f.status}"><span class="tag">{escape(WORDS[f.status].capitalize())}</span>'
        f"<div><p>{escape(f.text)}</p>"
        + (f'<p class="do">→ {escape(f.action)}</p>' if f.action else "")
        + "</div></li>"
        for f in findings
    )
    return f'<ul class="verdicts">\n{items}\n</ul>'


def _render_section_table(section: Section, name: str, thumbnails: Thumbnails) -> str:
    table = section.tables[name]
    if name == "references" and len(table):
        return '<ol class="cite">' + "".join(f"<li>{escape(str(text))}</li>" for text in table["source"]) + "</ol>"
    if name in section.shown:
        table = table[[c for c in section.shown[name] if c in table]]
    heads: tuple[str, ...] = ()
    cells: dict[str, list[str]] = {}
    if name == "scores" and section.anchor == "scores" and len(table):
        heads = ("item",)
        table, cells = _dress_scores(table, thumbnails)
    if CATEGORY in table and len(table) and (table[CATEGORY] == DEFAULT_CATEGORY).all():
        table = table.drop(columns=CATEGORY)  # nobody named one
    hidden = {end for ends in find_ends([str(c) for c in table.columns]).values() for end in ends}
    shown = [str(c) for c in table.columns if str(c) not in hidden]
    places = [shown.index(c) for c in section.filters.get(name, ()) if c in shown]
    attributes = f' data-filters="{" ".join(map(str, places))}"' if name in section.filters and len(table) > 1 else ""
    if len(table) > ROWS_ON_PAPER:
        attributes += f' data-rows="{len(table):,}"'
    return render_table(
        table, name=_title(name), caption=section.captions.get(name, ""), words=WORDED, heads=heads, merge=True,
        attributes=attributes, cells=cells,
    )  # fmt: skip


def _dress_scores(table: pd.DataFrame, thumbnails: Thumbnails) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Put pictures before the items, and a bar beside each score."""
    low = float(table[["score", "lower"]].min().min())
    high = float(table[["score", "upper"]].max().max())
    span = high - low or 1.0
    bars = []
    for row in table[["score", "lower", "upper"]].itertuples(index=False):
        at, left, right = (100 * (x - low) / span for x in row)
        line = f'<i style="left:{left:.1f}%;width:{right - left:.1f}%"></i>' if right == right else ""  # noqa: PLR0124
        bars.append(f'<span class="bar" aria-hidden="true">{line}<b style="left:{at:.1f}%"></b></span>')
    first = ["rank", "item", "category", "dimension", "score", "lower", "upper"]
    rest = [c for c in table.columns if c not in (*first, "rank_lower", "rank_upper", "sd")]
    dressed = table[["rank", "rank_lower", "rank_upper", *first[1:]]].copy()
    dressed["interval"] = ""
    dressed = pd.concat([dressed, table[rest]], axis=1)
    cells = {"interval": bars}
    if thumbnails.pictures:
        numbers = {key: i for i, key in enumerate(thumbnails.pictures)}
        pictures = []
        for category, item in zip(table["category"], table["item"], strict=True):
            number = numbers.get((category, item))
            name = escape(f"Image of {item}")
            pictures.append(
                "" if number is None else f'<span class="thumb t{number}" role="img" aria-label="{name}"></span>'
            )
        dressed.insert(3, "image", "")
        cells["image"] = pictures
    return dressed, cells


def _style_pictures(thumbnails: Thumbnails) -> str:
    """Give each picture one rule, so that an item in many rows costs its bytes once."""
    return "".join(f'.t{i}{{background-image:url("{uri}")}}\n' for i, uri in enumerate(thumbnails.pictures.values()))
