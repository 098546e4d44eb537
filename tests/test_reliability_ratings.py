"""Agreement of raters: published numbers, other packages, laws, and inputs that have no answer."""

from fractions import Fraction
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppaint_stats.errors import DataError
from ppaint_stats.reliability import (
    kendall_w,
    krippendorff_alpha,
    leave_one_rater_out,
    mean_leave_one_out,
    rank_correlation,
    split_half,
)

TABLES = Path(__file__).parent / "data"
LEVELS = ("nominal", "ordinal", "interval", "ratio")
ORDERS = (kendall_w, rank_correlation, mean_leave_one_out, split_half)


def read_table(name: str) -> np.ndarray:
    return np.genfromtxt(TABLES / f"{name}.csv", delimiter=",")


def read_raters(path: Path) -> np.ndarray:
    """Raters x items from a table with a row per item."""
    return pd.read_csv(path, index_col=0).to_numpy(float).T


def to_tidy(values: np.ndarray) -> pd.DataFrame:
    rater, item = np.nonzero(~np.isnan(values))
    return pd.DataFrame({"item": item, "rater": rater, "rating": values[rater, item]})


PUBLISHED = {
    "krippendorff_2011_two_raters": {"nominal": Fraction(2, 21)},
    "krippendorff_2011_missing": {
        "nominal": Fraction(113, 152),
        "ordinal": Fraction(108577, 133160),
        "interval": Fraction(951, 1120),
        "ratio": 0.797402774711612,
    },
    "hayes_krippendorff_2007": {
        "nominal": Fraction(6400, 13431),
        "ordinal": Fraction(441835031, 581492574),
        "interval": Fraction(10111, 13350),
    },
    "shrout_fleiss_1979": {
        "nominal": Fraction(-7, 108),
        "ordinal": Fraction(2959, 27132),
        "interval": Fraction(1792, 12165),
    },
}


@pytest.mark.parametrize(("name", "level"), [(name, level) for name, found in PUBLISHED.items() for level in found])
def test_published_alpha(name: str, level: str) -> None:
    values = read_table(name)
    expected = float(PUBLISHED[name][level])
    assert krippendorff_alpha(values, level=level).estimate == pytest.approx(expected, abs=1e-12)
    assert krippendorff_alpha(to_tidy(values), level=level).estimate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shrout_fleiss_1979_missing3", {"nominal": (-17, 288), "ordinal": (261, 1511), "interval": (171, 776)}),
        ("irr_anxiety", {"nominal": (-67, 2824), "ordinal": (9727, 42590), "interval": (1173, 6896)}),
    ],
)
def test_alpha_of_other_tables(data_dir: Path, name: str, expected: dict[str, tuple[int, int]]) -> None:
    values = read_raters(data_dir / f"{name}.csv")
    for level, fraction in expected.items():
        assert krippendorff_alpha(values, level=level).estimate == pytest.approx(float(Fraction(*fraction)), abs=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_agrees_with_the_krippendorff_package(level: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        values = rng.integers(1, 7, (int(rng.integers(2, 7)), 25)) / 2
        values[rng.random(values.shape) < 0.3] = np.nan
        expected = krippendorff.alpha(reliability_data=values, level_of_measurement=level)
        assert krippendorff_alpha(values, level=level).estimate == pytest.approx(expected, abs=1e-10)


def test_alpha_counts_what_it_uses() -> None:
    found = krippendorff_alpha(read_table("krippendorff_2011_missing"))
    assert (found.n_items, found.n_raters, found.n_judgments) == (11, 4, 40)
    assert found.reason == "1 item with a single rating ignored"


def test_text_categories_are_nominal_only() -> None:
    words = [["cat", "dog", "dog", None, "cat"], ["cat", "dog", "cat", "cat", ""], ["cat", "NA", "dog", "cat", "cat"]]
    numbers = [[1, 2, 2, None, 1], [1, 2, 1, 1, None], [1, None, 2, 1, 1]]
    found = krippendorff_alpha(words, level="nominal", n_boot=20, random_seed=1)
    expected = krippendorff_alpha(numbers, level="nominal", n_boot=20, random_seed=1)
    assert found.estimate == expected.estimate
    np.testing.assert_array_equal(found.draws, expected.draws)
    frame = pd.DataFrame({"item": list("aabb"), "rater": list("xyxy"), "rating": ["cat", "cat", "dog", "cat"]})
    assert krippendorff_alpha(frame, level="nominal").n_judgments == 4
    for level in ("ordinal", "interval", "ratio"):
        with pytest.raises(DataError, match="level='nominal'"):
            krippendorff_alpha(words, level=level)


@given(st.integers(0, 1000), st.sampled_from(LEVELS))
def test_alpha_knows_no_names(seed: int, level: str) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 5, (4, 9)).astype(float)
    values[rng.random(values.shape) < 0.2] = np.nan
    base = krippendorff_alpha(values, level=level)
    shuffled = krippendorff_alpha(rng.permuted(rng.permutation(values, axis=1), axis=0), level=level)
    np.testing.assert_allclose(shuffled.estimate, base.estimate, atol=1e-12)
    moved = {"nominal": (values * 7) % 5, "ordinal": values**3, "interval": 2 - 3 * values, "ratio": 5 * values}[level]
    np.testing.assert_allclose(krippendorff_alpha(moved, level=level).estimate, base.estimate, atol=1e-12)


def test_interval_and_probability_below() -> None:
    values = read_table("hayes_krippendorff_2007")
    both = krippendorff_alpha(values, n_boot=1000, random_seed=1)
    items = krippendorff_alpha(values, n_boot=1000, random_seed=1, resample="items")
    for found in (both, items):
        assert found.lower < found.estimate < found.upper
        assert 0 <= found.probability_below(0.667) <= found.probability_below(0.8) <= 1
        assert abs(np.nanmean(found.draws) - found.estimate) < 0.02  # no bias from copies
    assert items.probability_below(0.667) < 0.2
    assert both.upper - both.lower > items.upper - items.lower
    np.testing.assert_array_equal(both.draws, krippendorff_alpha(values, n_boot=1000, random_seed=1).draws)
    narrow = krippendorff_alpha(values, n_boot=1000, random_seed=1, interval_prob=0.5)
    assert narrow.upper - narrow.lower < both.upper - both.lower


def test_copies_of_raters_do_not_raise_agreement() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(5, 60))  # raters share nothing
    for measure in (krippendorff_alpha, rank_correlation):
        draws = measure(values, n_boot=400, random_seed=1).draws
        assert abs(np.nanmean(draws) - measure(values).estimate) < 0.02


