"""Replicates by weights against references that copy rows, and the Estimate that holds them."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.agreement import alpha_of_patterns, find_patterns, weigh_patterns, weighted_alpha
from ppaint_stats.kernels.bootstrap import draw_pattern_weights, draw_weights
from ppaint_stats.kernels.panels import (
    choose_splits,
    effective_size,
    step_up,
    weighted_leave_one_out,
    weighted_split_half,
)
from ppaint_stats.kernels.rank_agreement import (
    midranks_of,
    weighted_kendall_w,
    weighted_midranks,
    weighted_rank_correlation,
)
from ppaint_stats.reliability import kendall_w, krippendorff_alpha, rank_correlation
from ppaint_stats.reliability import krippendorff as krippendorff_module
from ppaint_stats.reliability.estimate import draw_bootstrap, summarise

LEVELS = ("nominal", "ordinal", "interval", "ratio")


def simulate(rng: np.random.Generator, n_raters: int, n_items: int, *, missing: float = 0.0) -> np.ndarray:
    latent = rng.normal(3, 1, n_items) + rng.normal(0, 0.8, (n_raters, n_items))
    values = np.clip(np.round(latent), 1, 5)
    values[rng.random(values.shape) < missing] = np.nan
    return values


def copied_alpha(values: np.ndarray, items: np.ndarray, raters: np.ndarray, level: str) -> float:
    """Alpha of a table with copied rows and columns; pairs of copies of one item, or of one rater, are left out."""
    judged = [(u, r) for r, u in zip(*np.nonzero(~np.isnan(values)), strict=True) if items[u] and raters[r]]
    judged = [(u, r) for u, r in judged if sum(v == u for v, _ in judged) >= 2]
    copies = [(u, a, r, b, values[r, u]) for u, r in judged for a in range(items[u]) for b in range(raters[r])]
    rated = np.array([copy[4] for copy in copies])
    levels, count = np.unique(rated, return_counts=True)
    if len(levels) < 2:
        return np.nan

    def distance(x: float, y: float) -> float:
        i, j = sorted(np.searchsorted(levels, [x, y]))
        ranks = count[i : j + 1].sum() - (count[i] + count[j]) / 2
        ratio = 0.0 if x == y else (x - y) / (x + y)
        return {"nominal": float(x != y), "ordinal": ranks**2, "interval": (x - y) ** 2, "ratio": ratio**2}[level]

    total = pairs = 0.0
    inside: dict[tuple[int, int], list[float]] = {}
    for p, q in permutations(copies, 2):
        if (p[0] == q[0] and p[1] != q[1]) or (p[2] == q[2] and p[3] != q[3]):
            continue
        total, pairs = total + distance(p[4], q[4]), pairs + 1
        if p[0] == q[0]:
            inside.setdefault(p[:2], []).append(distance(p[4], q[4]))
    size = {unit: sum(copy[:2] == unit for copy in copies) for unit in inside}
    observed = sum(size[unit] * np.mean(inside[unit]) for unit in inside) / sum(size.values())
    return 1 - observed / (total / pairs)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_alpha_by_weights_is_alpha_of_copied_rows(level: str, missing: float) -> None:
    rng = np.random.default_rng(3)
    values = simulate(rng, 4, 7, missing=missing)
    items, raters = draw_weights(7, 4, 4, rng)
    ones = np.ones(4, dtype=int)
    expected = [copied_alpha(values, i, r, level) for i, r in zip(items, raters, strict=True)]
    np.testing.assert_allclose(weighted_alpha(values, items, raters, level=level), expected, atol=1e-12)
    expected = [copied_alpha(values, i, ones, level) for i in items]
    np.testing.assert_allclose(weighted_alpha(values, items, None, level=level), expected, atol=1e-12)
    patterns = find_patterns(values, keep_raters=True)  # the path for raters, with raters that all count once
    slow = alpha_of_patterns(patterns, *weigh_patterns(patterns, items), np.ones((4, 4), dtype=int), level=level)
    np.testing.assert_allclose(slow, expected, atol=1e-12)


def test_patterns_survive_keys_that_overflow() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, (15, 40)).astype(float)
    values = np.hstack([values, values[:, :5]])
    for keep in (True, False):
        patterns = find_patterns(values, keep_raters=keep)
        assert len(patterns.multiplicity) == 40
        assert patterns.unit[:5].tolist() == patterns.unit[40:].tolist()
        rows = patterns.levels[patterns.codes[patterns.unit]]
        np.testing.assert_array_equal(rows, values.T if keep else np.sort(values, axis=0).T)


def test_draws_by_pattern_behave_like_draws_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    values = simulate(np.random.default_rng(1), 4, 120, missing=0.2)
    for resample in ("items", "both"):
        by_item = krippendorff_alpha(values, n_boot=1500, random_seed=1, resample=resample)
        monkeypatch.setattr(krippendorff_module, "PATTERN_LIMIT", 0)
        by_pattern = krippendorff_alpha(values, n_boot=1500, random_seed=1, resample=resample)
        monkeypatch.undo()
        sd = np.nanstd(by_item.draws)
        assert abs(np.nanmean(by_item.draws) - np.nanmean(by_pattern.draws)) < 0.15 * sd
        assert np.nanstd(by_pattern.draws) == pytest.approx(sd, rel=0.1)
        assert by_pattern.estimate == by_item.estimate


def copied_ranks(values: np.ndarray, items: np.ndarray) -> np.ndarray:
    return stats.rankdata(np.repeat(values, items, axis=1), axis=1)


def test_rank_correlation_and_w_by_weights_are_those_of_copied_rows() -> None:
    rng = np.random.default_rng(5)
    values = simulate(rng, 4, 12)
    items, raters = draw_weights(12, 4, 6, rng)
    found, concordance = weighted_rank_correlation(values, items, raters), weighted_kendall_w(values, items, raters)
    for b in range(6):
        ranks = copied_ranks(values, items[b])
        cov = np.cov(ranks, bias=True)
        pairs = [(r, s) for r in range(4) for s in range(4) if r != s]
        weight = np.array([raters[b, r] * raters[b, s] for r, s in pairs])
        c, v = np.array([cov[p] for p in pairs]), np.array([(cov[r, r] + cov[s, s]) / 2 for r, s in pairs])
        rho = np.array([cov[r, s] / np.sqrt(cov[r, r] * cov[s, s]) for r, s in pairs])
        assert found[b] == pytest.approx(weight @ rho / weight.sum(), abs=1e-12)
        assert concordance[b] == pytest.approx((weight @ v + 3 * weight @ c) / (4 * weight @ v), abs=1e-12)


def test_missing_pairs_are_ranked_over_shared_items() -> None:
    values = simulate(np.random.default_rng(8), 3, 15, missing=0.25)
    expected = []
    for r, s in ((0, 1), (0, 2), (1, 2)):
        both = ~np.isnan(values[r]) & ~np.isnan(values[s])
        expected.append(stats.spearmanr(values[r, both], values[s, both]).statistic)
    assert rank_correlation(values).estimate == pytest.approx(np.mean(expected), abs=1e-12)


def test_copies_do_not_spoil_ranks_without_tie_correction() -> None:
    values = np.tile(np.arange(10.0), (3, 1))
    found = kendall_w(values, tie_corrected=False, n_boot=50, random_seed=1)
    np.testing.assert_allclose(found.draws[~np.isnan(found.draws)], 1, atol=1e-12)  # perfect agreement in each resample


def test_weighted_midranks() -> None:
    rng = np.random.default_rng(2)
    values, weights = rng.integers(0, 4, 9).astype(float), rng.integers(0, 4, (5, 9))
    expected = np.zeros((5, 9))
    for row, w in zip(expected, weights, strict=True):
        ranks = stats.rankdata(np.repeat(values, w))
        at = np.repeat(np.arange(9), w)
        row[at] = (ranks - ranks.mean()) / w.sum()
    np.testing.assert_allclose(weighted_midranks(values, weights), expected, atol=1e-14)
    np.testing.assert_allclose(midranks_of(values, weights), expected, atol=1e-14)


def test_split_half_and_leave_one_out_by_hand() -> None:
    values = simulate(np.random.default_rng(4), 4, 30)
    ones = np.ones((1, 30), dtype=int), np.ones((1, 4), dtype=int)
    splits, complete = choose_splits(4, 200, np.random.default_rng(0))
    assert complete
    assert len(splits) == 3
    r = [np.corrcoef(values[s].mean(axis=0), values[~s].mean(axis=0))[0, 1] for s in splits]
    expected = np.mean([2 * x / (1 + x) for x in r])
    assert weighted_split_half(values, *ones, splits)[0] == pytest.approx(expected, abs=1e-12)
    srcc = [stats.spearmanr(values[k], np.delete(values, k, axis=0).mean(axis=0)).statistic for k in range(4)]
    np.testing.assert_allclose(weighted_leave_one_out(values, *ones)[0], srcc, atol=1e-12)


def test_split_half_of_a_resample_is_that_of_weighted_means() -> None:
    rng = np.random.default_rng(4)
    values = simulate(rng, 5, 30)
    items, raters = draw_weights(30, 5, 3, rng)
    splits, _ = choose_splits(5, 200, rng)
    assert len(splits) == 10
    found = weighted_split_half(values, items, raters, splits)
    for b in range(3):
        stepped = []
        for s in splits:
            a, z = raters[b] * s, raters[b] * ~s
            if a.sum() and z.sum():
                r = np.corrcoef(np.repeat(a @ values, items[b]), np.repeat(z @ values, items[b]))[0, 1]
                stepped.append(step_up(*(np.array([x]) for x in (r, effective_size(a), effective_size(z))), 5)[0])
        assert found[b] == pytest.approx(np.mean(stepped), abs=1e-10)


def test_step_up_is_spearman_brown_and_horst() -> None:
    r = np.array([-0.3, 0.0, 0.3, 0.9, 1.0])
    two = np.full(5, 2.0)
    np.testing.assert_allclose(step_up(r, two, two, 4), 2 * r / (1 + r), atol=1e-12)
    assert step_up(np.array([-0.9, -1.0]), two[:2], two[:2], 4).tolist() == [-1, -1]
    assert np.isnan(step_up(np.array([np.nan]), two[:1], two[:1], 4)[0])
    r, pq = 0.6, 2 * 3 / 25
    horst = (r * np.sqrt(r**2 + 4 * pq * (1 - r**2)) - r**2) / (2 * pq * (1 - r**2))
    assert step_up(np.array([r]), np.array([2.0]), np.array([3.0]), 5)[0] == pytest.approx(horst, abs=1e-12)


def test_random_splits_are_halves() -> None:
    splits, complete = choose_splits(15, 50, np.random.default_rng(0))
    assert not complete
    assert splits.shape == (50, 15)
    assert set(splits.sum(axis=1)) == {7}


def test_weights_are_resamples_and_items_do_not_depend_on_raters() -> None:
    both = draw_weights(6, 3, 5, np.random.default_rng(1))
    items = draw_weights(6, 3, 5, np.random.default_rng(1), "items")
    np.testing.assert_array_equal(both[0], items[0])
    assert both[0].sum(axis=1).tolist() == [6] * 5
    assert both[1].sum(axis=1).tolist() == [3] * 5
    assert (items[1] == 1).all()
    rng = np.random.default_rng(1)
    assert draw_pattern_weights(np.array([50, 30, 20]), 4, rng).sum(axis=1).tolist() == [100] * 4
    assert draw_pattern_weights(np.array([1, 1, 1]), 4, rng).sum(axis=1).tolist() == [3] * 4
    assert draw_pattern_weights(np.array([], dtype=int), 4, rng).shape == (4, 0)
    first, _ = draw_bootstrap(6, 3, n_boot=2, random_seed=1, resample="both")
    assert first.shape == (3, 6)
    assert (first[0] == 1).all()


SIZE = {"n_items": 5, "n_raters": 3, "n_judgments": 15}


def test_estimate_leaves_undefined_replicates_out_and_counts_them() -> None:
    found = summarise("w", 0.5, np.array([0.4, 0.5, np.nan, 0.6]), **SIZE)
    assert found.n_undefined == 1
    assert "1 of 4 resamples" in found.reason
    assert found.interval_kind == "bootstrap of items and raters"
    assert 0.4 < found.lower < found.upper < 0.6
    assert found.probability_below(0.45) == pytest.approx(1 / 3)
    lost = summarise("w", 0.5, np.full(3, np.nan), **SIZE)
    assert np.isnan(lost.lower)
    assert "no interval" in lost.reason
    assert np.isnan(lost.probability_below(0.5))


def test_estimate_without_value_or_replicates() -> None:
    none = summarise("w", float("nan"), None, **SIZE, reason="one rater")
    assert not none.defined
    assert np.isnan(none.probability_below(0.5))
    assert "one rater" in repr(none)
    plain = summarise("w", 0.5, None, **SIZE)
    assert float(plain) == 0.5
    assert plain.interval_kind == "none"
    with pytest.raises(ArgumentError, match="n_boot=1000"):
        plain.probability_below(0.5)
    assert plain.to_row()["n_judgments"] == 15
    assert "w: one rater" in none.difference(plain).reason


def test_difference_is_paired() -> None:
    draws = np.random.default_rng(0).normal(size=1000)
    a, b = summarise("a", 1.0, draws + 1, **SIZE), summarise("b", 0.9, draws + 0.9, **SIZE)
    gap = a.difference(b)
    assert (gap.statistic, gap.n_judgments) == ("a - b", 30)
    assert gap.lower == pytest.approx(0.1)
    assert gap.upper == pytest.approx(0.1)
    with pytest.raises(ArgumentError, match="not paired"):
        a.difference(summarise("b", 0.9, draws[:10], **SIZE))
    with pytest.raises(ArgumentError, match="different resampling"):
        a.difference(summarise("b", 0.9, draws, **SIZE, resample="items"))


@pytest.mark.parametrize(
    "wrong", [{"n_boot": -1}, {"interval_prob": 1.0}, {"resample": "raters"}, {"random_seed": -1}, {"level": "metric"}]
)
def test_arguments_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        krippendorff_alpha([[1, 2, 3], [1, 2, 2]], **wrong)


def test_difference_where_one_side_has_no_value() -> None:
    size = {"n_items": 3, "n_raters": 2, "n_judgments": 6}
    draws = np.array([0.1, 0.2, 0.4])
    known = summarise("w", 0.2, draws, **size)
    # a value may be missing with and without replicates
    for missing in (
        summarise("v", np.nan, draws, reason="all alike", **size),
        summarise("v", np.nan, reason="all alike", **size),
    ):
        for found in (known.difference(missing), missing.difference(known)):
            assert np.isnan(found.estimate)
            assert np.isnan(found.lower)
            assert found.reason == "v: all alike"
            assert found.draws is None
            assert found.n_judgments == 12
    with pytest.raises(ArgumentError, match="not paired"):
        known.difference(summarise("v", 0.1, draws[:2], **size))
    both = known.difference(summarise("v", 0.1, draws / 2, **size))
    np.testing.assert_allclose(both.draws, draws / 2)


def test_few_undefined_replicates_are_counted_and_not_told() -> None:
    sizes = {"n_items": 9, "n_raters": 5, "n_judgments": 45}
    draws = np.linspace(0.0, 1.0, 1000)
    draws[:10] = np.nan
    few = summarise("alpha", 0.5, draws, **sizes)
    assert (few.n_undefined, few.reason) == (10, "")
    draws[:11] = np.nan
    many = summarise("alpha", 0.5, draws, **sizes)
    assert many.reason == "11 of 1,000 resamples leave alpha undefined and are left out of the interval"
    assert summarise("alpha", 0.5, np.array([0.5, np.nan]), **sizes).reason.endswith("no interval")
