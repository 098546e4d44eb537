"""Figures of the report: which plots are drawn for which part, and how much of them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING

from ppaint_stats.errors import PPaintError
from ppaint_stats.fusion import Fusion
from ppaint_stats.progress import track
from ppaint_stats.report import Report
from ppaint_stats.study import Study
from ppaint_stats.study_report.scores import choose_main
from ppaint_stats.study_report.section import Section, name_cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CELLS = 15
"""Cells whose scores are drawn, at most."""

PATIENCE = 2.0

MOST_GRAPHS = 3
"""Categories whose comparison graphs are drawn, at most."""

type Job = tuple[str, str, bool, Callable[[], "Axes"]]
"""Section, title, whether it is closed at first, and how to draw it."""


@dataclass
class Drawn:
    """Figures of a section: title, whether closed at first, SVG and caption; and what was not drawn, and why."""

    figures: list[tuple[str, bool, str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def draw_figures(
    study: Study,
    fusions: Sequence[Fusion],
    reliability: Report,
    comparison: Report | None,
    protocols: Report | Sequence[Fusion] | None,
    *,
    progressbar: bool,
) -> Mapping[str, Drawn]:
    """Draw all figures, by section; what these data do not allow (two items, no raters) is told instead."""
    import matplotlib.pyplot as plt

    from ppaint_stats import plots

    jobs = list(_list_jobs(study, fusions, reliability, comparison, protocols))
    drawn: dict[str, Drawn] = defaultdict(Drawn)
    refused: dict[tuple[str, str, str], list[str]] = {}
    _tell_limits(study, drawn)
    for section, title, closed, draw in track(
        jobs, total=len(jobs), description="Figures", progressbar=progressbar, patience=PATIENCE
    ):
        before = set(plt.get_fignums())
        try:
            ax = draw()
            drawn[section].figures.append((title, closed, plots.render_svg(ax), plots.caption(ax)))
        except PPaintError as error:
            refused.setdefault((section, title.partition(":")[0], str(error)), []).append(title)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
    for (section, kind, why), titles in refused.items():
        every = sum(title.partition(":")[0] == kind for _, title, _, _ in jobs) == len(titles)
        drawn[section].missing.append(f"Not drawn: {kind if every else '; '.join(titles)}, since {why}.")
    return drawn


def add_figures(section: Section, drawn: Drawn) -> Section:
    """Put figures into their section."""
    figures = {title: svg for title, _, svg, _ in drawn.figures}
    captions = {title: words for title, _, _, words in drawn.figures}
    closed = {title for title, closed, _, _ in drawn.figures if closed}
    return replace(
        section, figures=figures, captions={**section.captions, **captions}, folded=section.folded | closed,
        missing=(*section.missing, *drawn.missing),
    )  # fmt: skip


def _tell_limits(study: Study, drawn: Mapping[str, Drawn]) -> None:
    """Say of which cells and categories there are figures, where it is not of all."""
    if len(study.cells) > MOST_CELLS:
        for section in ("reliability", "scores", "raters"):
            text = f"Figures by cell show the first {MOST_CELLS} of {len(study.cells)} cells; tables hold all."
            drawn[section].missing.append(text)
    if len(study.cells) > 1:
        category, dimension = study.cells[0]
        text = f"Figures whose titles name no category and dimension show {name_cell(category, dimension)} alone."
        drawn["scores"].missing.append(text)
    if study.n_preferences and len(study.categories) > MOST_GRAPHS:
        text = f"Comparison graphs are those of the first {MOST_GRAPHS} of {len(study.categories)} categories."
        drawn["data"].missing.append(text)


def _list_jobs(
    study: Study,
    fusions: Sequence[Fusion],
    reliability: Report,
    comparison: Report | None,
    protocols: Report | Sequence[Fusion] | None,
) -> Iterator[Job]:
    main = choose_main(fusions)
    cells = [(c, d) for c, d in study.cells if c in set(main.scores["category"])][:MOST_CELLS]
    first = {"category": cells[0][0], "dimension": cells[0][1]} if cells else {}
    if study.n_preferences:
        for k, category in enumerate(study.categories[:MOST_GRAPHS]):
            part = study.select(categories=category)
            dimension = next((d for c, d in part.cells if c == category), None)
            job = _plan("plot_design", part, category=category, dimension=dimension)
            yield "data", f"Comparison graph of {category}", k > 0, job
    yield from _draw_each(cells, "reliability", "Reliability", "plot_reliability", reliability)
    yield from _draw_each(cells, "reliability", "Reliability against cost", "plot_costs", reliability)
    yield from _draw_each(cells, "scores", "Scores", "plot_scores", main)
    yield "scores", "Probability of each rank", True, _plan("plot_ranks", main, **first)
    if len(main.calibration):
        yield "scores", "Map to the rating scale", True, _plan("plot_calibration", main, study, **first)
    if len(main.dimensions):
        yield "scores", "Correlations of the dimensions", True, _plan("plot_correlations", main)
    elo = next((fusion for fusion in fusions if fusion.method == "elo"), None)
    if elo is not None and study.n_preferences:
        job = _plan("plot_orders", study.select(categories=first["category"], dimensions=first["dimension"]))
        yield "scores", "Elo over random orders of the comparisons", True, job
    who = main if len(main.convergence) else reliability
    yield from _draw_each(cells, "raters", "Severity and ties", "plot_raters", who)
    if comparison is not None and "shared_inputs" in comparison.tables:
        yield "agreement", "Agreement against its nulls", False, _plan("plot_null", comparison)
    if len(fusions) > 1:
        yield "agreement", "Two fusions", True, _plan("plot_agreement", fusions[0], fusions[1])
    if protocols and not isinstance(protocols, Report):
        yield from _draw_each(cells, "agreement", "Ratings against preferences", "plot_protocols", *protocols)


def _draw_each(
    cells: Sequence[tuple[str, str]], section: str, title: str, function: str, *values: object
) -> Iterator[Job]:
    """Draw each cell; the first is open, the others are closed."""
    for k, (category, dimension) in enumerate(cells):
        job = _plan(function, *values, category=category, dimension=dimension)
        yield section, f"{title}: {name_cell(category, dimension)}", k > 0, job


def _plan(function: str, *values: object, **options: object) -> Callable[[], "Axes"]:
    """Prepare a plot; its module, and matplotlib with it, is imported when it is drawn."""

    def draw() -> "Axes":
        module = import_module(f"ppaint_stats.plots.{function.removeprefix('plot_')}")
        plot: Callable[..., Axes] = getattr(module, function)
        return plot(*values, **options)

    return draw