def test_kendall_w_of_anxiety(data_dir: Path) -> None:
    values = read_raters(data_dir / "irr_anxiety.csv")
    assert kendall_w(values, tie_corrected=False).estimate == pytest.approx(0.5019214703, abs=1e-9)
    assert kendall_w(values).estimate == pytest.approx(0.539656876, abs=1e-9)


def test_kendall_w_by_definition() -> None:
    values = read_table("shrout_fleiss_1979")
    ranks = pd.DataFrame(values).rank(axis=1).to_numpy()
    m, n = ranks.shape
    s = ((ranks.sum(axis=0) - m * (n + 1) / 2) ** 2).sum()
    ties = sum(int(c) ** 3 - int(c) for row in values for c in np.unique(row, return_counts=True)[1])
    expected = 12 * s / (m**2 * (n**3 - n) - m * ties)
    assert kendall_w(values).estimate == pytest.approx(expected, abs=1e-12)
    assert kendall_w(values, tie_corrected=False).estimate == pytest.approx(12 * s / (m**2 * (n**3 - n)), abs=1e-12)


def test_w_is_the_mean_rank_correlation_without_ties() -> None:
    values = np.random.default_rng(0).normal(size=(5, 12))
    r = rank_correlation(values).estimate
    assert kendall_w(values).estimate == pytest.approx((1 + 4 * r) / 5, abs=1e-12)


@given(st.integers(0, 1000))
def test_order_statistics_know_no_monotone_transform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 6, (4, 10)).astype(float)
    shift = rng.integers(-3, 4, (4, 1))
    assert kendall_w(values).estimate == pytest.approx(kendall_w(np.exp(values) + shift).estimate, abs=1e-12)
    assert -1 / 3 - 1e-9 <= rank_correlation(values).estimate <= 1
    for measure in (mean_leave_one_out, split_half):  # severities do not matter
        np.testing.assert_allclose(measure(values).estimate, measure(values + shift).estimate, atol=1e-9)


def test_perfect_agreement_and_reversal() -> None:
    same = np.tile([1.0, 2.0, 4.0, 5.0], (4, 1))
    for measure in (*ORDERS, krippendorff_alpha):
        assert measure(same).estimate == pytest.approx(1)
    assert rank_correlation([[1, 2, 3], [3, 2, 1]]).estimate == pytest.approx(-1)
    assert kendall_w([[1, 2, 3], [3, 2, 1]]).estimate == pytest.approx(0)


def test_leave_one_rater_out_finds_the_odd_one() -> None:
    rng = np.random.default_rng(1)
    latent = rng.normal(size=40)
    values = latent + rng.normal(0, 0.5, (5, 40))
    values[3] = rng.normal(size=40)
    table = leave_one_rater_out(values, n_boot=300, random_seed=1)
    assert table["rater"].tolist() == ["0", "1", "2", "3", "4"]
    assert table["srcc"].idxmin() == 3
    assert ((table["lower"] < table["srcc"]) & (table["srcc"] < table["upper"])).all()
    assert table["srcc"].mean() == pytest.approx(mean_leave_one_out(values).estimate)


