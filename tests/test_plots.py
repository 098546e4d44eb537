"""Pictures: what is drawn is what the fusion holds."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots import plot_agreement, plot_calibration, plot_scores


@pytest.fixture(scope="module")
def simulation():
    design = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, n_raters=3, dimensions=("mood", "overall"))
    return ps.simulate_study(design, random_seed=1)


@pytest.fixture(scope="module")
def davidson(simulation):
    return ps.fuse_davidson(simulation.study)


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def drawn(ax, label):
    return next(line for line in ax.get_lines() if str(line.get_label()).startswith(label))


def test_scores_are_drawn_best_on_top_with_truth_in_its_row(simulation, davidson, ax):
    assert plot_scores(davidson, dimension="mood", truth=simulation.truth, ax=ax) is ax
    cell = davidson.select(dimension="mood")
    assert [text.get_text() for text in ax.get_yticklabels()] == cell["item"].tolist()
    np.testing.assert_allclose(drawn(ax, "fused").get_xdata(), cell["score"])
    truth = simulation.truth[simulation.truth["dimension"] == "mood"].set_index("item")["population"]
    np.testing.assert_allclose(drawn(ax, "truth").get_xdata(), truth[cell["item"]])
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_of_many_items_some_are_drawn_and_the_title_says_so(davidson, ax):
    plot_scores(davidson, dimension="mood", max_items=5, ax=ax)
    shown = [text.get_text() for text in ax.get_yticklabels()]
    ranked = davidson.select(dimension="mood")["item"].tolist()
    assert len(shown) == 5
    assert (shown[0], shown[-1]) == (ranked[0], ranked[-1])
    assert "5 of 12 items" in ax.get_title(loc="left")


def test_agreement_draws_every_common_item(simulation, davidson, ax):
    other = ps.fuse_thurstone(simulation.study, interval="none")
    plot_agreement(davidson, other, ax=ax)
    assert len(ax.get_lines()[0].get_xdata()) == len(davidson.scores)
    assert "24 scores" in ax.texts[0].get_text()


def test_calibration_draws_the_map_through_the_scale(simulation, davidson, ax):
    plot_calibration(davidson, simulation.study, dimension="mood", ax=ax)
    curve = drawn(ax, "map")
    assert np.all(np.diff(curve.get_ydata()) > 0)
    cell = davidson.select(dimension="mood").sort_values("latent")
    np.testing.assert_allclose(np.interp(cell["latent"], *curve.get_data()), cell["score"], atol=0.01)


def test_a_cell_must_be_named_and_have_a_map(simulation, davidson):
    with pytest.raises(ArgumentError, match="2 fit"):
        plot_scores(davidson)
    with pytest.raises(ArgumentError, match="colour"):
        plot_scores(davidson, dimension="colour")
    with pytest.raises(ArgumentError, match="no map"):
        plot_calibration(ps.fuse_thurstone(simulation.study, interval="none"), simulation.study, dimension="mood")


def test_without_axes_a_figure_is_made(davidson):
    import matplotlib.pyplot as plt

    ax = plot_scores(davidson, dimension="mood")
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)
