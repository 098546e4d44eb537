"""Pictures of designs, of Elo over orders, and of correlations of dimensions."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, DisconnectedGraphError
from ppaint_stats.plots import caption, plot_correlations, plot_design, plot_orders
from tests.bayes_helpers import glance
from tests.plot_helpers import drawn, rows, segments, simulate


@pytest.fixture(scope="module")
def study():
    return simulate("mood", "overall").study


@pytest.fixture(scope="module")
def joint(study):
    return glance(study)


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def test_design_has_a_line_for_each_pair(study, ax):
    assert plot_design(study, dimension="mood", ax=ax) is ax
    assert {text.get_text() for text in ax.texts} == set(study.items())
    assert len(segments(ax)) == 30
    table = study.preferences[study.preferences["dimension"] == "mood"]
    mean = 2 * len(table) / 10
    assert f"30 pairs of 45, compared by 4 raters, {mean:g} comparisons of each item" in caption(ax)
    ends = {tuple(np.round(point, 6)) for point in segments(ax).reshape(-1, 2)}
    nodes = {tuple(np.round(point, 6)) for line in ax.get_lines() for point in line.get_xydata()}
    assert ends <= nodes


def test_counts_are_comparisons(ax):
    pairs = pd.DataFrame({"item_a": ["x", "y", "z"], "item_b": ["y", "x", "x"], "count": [2, 3, 1]})
    plot_design(pairs, ax=ax)
    assert len(segments(ax)) == 2  # one for x and y, in whichever order
    widths = ax.collections[0].get_linewidths()
    assert max(widths) == pytest.approx(2.0)
    assert "2 pairs of 3, 4 comparisons of each item at the mean; it hangs together" in caption(ax)


def test_a_chain_is_laid_out_in_its_order(ax):
    names = [f"i{k}" for k in range(9)]
    shuffled = np.random.default_rng(1).permutation(8)
    pairs = pd.DataFrame({"item_a": np.array(names)[shuffled], "item_b": np.array(names)[shuffled + 1]})
    plot_design(pairs, ax=ax)
    angle = {t.get_text(): np.arctan2(*t.get_position()) % (2 * np.pi) for t in ax.texts}
    steps = np.diff([angle[name] for name in names]) % (2 * np.pi)
    assert np.allclose(steps, steps[0])


def test_parts_of_a_design_are_told_apart(study, ax):
    held = study.preferences.query("dimension == 'mood'")
    first = study.items()[0]
    apart = ps.Study(ratings=study.ratings, preferences=held[(held["item_a"] != first) & (held["item_b"] != first)],
                     scale=study.scale)  # fmt: skip
    plot_design(apart, category="flower-and-bird", dimension="mood", ax=ax)
    assert "falls into 2 parts, the largest of 9 items" in caption(ax)
    assert "1 item is compared with none" in caption(ax)
    assert [len(line.get_xdata()) for line in ax.get_lines()] == [9, 1]
    assert len({line.get_marker() for line in ax.get_lines()}) == 2


def test_large_designs_have_no_names(ax):
    pairs = ps.locally_dense_pairs([f"item-{k}" for k in range(500)], n_pairs=4000, random_seed=1)
    plot_design(pairs, ax=ax)
    assert not ax.texts
    assert ax.collections[0].get_rasterized()
    assert "no names are written" in caption(ax)
    assert "500 items: 4,000 pairs of 124,750" in caption(ax)


def test_design_needs_comparisons(study):
    with pytest.raises(ArgumentError, match="the study has none"):
        plot_design(study.drop_protocol("preferences"))
    with pytest.raises(ArgumentError, match=r"lacks \['item_b'\]"):
        plot_design(pd.DataFrame({"item_a": ["x"]}))
    with pytest.raises(ArgumentError, match="no row"):
        plot_design(pd.DataFrame({"item_a": [], "item_b": []}))
    with pytest.raises(ArgumentError, match="a Study or a table of pairs, not a list"):
        plot_design([])
    with pytest.raises(ArgumentError, match="2 fit"):
        plot_design(study)


def test_orders_draws_each_order_and_their_mean(study, ax):
    plot_orders(study, dimension="mood", max_items=3, n_orders=5, n_passes=2, ax=ax)
    assert len(ax.texts) == 3
    for text in ax.texts:
        mean = drawn(ax, text.get_text())
        own = [line for line in ax.get_lines() if line.get_color() == mean.get_color() and line is not mean]
        assert len(own) == 5
        np.testing.assert_allclose(np.mean([line.get_ydata() for line in own], axis=0), mean.get_ydata())
        assert len({line.get_ydata()[0] for line in own}) == 1  # all orders begin at the item's start value
    games = len(study.preferences.query("dimension == 'mood'"))
    assert mean.get_xdata()[-1] == 2 * games
    assert f"3 of 10 items in flower-and-bird, mood ({', '.join(t.get_text() for t in ax.texts)})" in caption(ax)
    assert f"{games} comparisons are played in 2 passes, in 5 random orders" in caption(ax)


def test_orders_end_near_the_fusion(study, ax):
    items = study.items()[:2]
    plot_orders(study, dimension="mood", items=items, n_orders=50, n_passes=10, ax=ax)
    latent = ps.fuse_elo(study, interval="none").select(dimension="mood").set_index("item")["latent"]
    for item in items:
        assert drawn(ax, item).get_ydata()[-1] == pytest.approx(latent[item], abs=8)


def test_orders_are_the_same_with_the_same_seed(study):
    lines = []
    for seed in (3, 3, 4):
        ax = Figure().subplots()
        plot_orders(study, dimension="mood", n_orders=2, random_seed=seed, ax=ax)
        lines.append(np.concatenate([line.get_ydata() for line in ax.get_lines()]))
    np.testing.assert_array_equal(lines[0], lines[1])
    assert np.abs(lines[0] - lines[2]).max() > 1


def test_orders_refuses_what_it_cannot_play(study, joint):
    with pytest.raises(ArgumentError, match="the study whose comparisons are played, not a Fusion"):
        plot_orders(joint)
    with pytest.raises(ArgumentError, match="the study has none"):
        plot_orders(study.drop_protocol("preferences"))
    with pytest.raises(ArgumentError, match="not in it are"):
        plot_orders(study, dimension="mood", items=["nothing"])
    with pytest.raises(ArgumentError, match="one to 6 items"):
        plot_orders(study, dimension="mood", items=study.items())
    with pytest.raises(ArgumentError, match="plays no comparisons"):
        plot_orders(study, dimension="mood", protocols="ratings")
    apart = ps.Study(preferences=pd.DataFrame({"item_a": ["a", "c"], "item_b": ["b", "d"], "outcome": ["A", "B"]}))
    with pytest.raises(DisconnectedGraphError):
        plot_orders(apart)


def test_correlations_are_those_of_the_table(joint, ax):
    plot_correlations(joint, ax=ax)
    row = joint.dimensions.iloc[0]
    assert rows(ax) == ["mood · overall"]
    assert drawn(ax, "items").get_xdata() == pytest.approx([row["item_correlation"]])
    assert drawn(ax, "raters").get_xdata() == pytest.approx([row["taste_correlation"]])
    expected = [row[[f"{kind}_correlation_lower", f"{kind}_correlation_upper"]].tolist() for kind in ("item", "taste")]
    np.testing.assert_allclose(segments(ax)[:, :, 0], expected)
    assert "1 pair of dimensions (bayes), in 10 items and in the tastes of 4 raters" in caption(ax)
    assert "did not converge" in caption(ax)


def test_correlations_need_a_joint_model_of_two_dimensions(study, joint):
    with pytest.raises(ArgumentError, match="fuse_bayes of two or more"):
        plot_correlations(ps.fuse_thurstone(study, interval="none"))
    with pytest.raises(ArgumentError, match="dimension='x' is not in the fusion"):
        plot_correlations(joint, dimension="x")