def test_missing_cells_do_not_turn_severity_into_disagreement() -> None:
    rng = np.random.default_rng(3)
    latent = rng.normal(size=60)
    values = latent + np.array([0, 0, 8, 8])[:, None] + 0.1 * rng.normal(size=(4, 60))
    values[2, :30] = values[3, 30:] = np.nan  # half of the items have the one severe rater, half the other
    values[0, 40:] = np.nan
    table = leave_one_rater_out(values)
    assert (table["srcc"] > 0.95).all()
    assert table["n_items"].tolist() == [40, 60, 30, 30]
    assert "severities" in mean_leave_one_out(values).reason
    assert split_half(values).estimate > 0.98
    assert "80 of 240 cells are missing" in split_half(values).reason
    assert kendall_w(values).estimate > 0.95
    assert "cells are missing" in kendall_w(values).reason
    assert "1 of 6 pairs" in rank_correlation(values).reason
    assert all(measure(values, n_boot=20, random_seed=1).upper <= 1 for measure in ORDERS)


NOTHING = {
    "one rater": np.array([[1.0, 2.0, 3.0]]),
    "one item": np.array([[1.0], [2.0]]),
    "constant": np.full((3, 4), 2.0),
    "no overlap": np.array([[1.0, 2.0, np.nan, np.nan], [np.nan, np.nan, 1.0, 3.0]]),
    "empty": np.full((2, 3), np.nan),
}


@pytest.mark.parametrize("case", [name for name in NOTHING if name != "one item"])
@pytest.mark.parametrize("measure", [*ORDERS, krippendorff_alpha])
def test_what_cannot_be_known_is_nan_with_a_reason(measure, case: str) -> None:
    found = measure(NOTHING[case], n_boot=10, random_seed=1)
    assert np.isnan(found.estimate)
    assert np.isnan(found.lower)
    assert found.reason
    assert np.isnan(found.probability_below(0.8))


@pytest.mark.parametrize("case", NOTHING)
def test_leave_one_rater_out_gives_reasons(case: str) -> None:
    table = leave_one_rater_out(NOTHING[case], n_boot=5, random_seed=1)
    assert table["srcc"].isna().all()
    assert (table["reason"] != "").all()


def test_one_item() -> None:
    for measure in ORDERS:
        assert "one item" in measure(NOTHING["one item"]).reason
    alpha = krippendorff_alpha(NOTHING["one item"])
    assert alpha.estimate == pytest.approx(0)  # as unlike as any two ratings
    assert "one item" in alpha.reason


def test_one_rater_who_never_varies() -> None:
    values = np.array([[1.0, 2, 3, 4], [1, 3, 2, 4], [2, 2, 2, 2]])
    assert rank_correlation(values).estimate == pytest.approx(0.8)
    assert "2 of 3 pairs" in rank_correlation(values).reason
    table = leave_one_rater_out(values)
    assert np.isnan(table["srcc"][2])
    assert "never vary" in table["reason"][2]


def test_tables_and_arrays_are_checked() -> None:
    tidy = to_tidy(read_table("shrout_fleiss_1979"))
    with pytest.raises(DataError, match="no column 'rater'"):
        kendall_w(tidy.drop(columns="rater"))
    with pytest.raises(DataError, match="more than one rating of item '0' by rater '0'"):
        kendall_w(pd.concat([tidy, tidy.head(1)]))
    with pytest.raises(DataError, match="column 'dimension': more than one value"):
        kendall_w(tidy.assign(dimension=["a", "b"] * 12))
    with pytest.raises(DataError, match="'six' is not a finite number"):
        kendall_w(tidy.assign(rating=["six", *range(23)]))
    with pytest.raises(DataError, match="melt_ratings"):
        kendall_w(pd.DataFrame([[1, 2], [2, 3]], columns=["ann", "bob"]))
    with pytest.raises(DataError, match="raters x items"):
        kendall_w([1, 2, 3])
    with pytest.raises(DataError, match="different lengths"):
        kendall_w([[1, 2, 3], [1]])
    with pytest.raises(DataError, match="below 0"):
        krippendorff_alpha([[-1, 2], [1, 2]], level="ratio")
    missing = tidy.assign(rating=tidy["rating"].where(tidy.index != 3))
    assert krippendorff_alpha(missing).n_judgments == 23


def test_real_panels_make_sense(data_dir: Path) -> None:
    cadb = pd.read_csv(data_dir / "cadb_ratings.csv", index_col=0).to_numpy(float).T
    alpha = krippendorff_alpha(cadb, n_boot=200, random_seed=1, resample="items")
    assert alpha.estimate == pytest.approx(krippendorff.alpha(cadb, level_of_measurement="ordinal"), abs=1e-10)
    assert alpha.upper - alpha.lower < 0.03
    assert krippendorff_alpha(cadb, n_boot=100, random_seed=1).upper - alpha.upper > 0.1  # raters differ, items hardly
    assert split_half(cadb).estimate > kendall_w(cadb).estimate > alpha.estimate
