"""Pictures of fusions: what is drawn is what the fusion holds; and what holds for every plot."""

from xml.etree import ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import ppaint_stats as ps
from ppaint_stats import plots
from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots import caption, plot_agreement, plot_calibration, plot_ranks, plot_scores, render_svg
from ppaint_stats.plots.frame import label, plain
from tests.bayes_helpers import glance
from tests.plot_helpers import FORMULA, LONG, SCRIPT, drawn, make_strange, rows, simulate


@pytest.fixture(scope="module")
def simulation():
    return simulate("mood", "overall", n_items=12, n_pairs=40, n_raters=3)


@pytest.fixture(scope="module")
def davidson(simulation):
    return ps.fuse_davidson(simulation.study)


@pytest.fixture(scope="module")
def every_plot():
    """Each plot, as a function of axes, of a study whose names are strange."""
    study = make_strange(simulate("mood", "overall").study)
    one = {"dimension": FORMULA}
    whole, rated = ps.fuse_davidson(study), ps.fuse_davidson(study, protocols="ratings")
    compared = ps.fuse_davidson(study, protocols="preferences")
    reliability = ps.assess_reliability(study, n_boot=20, random_seed=1, progressbar=False)
    comparison = ps.compare_fusions(
        whole, ps.fuse_thurstone(study, interval="none"), study=study, n_boot=20, n_splits=1, n_permutations=1
    )
    joint = glance(study)
    plan = ps.plan_study(n_items=12, n_raters=(3, 6), pairs_per_rater=(0, 30), n_worlds=2)
    return {
        "plot_agreement": lambda ax: plots.plot_agreement(whole, rated, ax=ax),
        "plot_calibration": lambda ax: plots.plot_calibration(whole, study, **one, ax=ax),
        "plot_correlations": lambda ax: plots.plot_correlations(joint, ax=ax),
        "plot_costs": lambda ax: plots.plot_costs(reliability, **one, ax=ax),
        "plot_design": lambda ax: plots.plot_design(study, **one, ax=ax),
        "plot_null": lambda ax: plots.plot_null(comparison, ax=ax),
        "plot_orders": lambda ax: plots.plot_orders(study, **one, ax=ax),
        "plot_plan": lambda ax: plots.plot_plan(plan, ax=ax),
        "plot_protocols": lambda ax: plots.plot_protocols(rated, compared, **one, ax=ax),
        "plot_ranks": lambda ax: plots.plot_ranks(whole, **one, ax=ax),
        "plot_raters": lambda ax: plots.plot_raters(reliability, **one, ax=ax),
        "plot_reliability": lambda ax: plots.plot_reliability(reliability, **one, ax=ax),
        "plot_scores": lambda ax: plots.plot_scores(whole, **one, ax=ax),
    }


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def test_every_plot_is_looked_at(every_plot):
    assert set(every_plot) == {name for name in plots.__all__ if name.startswith("plot_")}


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
@pytest.mark.parametrize("name", [name for name in plots.__all__ if name.startswith("plot_")])
def test_every_plot_draws_into_axes_and_leaves_nothing_behind(every_plot, name):
    settings, figures = dict(mpl.rcParams), plt.get_fignums()
    pictures = []
    for _ in range(2):
        given = Figure(layout="constrained").subplots()
        assert every_plot[name](given) is given
        assert given.get_xlabel() or name == "plot_design"
        pictures.append(render_svg(given))
    assert pictures[0] == pictures[1]
    assert dict(mpl.rcParams) == settings
    assert plt.get_fignums() == figures
    root = ET.fromstring(pictures[0])
    assert root.get("aria-label") == caption(given)
    assert caption(given).endswith(".")
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "style", "metadata", "title"}
    texts = " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    if name in {"plot_scores", "plot_ranks", "plot_design"}:
        assert SCRIPT in texts
        assert FORMULA in texts
    assert LONG not in texts
    own = every_plot[name](None)
    assert own.figure.number in plt.get_fignums()
    render_svg(own, close=True)
    assert plt.get_fignums() == figures
    assert len(pictures[0]) < 150_000


def test_ids_of_figures_in_one_page_differ(simulation, davidson):
    pictures = [render_svg(plot_scores(davidson, dimension=name), close=True) for name in ("mood", "overall")]
    ids = [{e.get("id") for e in ET.fromstring(svg).iter()} - {None} for svg in pictures]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_only_plots_have_captions(ax):
    with pytest.raises(ArgumentError, match="no plot function"):
        caption(ax)
    ax.plot([0, 1])
    assert render_svg(ax).startswith("<svg")


@pytest.mark.parametrize("name", ["$", "$$", r"\$", r"a\$b$c$", "$x$", "plain"])
def test_labels_are_drawn_as_they_are_written(name):
    text, is_formula = Figure().text(0, 0, label(name))._preprocess_math(label(name))
    assert (text, is_formula) == (name, False)


def test_long_names_keep_both_ends():
    assert plain("a" * 40 + "7") == "a" * 13 + "…" + "a" * 13 + "7"
    assert plain("b" * 28) == "b" * 28


