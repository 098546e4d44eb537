"""Pictures of reliability, raters, protocols and agreement: marks are where the tables' numbers are."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.plots import caption, plot_costs, plot_null, plot_protocols, plot_raters, plot_reliability
from ppaint_stats.plots.intervals import share_interval
from ppaint_stats.reliability import match_protocols
from ppaint_stats.reliability.habits import rater_habits
from tests.bayes_helpers import glance
from tests.plot_helpers import drawn, rows, segments, simulate


@pytest.fixture(scope="module")
def study():
    return simulate("mood", "overall").study


@pytest.fixture(scope="module")
def one(study):
    return study.select(dimensions="mood")


@pytest.fixture(scope="module")
def report(study):
    return ps.assess_reliability(study, n_boot=40, random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def ratings_only(one):
    return ps.assess_reliability(one.drop_protocol("preferences"), n_boot=0, random_seed=1, progressbar=False)


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


def pick(report, protocol, statistics):
    table = report.tables["summary"]
    table = table[(table["dimension"] == "mood") & (table["protocol"] == protocol)].set_index("statistic")
    return table.loc[statistics]


def test_reliability_has_a_row_for_each_statistic(report, ax):
    names = ["alpha_sym", "krippendorff_alpha_ordinal", "kendall_w"]
    assert plot_reliability(report, dimension="mood", statistics=names, ax=ax) is ax
    assert rows(ax) == ["alpha of comparisons", "Krippendorff's alpha, ordinal", "Kendall's W"]
    rated, compared = pick(report, "ratings", names), pick(report, "preferences", ["alpha_sym", "kendall_w"])
    np.testing.assert_allclose(sorted(drawn(ax, "ratings").get_xdata()), sorted(rated["estimate"]))
    np.testing.assert_allclose(sorted(drawn(ax, "preferences").get_xdata()), sorted(compared["estimate"]))
    place = dict(zip(drawn(ax, "ratings").get_xdata(), drawn(ax, "ratings").get_ydata(), strict=True))
    assert place[rated.loc["krippendorff_alpha_ordinal", "estimate"]] == 1.0
    ends = segments(ax)[:, :, 0]
    for row in pd.concat([rated, compared]).itertuples():
        assert np.isclose(ends, [row.lower, row.upper]).all(axis=1).any()
    assert "95% interval" in ax.get_xlabel()
    assert "ratings (10 items, 4 raters) and of preferences (10 items, 4 raters)" in caption(ax)
    assert "0.667 and 0.8" in caption(ax)


def test_reliability_by_default_shows_what_is_there(report, ratings_only, ax):
    plot_reliability(report, dimension="mood", ax=ax)
    assert "alpha, ties matched" in rows(ax)
    assert not any("raters_needed" in row for row in rows(ax))
    other = Figure().subplots()
    plot_reliability(ratings_only, ax=other)
    assert [handle.get_label() for handle in other.get_legend().legend_handles] == ["ratings"]
    known = pick(ratings_only, "ratings", ["ICC(A,1)", "ICC(A,k)"])
    assert len(segments(other)) >= known["lower"].notna().sum()
    assert "have no interval" in caption(other)  # no bootstrap; F intervals remain


def test_reliability_refuses_other_reports_and_statistics(report, study):
    with pytest.raises(ArgumentError, match="name one category and dimension: 2 fit"):
        plot_reliability(report)
    with pytest.raises(ArgumentError, match="'kendall_w'"):
        plot_reliability(report, dimension="mood", statistics=["kendall"])
    with pytest.raises(ArgumentError, match="takes a Report of assess_reliability, not a Study"):
        plot_reliability(study)
    with pytest.raises(ArgumentError, match="no table 'summary'"):
        plot_reliability(ps.check_study(study))


def test_costs_are_the_curves(report, one, ax):
    plot_costs(report, dimension="mood", ax=ax)
    curves = report.tables["curves"]
    curves = curves[curves["dimension"] == "mood"]
    for side in ("ratings", "preferences"):
        line = drawn(ax, side)
        np.testing.assert_allclose(line.get_xdata(), curves["judgments_per_item"])
        np.testing.assert_allclose(line.get_ydata(), curves[f"{side}_estimate"])
    assert "10 items and 4 raters in flower-and-bird, mood" in caption(ax)
    assert "95% intervals" in caption(ax)
    match = match_protocols(one, n_boot=0, random_seed=1)
    other = Figure().subplots()
    plot_costs(match, ax=other)
    assert "no intervals were computed" in caption(other)
    assert "10 items and 4 raters" in caption(other)


def test_costs_need_curves(one, ratings_only):
    with pytest.raises(ArgumentError, match="'curves' of the report 'Reliability of the study' is empty"):
        plot_costs(ratings_only)
    match = match_protocols(one, n_boot=0, n_subsets=0, random_seed=1)
    with pytest.raises(ArgumentError, match="n_subsets=0"):
        plot_costs(match)
    with pytest.raises(ArgumentError, match="is of category 'flower-and-bird', dimension 'mood'"):
        plot_costs(match_protocols(one, n_boot=0, n_subsets=1, random_seed=1), dimension="overall")


def test_raters_of_a_report(report, ax):
    plot_raters(report, dimension="mood", ax=ax)
    table = report.tables["raters"].query("dimension == 'mood'")
    rated, compared = (table[table["protocol"] == name] for name in ("ratings", "preferences"))
    (points,) = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
    np.testing.assert_allclose(points.get_xdata(), rated["severity"])
    np.testing.assert_allclose(points.get_ydata(), 100 * compared["tie_rate"])
    assert {text.get_text() for text in ax.texts} == set(rated["rater"])
    ends = segments(ax)
    np.testing.assert_allclose(ends[:4, :, 0].mean(axis=1), rated["severity"], atol=1e-12)
    width = np.diff(ends[:4, :, 0], axis=1)[:, 0]
    np.testing.assert_allclose(width, 2 * 1.959964 * rated["severity_se"], rtol=1e-6)
    assert "4 raters in flower-and-bird, mood, with 95% intervals" in caption(ax)


def test_shares_have_wilsons_interval(one):
    habits = rater_habits(one.preferences, interval_prob=0.9)
    lower, upper = share_interval(habits["tie_rate"].to_numpy(), habits["n_judgments"].to_numpy(float), 0.9)
    np.testing.assert_allclose(lower, habits["tie_lower"])
    np.testing.assert_allclose(upper, habits["tie_upper"])
    assert np.isnan(share_interval(np.array([0.0]), np.array([0.0]), 0.9)).all()


def test_raters_of_a_joint_model(study, ax):
    fusion = glance(study)
    plot_raters(fusion, category="flower-and-bird", dimension="mood", ax=ax)
    table = fusion.raters[fusion.raters["dimension"] == "mood"]
    (points,) = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
    np.testing.assert_allclose(points.get_xdata(), table["severity"])
    np.testing.assert_allclose(segments(ax)[:4, :, 0], table[["severity_lower", "severity_upper"]])
    assert "logits (right: stricter)" in ax.get_xlabel()
    assert "over 1 category" in caption(ax)
    with pytest.raises(ArgumentError, match="category='sea'"):
        plot_raters(fusion, category="sea", dimension="mood")


def test_raters_of_one_protocol_are_rows(one, ratings_only, ax):
    plot_raters(ratings_only, ax=ax)
    table = ratings_only.tables["raters"].sort_values("severity", kind="stable")
    assert rows(ax) == table["rater"].tolist()
    np.testing.assert_allclose(drawn(ax, "severity").get_xdata(), table["severity"])
    assert caption(ax).startswith("Severity of 4 raters")
    other = Figure().subplots()
    plot_raters(ps.fuse_davidson(one.drop_protocol("ratings"), interval="hessian", target="panel"), ax=other)
    assert caption(other).startswith("Share of ties of 4 raters")


def test_raters_must_be_known(one):
    anonymous = ps.Study(preferences=one.preferences.drop(columns="rater"))
    fusion = ps.fuse_davidson(anonymous, interval="none")
    with pytest.raises(ArgumentError, match="knows no raters"):
        plot_raters(fusion)
    with pytest.raises(ArgumentError, match="a Fusion or a Report of assess_reliability, not a dict"):
        plot_raters({})


def swap(fusion, first, second):
    """The same fusion with two items' names exchanged: they then disagree with everything else."""
    from dataclasses import replace

    names = fusion.scores["item"].replace({first: second, second: first})
    return replace(fusion, scores=fusion.scores.assign(item=names))


