"""Intraclass correlations: published numbers, pingouin, likelihood by brute force, recovery."""

from pathlib import Path

import numpy as np
import pandas as pd
import pingouin
import pytest

from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.variance_components import CrossedDesign, mean_squares
from ppaint_stats.reliability import icc

SHROUT_FLEISS = np.genfromtxt(Path(__file__).parent / "data" / "shrout_fleiss_1979.csv", delimiter=",")
NAMES = ["ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"]


def read_raters(path: Path) -> np.ndarray:
    return pd.read_csv(path, index_col=0).to_numpy(float).T


def test_shrout_and_fleiss() -> None:
    table = icc(SHROUT_FLEISS)
    assert table.index.tolist() == NAMES
    expected = [0.165741768405475, 0.289763779527559, 0.714840714840715]
    expected += [0.442797133679269, 0.620050547598989, 0.909315542377069]
    np.testing.assert_allclose(table["estimate"], expected, atol=1e-12)
    bounds = [[-0.132932, 0.722560], [0.018787, 0.761084], [0.342465, 0.945858]]
    np.testing.assert_allclose(table[["lower", "upper"]].head(3), bounds, atol=5e-7)
    squares = table.attrs["mean_squares"]
    assert squares["items"] == pytest.approx(11.24167, abs=5e-6)
    assert squares["raters"] == pytest.approx(32.48611, abs=5e-6)
    assert squares["error"] == pytest.approx(1.019444, abs=5e-7)
    assert (table.attrs["n_items"], table.attrs["n_raters"], table.attrs["n_judgments"]) == (6, 4, 24)
    assert (table["reason"] == "").all()


def test_anxiety(data_dir: Path) -> None:
    table = icc(read_raters(data_dir / "irr_anxiety.csv"))
    expected = {"ICC(A,1)": 0.1979982594, "ICC(C,1)": 0.2160493827, "ICC(1,1)": 0.1750223814}
    for name, value in expected.items():
        assert table.loc[name, "estimate"] == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(table.loc["ICC(A,1)", ["lower", "upper"]].astype(float), [-0.03891, 0.49357], atol=5e-6)


def test_reml_of_shrout_and_fleiss_with_missing_cells(data_dir: Path) -> None:
    table = icc(read_raters(data_dir / "shrout_fleiss_1979_missing3.csv"))
    parts = table.attrs["variance_components"]
    np.testing.assert_allclose([parts[n] for n in ("item", "rater", "error")], [2.61116, 4.78136, 1.16925], atol=1e-4)
    assert table.loc["ICC(A,1)", "estimate"] == pytest.approx(0.304979, abs=1e-5)
    assert table.loc["ICC(C,1)", "estimate"] == pytest.approx(0.690708, abs=1e-5)
    assert set(table["method"]) == {"REML"}
    assert table["reason"].str.contains("n_boot").all()
    assert table[["lower", "upper"]].isna().all(axis=None)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # what pingouin does inside
def test_pingouin_gives_the_same() -> None:
    rng = np.random.default_rng(0)
    for n, k in ((8, 3), (30, 5)):
        values = rng.normal(size=n) + rng.normal(size=(k, 1)) + rng.normal(size=(k, n))
        rater, item = np.divmod(np.arange(n * k), n)
        frame = pd.DataFrame({"item": item, "rater": rater, "rating": values.ravel()})
        peer = pingouin.intraclass_corr(frame, targets="item", raters="rater", ratings="rating").set_index("Type")
        table = icc(frame)
        np.testing.assert_allclose(table["estimate"], peer.loc[NAMES, "ICC"], atol=1e-10)
        np.testing.assert_allclose(table["F"], peer.loc[NAMES, "F"], atol=1e-10)
        np.testing.assert_allclose(table["df2"], peer.loc[NAMES, "df2"])
        bounds = np.stack(list(peer.loc[NAMES, "CI95"]))
        np.testing.assert_allclose(table[["lower", "upper"]], bounds, atol=0.00501)  # it rounds to two digits


def brute_deviance(values: np.ndarray, components: np.ndarray) -> float:
    """-2 log restricted likelihood with the covariance matrix written out."""
    rater, item = np.nonzero(~np.isnan(values))
    y = values[rater, item]
    same_item, same_rater = (item[:, None] == item), (rater[:, None] == rater)
    cov = components[0] * same_item + components[1] * same_rater + components[2] * np.eye(len(y))
    inverse, one = np.linalg.inv(cov), np.ones(len(y))
    precision = one @ inverse @ one
    residual = y - (one @ inverse @ y) / precision
    return float(np.linalg.slogdet(cov)[1] + np.log(precision) + residual @ inverse @ residual)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])  # either factor may be the larger one
