"""Agreement of two sets of scores, against scipy and the formulas as written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ppaint_stats.kernels import concordance
from ppaint_stats.kernels.concordance import measure_agreement


def measure(x, y, n_boot=0):
    return measure_agreement(np.asarray(x, float), np.asarray(y, float), n_boot=n_boot, rng=np.random.default_rng(0))


@pytest.mark.parametrize("rounded", [False, True])
def test_statistics(rounded):
    rng = np.random.default_rng(1)
    x = rng.normal(3, 1, 40)
    y = 0.8 * x + rng.normal(0.5, 0.5, 40)
    if rounded:  # with ties
        x, y = x.round(), y.round()
    value = measure(x, y).value
    assert value["srcc"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert value["plcc"] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert value["tau"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert value["mean_difference"] == pytest.approx(np.abs(x - y).mean())
    assert value["max_difference"] == pytest.approx(np.abs(x - y).max())
    assert value["bias"] == pytest.approx((y - x).mean())
    half = 1.96 * np.std(y - x, ddof=1)
    assert (value["loa_lower"], value["loa_upper"]) == pytest.approx((value["bias"] - half, value["bias"] + half))
    lin = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert value["ccc"] == pytest.approx(lin)


@given(st.lists(st.floats(-5, 5).map(lambda v: round(v, 3)), min_size=3, max_size=20, unique=True))
def test_identical_scores_agree(values):
    value = measure(values, values).value
    for name in ("srcc", "plcc", "tau", "ccc"):
        assert value[name] == pytest.approx(1)
    assert value["mean_difference"] == value["max_difference"] == value["bias"] == 0


def test_a_reversal_and_a_shift():
    x = np.arange(10.0)
    assert measure(x, -x).value["tau"] == pytest.approx(-1)
    shifted = measure(x, x + 1).value
    assert shifted["plcc"] == pytest.approx(1)
    assert shifted["ccc"] < 0.95
    assert shifted["bias"] == 1


def test_constant_scores_have_no_correlation():
    value = measure(np.ones(5), np.arange(5)).value
    assert np.isnan(value["srcc"])
    assert np.isnan(value["tau"])


def test_bootstrap_intervals():
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    y = x + rng.normal(size=60)
    found = measure(x, y, n_boot=500)
    for name in ("srcc", "plcc", "tau", "mean_difference"):
        low, high = found.interval(name, 0.9)
        assert low < found.value[name] < high
    # Fisher's z for Pearson
    z, half = np.arctanh(found.value["plcc"]), 1.645 / np.sqrt(57)
    assert found.interval("plcc", 0.9) == pytest.approx(np.tanh([z - half, z + half]), abs=0.06)
    # copies of an item never pair, so that the bootstrap does not pull tau to 1
    assert found.replicates["tau"].mean() == pytest.approx(found.value["tau"], abs=0.02)
    assert np.isnan(measure(x, y).interval("srcc", 0.9)).all()


def test_many_items_get_tau_without_an_interval(monkeypatch):
    monkeypatch.setattr(concordance, "TAU_LIMIT", 10)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 20))
    found = measure(x, y, n_boot=20)
    assert found.value["tau"] == pytest.approx(stats.kendalltau(x, y).statistic)
    assert np.isnan(found.interval("tau", 0.9)).all()
