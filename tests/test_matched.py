"""The matched comparison: real voices, paired draws, matched ties, costs, and what it refuses."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.kernels.orders import expect_leave_one_out, expect_split_half
from ppaint_stats.kernels.signs import imply_signs, weaken_signs
from ppaint_stats.reliability.derived import ORDER_STATISTICS, order_agreement
from ppaint_stats.reliability.matched import STATISTICS, match_protocols, match_ties
from ppaint_stats.reliability.matched_cell import build_matched_cell, draw_pairs
from ppaint_stats.reliability.preferences import alpha_sym, point_agreement
from ppaint_stats.reliability.ratings import kendall_w, rank_correlation

DESIGN = ps.PPaintDesign(n_categories=1, dimensions=("mood",), n_items=20, n_pairs=70, n_raters=4)


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=1).study


@pytest.fixture(scope="module")
def matched(study):
    return match_protocols(study, n_boot=300, random_seed=1)


def rename_raters(study, names):
    return ps.Study(
        ratings=study.ratings,
        preferences=study.preferences.assign(rater=study.preferences["rater"].replace(names)),
        scale=study.scale,
    )


def test_real_voices(data_dir):
    with pytest.warns(ps.errors.DiscardedDataWarning):
        study = ps.read_study(
            ratings=data_dir / "voicelik_ratings.csv",
            preferences=data_dir / "voicelik_pairs.csv",
            scale=(0, 100),
            columns={"winner": "outcome"},
            missing="drop",
        )
    found = match_protocols(study, n_boot=200, random_seed=1)
    row = found.table.set_index("statistic").loc["alpha_sym"]
    assert row["preferences_estimate"] == pytest.approx(0.18925518925518925, abs=1e-9)
    assert row["ratings_estimate"] == pytest.approx(0.1290511871445337, abs=1e-9)
    assert row["difference_lower"] < 0.0602 < row["difference_upper"]
    ties = found.table.set_index("statistic").loc["tie_rate"]
    assert ties["ratings_estimate"] == pytest.approx(0.0163, abs=5e-4)  # item pairs weighing the same
    assert found.settings["raters"] == "same"
    assert found.counts["n_ratings"] == 194
    every = match_protocols(study, pairs="all", n_boot=0, n_subsets=0)
    assert every.estimates["alpha_sym"]["ratings"].estimate == pytest.approx(row["ratings_estimate"])

    # leave-one-out and split-half follow from the rank correlation: where that is open, they are
    orders = found.table.set_index("statistic").loc[list(ORDER_STATISTICS)]
    assert (orders["difference_lower"] < 0).all()
    assert (orders["difference_upper"] > 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_differences_of_orders_have_the_sign_of_the_rank_correlation(seed):
    design = replace(DESIGN, n_items=14, n_pairs=30, n_raters=3 + seed)
    study = ps.simulate_study(design, random_seed=seed).study
    found = match_protocols(study, n_boot=200, random_seed=seed, n_subsets=0).estimates
    rho = found["rank_correlation"]["difference"]
    signs = np.sign(rho.draws)
    for name in ("rank_leave_one_out", "rank_split_half"):
        gap = found[name]["difference"]
        assert gap.interval_kind == rho.interval_kind
        assert gap.lower < gap.estimate < gap.upper
        defined = ~np.isnan(gap.draws)
        assert (np.sign(gap.draws) * signs >= 0)[defined].all()
        assert abs(np.nanmedian(gap.draws) - gap.estimate) < 0.1


def test_panels_of_alike_raters():
    rho = np.array([-1 / 5, 0.0, 0.3, 1.0])
    assert expect_split_half(rho, 6) == pytest.approx([-1, 0, 6 * 0.3 / 2.5, 1])  # Spearman & Brown
    assert expect_leave_one_out(rho, 6) == pytest.approx([-1, 0, 0.3 / np.sqrt(0.2 + 0.8 * 0.3), 1])
    for function in (expect_split_half, expect_leave_one_out):
        for m in (2, 3, 7):
            assert (np.diff(function(np.linspace(-1 / (m - 1), 1, 101), m)) > 0).all()


def test_table_is_complete(matched):
    assert tuple(matched.table["statistic"]) == STATISTICS
    numbers = matched.table.drop(columns=["statistic", "reason"])
    assert numbers.notna().all(axis=None)
    for side in ("ratings", "preferences"):
        inside = matched.table[f"{side}_estimate"].between(
            matched.table[f"{side}_lower"], matched.table[f"{side}_upper"]
        )
        assert inside.all()
    gap = matched.table["preferences_estimate"] - matched.table["ratings_estimate"]
    assert matched.table["difference"].to_numpy() == pytest.approx(gap.to_numpy())
    assert matched.table["probability_higher"].between(0, 1).all()
    assert "alpha_sym" in repr(matched)


def test_seeds(study, matched):
    again = match_protocols(study, n_boot=300, random_seed=1)
    pd.testing.assert_frame_equal(matched.table, again.table)
    pd.testing.assert_frame_equal(matched.curves, again.curves)


def test_preferences_are_those_of_alpha_sym(study, matched):
    assert matched.estimates["alpha_sym"]["preferences"].estimate == pytest.approx(
        alpha_sym(study.preferences).estimate
    )


def test_ratings_are_those_of_the_functions_of_ratings(study, matched):
    for name, function in (("kendall_w", kendall_w), ("rank_correlation", rank_correlation)):
        assert matched.estimates[name]["ratings"].estimate == pytest.approx(function(study.ratings).estimate)
    derived = order_agreement(study.preferences)
    for name, found in derived.items():
        assert matched.estimates[name]["preferences"].estimate == pytest.approx(found.estimate)


def test_one_protocol_twice_differs_by_nothing():
    rng = np.random.default_rng(0)
    items, raters = [f"i{k:02d}" for k in range(12)], ["r", "s", "t"]
    values = (rng.normal(size=12) + rng.normal(size=(3, 12))).round(1)
    ratings = pd.DataFrame(
        [(r, i, v) for r, row in zip(raters, values, strict=True) for i, v in zip(items, row, strict=True)]
    )
    ratings.columns = ["rater", "item", "rating"]
    rows = [
        (r, items[i], items[j], "A" if row[i] > row[j] else "B" if row[i] < row[j] else "TIE")
        for r, row in zip(raters, values, strict=True)
        for i, j in combinations(range(12), 2)
    ]
    votes = pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"])
    found = match_protocols(ps.Study(ratings=ratings, preferences=votes, scale=(-9, 9)), n_boot=100, random_seed=1)
    gap = found.table[["difference", "difference_lower", "difference_upper"]].to_numpy()
    # scores derived from all comparisons that one order implies give that order again
    assert gap == pytest.approx(np.zeros(gap.shape), abs=1e-9)
    assert (found.table["probability_higher"] == 0.5).all()


@pytest.mark.parametrize("coarse", [True, False])
def test_ties_are_matched(coarse):
    design = replace(DESIGN, scale=(1, 5, 1) if coarse else (0, 100), tie_log_mean=-2.0 if coarse else 0.5)
    cell = build_matched_cell(
        ps.simulate_study(design, random_seed=2).study, category=None, dimension=None, pairs="judged"
    )
    before = [point_agreement(table)["tie_rate"] for table in (cell.implied, cell.compared)]
    assert (before[0] > before[1]) == coarse
    (implied, compared), note = match_ties(cell)
    after = [point_agreement(table)["tie_rate"] for table in (implied, compared)]
    assert after == pytest.approx([max(before)] * 2, abs=1e-12)
    assert note.startswith("preferences'" if coarse else "ratings'")


def test_the_weakest_decisions_become_ties():
    ratings = np.array([[[0.0, 1.0, 3.0, 7.0]] * 2])  # one trial, two raters
    a, b = np.triu_indices(4, 1)
    table = imply_signs(ratings, a, b)
    gaps = np.abs(ratings[0][:, a] - ratings[0][:, b])
    found = weaken_signs(table, gaps, 0.5)
    assert found.decided[0].tolist() == [0, 0.0, 1.0, 0.0, 1.0, 1.0]  # gaps 1, 3, 7, 2, 6, 4
    part = weaken_signs(table, gaps, 0.25)  # one and a half of six pairs, for each rater alike
    assert part.decided[0] == pytest.approx([0, 1, 1, 0.5, 1, 1])
    assert weaken_signs(table, gaps, 0.0) is table


def test_repeated_ratings_meet_each_other():
    ratings = np.array([[[1.0, 2.0]], [[3.0, 2.0]]])  # a rater, two trials: 1 and 3 against 2 and 2
    table = imply_signs(ratings, np.array([0]), np.array([1]))
    assert table.sign.tolist() == [[0.0]]
    assert table.decided.tolist() == [[1.0]]
    assert table.count.tolist() == [[4.0]]


def test_raters_are_drawn_by_name(study):
    same = build_matched_cell(study, category=None, dimension=None, pairs="judged")
    draw = draw_pairs(same, 50, np.random.default_rng(1), "both")
    order = [same.rating_raters.index(name) for name in same.preference_raters]
    assert (draw.rating_raters[:, order] == draw.preference_raters).all()
    names = {name: f"other-{name}" for name in same.rating_raters}
    different = build_matched_cell(rename_raters(study, names), category=None, dimension=None, pairs="judged")
    draw = draw_pairs(different, 50, np.random.default_rng(1), "both")
    assert (draw.rating_raters.sum(axis=1) == 4).all()
    assert (draw.preference_raters.sum(axis=1) == 4).all()
    assert (draw.rating_raters != draw.preference_raters).any()
    first = same.rating_raters[0]
    partly = build_matched_cell(
        rename_raters(study, {first: names[first]}), category=None, dimension=None, pairs="judged"
    )
    draw = draw_pairs(partly, 50, np.random.default_rng(1), "both")
    shared = [name for name in partly.rating_raters if name in partly.preference_raters]
    for name in shared:
        i, j = partly.rating_raters.index(name), partly.preference_raters.index(name)
        assert (draw.rating_raters[:, i] == draw.preference_raters[:, j]).all()
    assert [c.rater_relation for c in (same, partly, different)] == ["same", "partly the same", "different"]
    fixed = draw_pairs(different, 5, np.random.default_rng(1), "items")
    assert (fixed.rating_raters == 1).all()
    assert (fixed.preference_raters == 1).all()


def test_same_raters_make_differences_more_certain(study, matched):
    names = {name: f"other-{name}" for name in study.raters}
    apart = match_protocols(rename_raters(study, names), n_boot=300, random_seed=1, n_subsets=0)
    widths = [
        (t["difference_upper"] - t["difference_lower"])["alpha_sym"]
        for t in (matched.table.set_index("statistic"), apart.table.set_index("statistic"))
    ]
    assert widths[0] < widths[1]
    assert apart.curves.empty


def test_curves(matched):
    curves = matched.curves
    assert curves["judgments_per_item"].is_monotonic_increasing
    assert curves["judgments_per_item"].iloc[-1] == pytest.approx(4 * 70 / 20)
    assert curves["rating_raters"].tolist() == pytest.approx(curves["judgments_per_item"].tolist())
    full = curves.iloc[-1]
    rho = matched.estimates["rank_correlation"]["preferences"].estimate
    assert full["preferences_estimate"] == pytest.approx(4 * rho / (1 + 3 * rho))
    rho = matched.estimates["rank_correlation"]["ratings"].estimate
    assert curves["ratings_estimate"].iloc[0] == pytest.approx(4 * rho / (1 + 3 * rho))  # one rating of each by each
    assert curves["ratings_estimate"].is_monotonic_increasing


def test_items_of_one_protocol_are_left_out_and_counted(study):
    lost = study.ratings["item"].unique()[:3]
    kept = ps.Study(
        ratings=study.ratings[~study.ratings["item"].isin(lost)], preferences=study.preferences, scale=study.scale
    )
    found = match_protocols(kept, n_boot=0, n_subsets=0)
    assert found.counts["n_items"] == 17
    assert found.counts["items_only_compared"] == 3
    touched = study.preferences[["item_a", "item_b"]].isin(lost).any(axis=1)
    assert found.counts["comparison_rows_left_out"] == touched.sum()
    assert found.table["ratings_lower"].isna().all()


def test_missing_ratings_are_left_out_of_their_pairs(study):
    kept = ps.Study(ratings=study.ratings.iloc[3:], preferences=study.preferences, scale=study.scale)
    found = match_protocols(kept, n_boot=50, random_seed=1)
    assert found.table["difference"].notna().all()


def test_degenerate_cells_give_reasons(study):
    flat = ps.Study(ratings=study.ratings.assign(rating=3.0), preferences=study.preferences, scale=study.scale)
    found = match_protocols(flat, n_boot=20, random_seed=1).table.set_index("statistic")
    assert "every judgment is a tie" in found.loc["alpha_sym", "reason"]
    assert "one score" in found.loc["rank_correlation", "reason"]
    assert np.isnan(found.loc["alpha_sym", "difference"])
    assert np.isfinite(found.loc["alpha_sym", "preferences_estimate"])
    one = match_protocols(study.select(raters=[study.raters[0]]), n_boot=20, random_seed=1)
    assert one.table["difference"].isna().all()
    assert one.table["reason"].str.contains("two raters").all()
    pair = study.preferences[["item_a", "item_b"]].iloc[0].tolist()
    small = match_protocols(study.select(items=pair), n_boot=20, random_seed=1)
    assert len(small.table) == len(STATISTICS)
    undefined = small.table[small.table["difference"].isna()]
    assert (undefined["reason"] != "").all()


def test_what_is_refused(study):
    with pytest.raises(ArgumentError, match=r"a Study, not a DataFrame; read_study\(...\) or Study\("):
        match_protocols(study.ratings)
    with pytest.raises(DataError, match="no preferences"):
        match_protocols(study.drop_protocol("preferences"))
    with pytest.raises(DataError, match="name no rater"):
        match_protocols(
            ps.Study(ratings=study.ratings, preferences=study.preferences.drop(columns="rater"), scale=study.scale)
        )
    with pytest.raises(ArgumentError, match="no such cell"):
        match_protocols(study, dimension="colour")
    with pytest.raises(ArgumentError, match="pairs"):
        match_protocols(study, pairs="some")
    two = ps.simulate_study(replace(DESIGN, dimensions=("mood", "tone")), random_seed=1).study
    with pytest.raises(ArgumentError, match="leaves 2 cells"):
        match_protocols(two)
    assert match_protocols(two, dimension="tone", n_boot=0, n_subsets=0).dimension == "tone"
    items = study.items()
    apart = ps.Study(
        ratings=study.ratings[study.ratings["item"].isin(items[:5])],
        preferences=study.preferences[~study.preferences[["item_a", "item_b"]].isin(items[:5]).all(axis=1)],
        scale=study.scale,
    )
    with pytest.raises(DataError, match="no comparison is between"):
        match_protocols(apart)