def test_protocols_mark_items_that_disagree(ax):
    study = simulate("mood", n_items=16, n_pairs=100, n_raters=6).study
    rated, compared = (ps.fuse_davidson(study, protocols=name) for name in ("ratings", "preferences"))
    best, worst = rated.select()["item"].iloc[[0, -1]]
    plot_protocols(rated, swap(compared, best, worst), ax=ax)
    assert {text.get_text() for text in ax.texts} >= {best, worst}
    points = np.concatenate([line.get_xydata() for line in ax.get_lines() if line.get_linestyle() == "None"])
    both = rated.select().merge(swap(compared, best, worst).select(), on="item")
    np.testing.assert_allclose(np.sort(points[:, 0]), np.sort(both["score_x"]))
    np.testing.assert_allclose(np.sort(points[:, 1]), np.sort(both["score_y"]))
    assert "16 items by 6 raters" in caption(ax)
    assert (
        f"{len(ax.texts)} items (diamonds) differ by more than they allow. By chance at most about 2 would."
        in caption(ax)
    )


def test_protocols_without_intervals_say_so(one, ax):
    rated = ps.fuse_thurstone(one, protocols="ratings", interval="none")
    compared = ps.fuse_thurstone(one, protocols="preferences", interval="none")
    plot_protocols(rated, compared, ax=ax)
    assert not ax.texts
    assert "no item can be said to disagree" in caption(ax)
    with pytest.raises(ArgumentError, match="ratings_fusion must come from ratings alone"):
        plot_protocols(compared, rated)