def test_scores_are_drawn_best_on_top_with_truth_in_its_row(simulation, davidson, ax):
    assert plot_scores(davidson, dimension="mood", truth=simulation.truth, ax=ax) is ax
    cell = davidson.select(dimension="mood")
    assert rows(ax) == cell["item"].tolist()
    np.testing.assert_allclose(drawn(ax, "fused").get_xdata(), cell["score"])
    truth = simulation.truth[simulation.truth["dimension"] == "mood"].set_index("item")["population"]
    np.testing.assert_allclose(drawn(ax, "truth").get_xdata(), truth[cell["item"]])
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert "12 items by 3 raters" in caption(ax)
    assert "90% intervals" in caption(ax)


def test_of_many_items_some_are_drawn_and_the_title_says_so(davidson, ax):
    plot_scores(davidson, dimension="mood", max_items=5, ax=ax)
    shown = rows(ax)
    ranked = davidson.select(dimension="mood")["item"].tolist()
    assert len(shown) == 5
    assert (shown[0], shown[-1]) == (ranked[0], ranked[-1])
    assert "5 of 12 items" in ax.get_title(loc="left")
    assert "Of the items 5 are drawn" in caption(ax)


def test_scores_without_intervals_say_so(simulation, ax):
    plot_scores(ps.fuse_thurstone(simulation.study, interval="none"), dimension="mood", ax=ax)
    assert not ax.collections
    assert caption(ax).endswith("without intervals.")


def test_ranks_are_the_probabilities(davidson, ax):
    plot_ranks(davidson, dimension="mood", ax=ax)
    table = ps.rank_probabilities(davidson, category="flower-and-bird", dimension="mood")
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), table)
    assert rows(ax) == table.index.tolist()
    written = [int(text.get_text()) for text in ax.texts]
    np.testing.assert_array_equal(written, (100 * table.to_numpy()[table.to_numpy() >= 0.005]).round())


def test_ranks_of_many_items_mark_the_intervals(davidson, ax, monkeypatch):
    monkeypatch.setattr("ppaint_stats.plots.ranks.FEW", 5)
    plot_ranks(davidson, dimension="mood", max_items=6, ax=ax)
    cell = davidson.select(dimension="mood").set_index("item").loc[rows(ax)]
    assert len(cell) == 6
    np.testing.assert_array_equal(drawn(ax, "fused rank").get_xdata(), cell["rank"])
    np.testing.assert_array_equal(drawn(ax, "ends of 90%").get_xdata(), [*cell["rank_lower"], *cell["rank_upper"]])
    assert ax.get_images()[0].get_array().shape == (6, 12)
    assert "Of the items 6 are drawn" in caption(ax)


def test_ranks_need_intervals(simulation):
    with pytest.raises(ArgumentError, match="uncertainty"):
        plot_ranks(ps.fuse_thurstone(simulation.study, interval="none"), dimension="mood")


def test_agreement_draws_every_common_item(simulation, davidson, ax):
    other = ps.fuse_thurstone(simulation.study, interval="none")
    plot_agreement(davidson, other, ax=ax)
    assert len(ax.get_lines()[0].get_xdata()) == len(davidson.scores)
    assert "24 scores" in ax.texts[0].get_text()
    assert "24 scores by davidson and by thurstone, of 2 cells" in caption(ax)


def test_calibration_draws_the_map_through_the_scale(simulation, davidson, ax):
    plot_calibration(davidson, simulation.study, dimension="mood", ax=ax)
    curve = drawn(ax, "map")
    assert np.all(np.diff(curve.get_ydata()) > 0)
    cell = davidson.select(dimension="mood").sort_values("latent")
    np.testing.assert_allclose(np.interp(cell["latent"], *curve.get_data()), cell["score"], atol=0.01)


def test_a_bent_map_is_drawn_bent(ax):
    study = simulate("mood", n_items=50, n_pairs=300).study
    fusion = ps.fuse_davidson(study, interval="none")
    assert fusion.calibration["bend"].iloc[0] > 0.01
    plot_calibration(fusion, study, ax=ax)
    cell = fusion.select().sort_values("latent")
    np.testing.assert_allclose(np.interp(cell["latent"], *drawn(ax, "map").get_data()), cell["score"], atol=0.01)
    assert "50 items" in caption(ax)


def test_a_cell_must_be_named_and_have_a_map(simulation, davidson):
    with pytest.raises(ArgumentError, match=r"2 fit, among them flower-and-bird / mood, flower-and-bird / overall"):
        plot_scores(davidson)
    with pytest.raises(ArgumentError, match=r"dimension='colour' is not in the result; it holds \['mood', 'overall'\]"):
        plot_scores(davidson, dimension="colour")
    with pytest.raises(ArgumentError, match="no map"):
        plot_calibration(ps.fuse_thurstone(simulation.study, interval="none"), simulation.study, dimension="mood")
    with pytest.raises(ArgumentError, match="plot_scores takes a Fusion, not a Study"):
        plot_scores(simulation.study)


def test_without_axes_a_figure_is_made(davidson):
    ax = plot_scores(davidson, dimension="mood")
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)