def test_reml_is_the_maximum_of_the_restricted_likelihood(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, shape[1]) + rng.normal(0, 0.7, (shape[0], 1)) + rng.normal(0, 0.8, shape)
    values[rng.random(shape) < 0.25] = np.nan
    found = CrossedDesign(~np.isnan(values)).fit(values)
    best = brute_deviance(values, found)
    for k in range(3):
        for factor in (0.99, 1.01):
            other = found.copy()
            other[k] *= factor
            assert brute_deviance(values, other) > best
    one_way = CrossedDesign(~np.isnan(values)).fit(values, with_raters=False)
    assert one_way[1] == 0
    assert all(brute_deviance(values, one_way * [f, 1, 1]) > brute_deviance(values, one_way) for f in (0.98, 1.02))


def test_reml_of_a_complete_table_is_analysis_of_variance() -> None:
    found = CrossedDesign(np.ones((4, 6))).fit(SHROUT_FLEISS)
    np.testing.assert_allclose(found, mean_squares(SHROUT_FLEISS).components, rtol=1e-6)


def test_reml_meets_the_boundary() -> None:
    values = np.array(
        [[1.0, 2, 3, np.nan], [3, 2, 1, 2], [1.5, 2, 2.5, 2], [np.nan, 2, 2, 2]]
    )  # raters alike on average
    # raters are alike on average
    assert CrossedDesign(~np.isnan(values)).fit(values)[1] == pytest.approx(0, abs=1e-6)


def test_missing_cells_get_bootstrap_intervals_that_cover() -> None:
    rng = np.random.default_rng(2)
    design = CrossedDesign(rng.random((6, 80)) < 0.7)
    values = np.where(design.present > 0, design.simulate(np.array([1.0, 0.2, 1.0]), rng), np.nan)
    table = icc(values, n_boot=60, random_seed=1)
    row = table.loc["ICC(C,1)"]
    assert row["method"] == "REML, parametric bootstrap"
    assert row["lower"] < 0.5 < row["upper"]
    assert row["upper"] - row["lower"] < 0.4
    pd.testing.assert_frame_equal(table, icc(values, n_boot=60, random_seed=1))


def test_perfect_agreement() -> None:
    same = icc(np.tile([1.0, 2, 4, 5], (3, 1)))
    np.testing.assert_allclose(same[["estimate", "lower", "upper"]], 1)
    shifted = icc(np.array([[1.0, 2, 4, 5], [3, 4, 6, 7]]))  # consistent, but not the same
    np.testing.assert_allclose(shifted.loc["ICC(C,1)", ["estimate", "lower", "upper"]].astype(float), 1)
    assert shifted.loc["ICC(A,1)", "lower"] < shifted.loc["ICC(A,1)", "estimate"] < 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[1, 2, 3]], "one rater"),
        ([[1], [2]], "one item"),
        ([[2, 2, 2], [2, 2, 2]], "all ratings are equal"),
        ([[1, 2, None, None], [None, None, 3, 4]], "too few shared"),
        ([[None, None], [None, None]], "no ratings"),
    ],
)
def test_what_cannot_be_known_has_a_reason(values: list[list[float]], reason: str) -> None:
    table = icc(values)
    assert table["estimate"].isna().all()
    assert table["reason"].str.contains(reason).all()


def test_a_rater_without_ratings_is_no_missing_cell() -> None:
    padded = np.vstack([SHROUT_FLEISS, np.full(6, np.nan)])
    pd.testing.assert_frame_equal(icc(padded), icc(SHROUT_FLEISS))


def test_arguments_are_checked() -> None:
    with pytest.raises(ArgumentError, match="interval_prob"):
        icc(SHROUT_FLEISS, interval_prob=95)


def test_large_panel(data_dir: Path) -> None:
    values = pd.read_csv(data_dir / "cadb_ratings.csv", index_col=0).to_numpy(float).T
    whole = icc(values)["estimate"]
    values[np.random.default_rng(0).random(values.shape) < 0.2] = np.nan
    np.testing.assert_allclose(icc(values)["estimate"], whole, atol=0.01)


def test_means_of_raters_who_contradict_each_other_have_no_reliability():
    opposed = icc([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]])
    for name in ("ICC(1,k)", "ICC(A,k)", "ICC(C,k)"):
        assert np.isnan(opposed.loc[name, "estimate"])
        assert opposed.loc[name, "reason"].startswith("single ratings agree by -1/1 or less")
    unlike = icc([[4, 4, 3, 3, 5], [2, 5, 4, 1, 2], [5, 3, 1, 4, 4]])
    assert (unlike["lower"] <= unlike["estimate"]).all()
    assert (unlike["estimate"] <= unlike["upper"]).all()
    assert np.isneginf(unlike.loc["ICC(A,k)", "lower"])
