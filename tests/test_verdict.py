"""The verdict: clear cases both ways, what is open, what cannot be said, and intervals of differences."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.bootstrap import draw_weights
from ppaint_stats.kernels.jackknife import Deletions, Spread, group_items, measure_spread
from ppaint_stats.reliability.estimate import SCALED, shrink_interval, summarise
from ppaint_stats.reliability.matched import match_protocols
from ppaint_stats.reliability.matched_cell import build_matched_cell, delete_pairs
from ppaint_stats.reliability.order_differences import EXPECTED
from ppaint_stats.reliability.verdict import COLUMNS, count_raters, judge_protocols

DESIGN = ps.PPaintDesign(n_categories=1, dimensions=("mood",), n_items=24, n_pairs=150, n_raters=6)
PREFERENCES_BETTER = replace(DESIGN, rating_slope=0.3)
RATINGS_BETTER = replace(DESIGN, item_sd=0.5, taste_sd=0.25, rating_slope=9.0)


def match(design, **options):
    return match_protocols(
        ps.simulate_study(design, random_seed=1).study, **{"n_boot": 300, "random_seed": 1} | options
    )


@pytest.mark.parametrize(
    ("design", "choice"), [(PREFERENCES_BETTER, "preferences"), (RATINGS_BETTER, "ratings"), (DESIGN, "undecided")]
)
def test_clear_cases(design, choice):
    found = match(design)
    verdict = judge_protocols(found)
    assert verdict.choice == choice
    assert (verdict.lower > 0, verdict.upper < 0) == (choice == "preferences", choice == "ratings")
    gap = found.estimates["rank_correlation"]["difference"]
    assert (verdict.difference, verdict.lower, verdict.upper) == (gap.estimate, gap.lower, gap.upper)
    assert verdict.text.startswith(choice.capitalize())
    for number in (verdict.difference, verdict.lower, verdict.upper):
        assert f"{number:+.3f}" in verdict.text
    assert "95% interval" in verdict.text
    assert np.isnan(verdict.raters_needed) or (choice == "undecided" and verdict.raters_needed > 6)
    assert str(verdict) == verdict.text
    assert (verdict.category, verdict.dimension) == ("flower-and-bird", "mood")
    assert tuple(verdict.comparisons.columns) == COLUMNS
    assert verdict.comparisons["statistic"].tolist() == ["rank_correlation", "panel_reliability", "alpha_tie_matched"]
    assert verdict.comparisons["choice"].iloc[0] == choice
    assert verdict.comparisons["judgments_per_item"].iloc[1] == pytest.approx(6.0)  # one rating by each rater
    for beginning in ("At equal cost (6.0 judgments per item)", "Of single judgments"):
        assert beginning in verdict.text


def order_votes(values, raters, items):
    rows = [
        (r, items[i], items[j], "A" if row[i] > row[j] else "B" if row[i] < row[j] else "TIE")
        for r, row in zip(raters, values, strict=True)
        for i, j in combinations(range(len(items)), 2)
    ]
    return pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"])


def rate(values, raters, items):
    rows = [(r, i, v) for r, row in zip(raters, values, strict=True) for i, v in zip(items, row, strict=True)]
    return pd.DataFrame(rows, columns=["rater", "item", "rating"])


def test_protocols_are_treated_alike():
    # Both orders can be had by either protocol: comparisons of all pairs by one order derive that order again.
    rng = np.random.default_rng(5)
    raters, items = list("rstuv"), [f"i{k:02d}" for k in range(16)]
    truth = rng.normal(size=16)
    sharp, blunt = (truth + noise * rng.normal(size=(5, 16)) for noise in (0.2, 1.5))
    verdicts = [
        judge_protocols(
            match_protocols(
                ps.Study(ratings=rate(x, raters, items), preferences=order_votes(y, raters, items), scale=(-9, 9)),
                n_boot=300,
                random_seed=1,
                n_subsets=0,
            )
        )
        for x, y in ((blunt, sharp), (sharp, blunt))
    ]
    assert [v.choice for v in verdicts] == ["preferences", "ratings"]
    first, second = verdicts
    assert first.difference == pytest.approx(-second.difference)
    assert (first.lower, first.upper) == pytest.approx((-second.upper, -second.lower))
    assert first.comparisons["difference"].to_numpy() == pytest.approx(-second.comparisons["difference"].to_numpy())


def test_one_order_twice_is_undecided():
    rng = np.random.default_rng(0)
    raters, items = list("rst"), [f"i{k:02d}" for k in range(12)]
    values = (rng.normal(size=12) + rng.normal(size=(3, 12))).round(1)
    study = ps.Study(ratings=rate(values, raters, items), preferences=order_votes(values, raters, items), scale=(-9, 9))
    verdict = judge_protocols(match_protocols(study, n_boot=100, random_seed=1, n_subsets=0))
    assert verdict.choice == "undecided"
    assert verdict.difference == pytest.approx(0, abs=1e-9)
    assert np.isnan(verdict.raters_needed)
    assert "-0.000" not in verdict.text
    assert "If this is the true difference" not in verdict.text


def test_what_cannot_be_said():
    study = ps.simulate_study(PREFERENCES_BETTER, random_seed=1).study
    flat = ps.Study(ratings=study.ratings.assign(rating=3.0), preferences=study.preferences, scale=study.scale)
    verdict = judge_protocols(match_protocols(flat, n_boot=50, random_seed=1))
    assert verdict.choice == "undecided"
    assert np.isnan(verdict.difference)
    assert np.isnan(verdict.raters_needed)
    assert "cannot be compared" in verdict.text
    assert "one score" in verdict.text
    assert "nan" not in verdict.text
    two = judge_protocols(match_protocols(study.select(raters=study.raters[:2]), n_boot=100, random_seed=1))
    assert two.choice == "undecided"
    assert "fewer than three raters" in two.text
    assert not (two.comparisons["choice"] != "undecided").any()
    first = study.raters[0]  # with one score for all items: without either of the others there is no correlation
    ratings = study.ratings[study.ratings["rater"].isin(study.raters[:3])]
    flat = ratings.assign(rating=ratings["rating"].where(ratings["rater"] != first, 3.0))
    three = study.select(raters=study.raters[:3])
    three = ps.Study(ratings=flat, preferences=three.preferences, scale=three.scale)
    found = judge_protocols(match_protocols(three, n_boot=100, random_seed=1, n_subsets=0))
    assert "fewer than three" not in found.text
    assert "one cannot be left out" in found.text
    with pytest.raises(ArgumentError, match="n_boot"):
        judge_protocols(match_protocols(study, n_boot=0, n_subsets=0))


def test_fixed_raters():
    verdict = judge_protocols(match(PREFERENCES_BETTER, resample="items", n_subsets=0))
    assert verdict.choice == "preferences"
    assert "for these raters" in verdict.text
    assert len(verdict.comparisons) == 2
    same = judge_protocols(match(DESIGN, resample="items", n_subsets=0))
    assert same.choice != "undecided" or "More items" in same.text


def test_raters_needed():
    spread = Spread(items=0.0, raters=0.01, bootstrap=0.005)  # no items, no interactions: all falls as 1 / raters
    needed = count_raters(0.1, spread, n_raters=5, prob=0.95)
    exact = 5 * 0.01 * (1.959964 + 0.841621) ** 2 / 0.1**2
    assert needed == np.ceil(exact)
    assert count_raters(-0.1, spread, n_raters=5, prob=0.95) == needed
    assert np.isnan(count_raters(0.1, Spread(items=0.01, raters=0.0, bootstrap=0.01), n_raters=5, prob=0.95))
    noisy = Spread(items=0.01, raters=0.01, bootstrap=0.03)  # interactions alone: items fall as well
    assert noisy.scale_raters(4.0) == pytest.approx((0.01 / 4, 0.02 / 4))


def test_spread_of_a_mean():
    # For a mean over items x raters the jackknife and the bootstrap have known values.
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 1)) + rng.normal(size=(1, 30)) + rng.normal(size=(4, 30))
    drawn = draw_weights(30, 4, 4000, rng)

    def mean(items, raters):
        return np.einsum("br,ri,bi->b", raters, x, items) / (raters.sum(axis=1) * items.sum(axis=1))

    items, raters = group_items(30, rng), 1 - np.eye(4, dtype=np.int64)
    weights = np.vstack([items, np.ones((4, 30), int)]), np.vstack([np.ones((30, 4), int), raters])
    deletions = Deletions(np.repeat([29 / 30, 3 / 4], [30, 4]), np.repeat([0, 1], [30, 4]))
    spread = measure_spread(float(x.mean()), mean(*drawn), mean(*weights), deletions)
    assert spread is not None
    assert spread.items == pytest.approx(x.mean(axis=0).var(ddof=1) / 30)
    assert spread.raters == pytest.approx(x.mean(axis=1).var(ddof=1) / 4)
    assert spread.bootstrap == pytest.approx(mean(*drawn).var(ddof=1))
    assert 0 < spread.shrinkage <= 1
    assert group_items(500, rng).shape == (100, 500)


def test_intervals_shrink_towards_the_estimate():
    draws = np.linspace(-1, 2, 101)
    plain = summarise("x", 0.4, draws, n_items=9, n_raters=5, n_judgments=45)
    found = shrink_interval(plain, Spread(items=0.1, raters=0.1, bootstrap=0.8))
    assert found.interval_kind == f"bootstrap of items and raters{SCALED}"
    assert (found.lower - 0.4) == pytest.approx((plain.lower - 0.4) / 2)
    assert (found.upper - 0.4) == pytest.approx((plain.upper - 0.4) / 2)
    wide = shrink_interval(plain, Spread(items=0.5, raters=0.5, bootstrap=0.8))  # never widened
    assert (wide.lower, wide.upper) == pytest.approx((plain.lower, plain.upper))
    unknown = shrink_interval(plain, None)
    assert unknown.interval_kind == plain.interval_kind
    assert "not to be trusted" in unknown.reason


def test_differences_are_narrower_than_the_bootstrap():
    found = match(DESIGN, n_subsets=0)
    for name, spread in found.spreads.items():
        if name in EXPECTED:
            continue  # shrunk on the scale of the rank correlation
        sides = found.estimates[name]
        raw = sides["preferences"].draws - sides["ratings"].draws
        assert np.nanstd(sides["difference"].draws) == pytest.approx(spread.shrinkage * np.nanstd(raw))
        assert np.nanvar(raw, ddof=1) == pytest.approx(spread.bootstrap)
    assert found.spreads["rank_correlation"].shrinkage < 1


def test_raters_of_different_protocols_are_left_out_apart():
    study = ps.simulate_study(DESIGN, random_seed=1).study
    names = {name: f"other-{name}" for name in study.raters}
    apart = ps.Study(
        ratings=study.ratings,
        preferences=study.preferences.assign(rater=study.preferences["rater"].replace(names)),
        scale=study.scale,
    )
    cell = build_matched_cell(apart, category=None, dimension=None, pairs="judged")
    left_out = delete_pairs(cell, np.random.default_rng(1), "both")
    assert left_out.deletions.kind.tolist() == [0] * 24 + [2] * 6 + [3] * 6
    assert left_out.draw.rating_raters[24:].sum(axis=1).tolist() == [5] * 6 + [6] * 6
    assert left_out.draw.preference_raters[24:].sum(axis=1).tolist() == [6] * 6 + [5] * 6
    assert left_out.deletions.share[24:] == pytest.approx(5 / 6)
    fixed = delete_pairs(cell, np.random.default_rng(1), "items")
    assert len(fixed.deletions.kind) == 24
    verdict = judge_protocols(match_protocols(apart, n_boot=200, random_seed=1, n_subsets=0))
    assert np.isfinite(verdict.lower)