@pytest.fixture(scope="module")
def comparison(study):
    fusions = [ps.fuse_davidson(study, interval="none"), ps.fuse_thurstone(study, interval="none")]
    return ps.compare_fusions(*fusions, study=study, n_boot=20, n_splits=1, n_permutations=1)


def test_null_is_drawn_against_what_was_found(comparison, ax):
    plot_null(comparison, ax=ax)
    table = comparison.tables["shared_inputs"].sort_values("cross_half", ascending=False, kind="stable")
    assert rows(ax) == (table["category"] + ", " + table["dimension"]).tolist()
    np.testing.assert_allclose([bar.get_x() for bar in ax.patches], table["null_lower"])
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in ax.patches], table["null_upper"])
    np.testing.assert_allclose(drawn(ax, "halves").get_xdata(), table["cross_half"])
    np.testing.assert_allclose(drawn(ax, "the two").get_xdata(), table["observed"])
    real = (table["p_value"] < 0.05).sum()
    assert f"In {real} of them" in caption(ax)
    assert "2 cells of category and dimension with 10 items" in caption(ax)


def test_null_holds_what_exchanged_items_give(comparison):
    """Of ten items exchanged at random, rank correlations spread by 1/3; here two are averaged."""
    table = comparison.tables["shared_inputs"]
    assert ((table["null_upper"] - table["null_lower"]).between(0.6, 1.15)).all()
    assert (table["null_lower"] < table["null_upper"]).all()
    assert {"null_lower", "null_upper"} <= set(comparison.tables["verdicts"])


def test_null_can_be_cut_and_needs_the_study(comparison, study, ax):
    plot_null(comparison, max_cells=1, ax=ax)
    assert "Of 2 cells 1 are drawn" in caption(ax)
    plot_null(comparison, dimension="overall", ax=Figure().subplots())
    for wrong, message in (({"dimension": "x"}, "holds"), ({"fusions": ("elo", "bayes")}, "'davidson', 'thurstone'")):
        with pytest.raises(ArgumentError, match=message):
            plot_null(comparison, **wrong)
    alone = ps.compare_fusions(*[ps.fuse_thurstone(study, interval="none")] * 2, n_boot=0)
    with pytest.raises(ArgumentError, match="study=study"):
        plot_null(alone)
