"""The figures of the page on plots: one of each, of a simulated study, written with the caption that it carries."""

import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

import ppaint_stats as ps
from ppaint_stats import plots
from ppaint_stats.errors import PPaintWarning

SMALL = ps.PPaintDesign(n_categories=2, n_items=16, n_raters=6, n_pairs=60, dimensions=("mood", "colour", "overall"))


def list_figures() -> dict[str, Callable[[], Axes]]:
    """How each figure is made, by its name."""
    simulation = ps.simulate_study(SMALL, random_seed=7)
    study = simulation.study
    cell = {"category": "figure", "dimension": "overall"}
    fusion, elo = ps.fuse_davidson(study), ps.fuse_elo(study, interval="none")
    rated, compared = ps.fuse_davidson(study, protocols="ratings"), ps.fuse_davidson(study, protocols="preferences")
    report = ps.assess_reliability(
        study.select(categories="figure", dimensions="overall"), n_boot=300, random_seed=7, progressbar=False
    )
    part = study.select(dimensions=("mood", "overall"))
    pair = [fuse(part, interval="none") for fuse in (ps.fuse_davidson, ps.fuse_thurstone)]
    comparison = ps.compare_fusions(*pair, study=part, n_boot=200, n_splits=1, n_permutations=1)
    joint = ps.fuse_bayes(study, method="laplace", random_seed=7, progressbar=False)
    return {
        "scores": lambda: plots.plot_scores(fusion, **cell),
        "ranks": lambda: plots.plot_ranks(fusion, **cell),
        "protocols": lambda: plots.plot_protocols(rated, compared, **cell),
        "calibration": lambda: plots.plot_calibration(fusion, study, **cell),
        "raters": lambda: plots.plot_raters(report, **cell),
        "reliability": lambda: plots.plot_reliability(report, **cell),
        "costs": lambda: plots.plot_costs(report, **cell),
        "design": lambda: plots.plot_design(study, **cell),
        "correlations": lambda: plots.plot_correlations(joint),
        "agreement": lambda: plots.plot_agreement(fusion, elo),
        "null": lambda: plots.plot_null(comparison),
        "orders": lambda: plots.plot_orders(study, **cell),
    }


def draw_gallery(out: Path) -> None:
    """Draw ``plot_NAME.svg`` and its caption ``plot_NAME.md`` into the folder ``out``."""
    with warnings.catch_warnings(), plt.rc_context({"figure.facecolor": "white"}):
        warnings.simplefilter("ignore", PPaintWarning)  # the study is small so that its names can be read
        for name, draw in list_figures().items():
            ax = draw()
            words = plots.caption(ax).replace("<", "&lt;")
            (out / f"plot_{name}.md").write_text(f"{words}\n", encoding="utf-8")
            svg = plots.render_svg(ax, close=True)
            (out / f"plot_{name}.svg").write_text(f"{svg}\n", encoding="utf-8")
