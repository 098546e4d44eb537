"""compare_protocols: the correlation across protocols, and the items on which they disagree."""

import numpy as np
import pytest
from bayes_helpers import fuse, simulate

from ppaint_stats.errors import ArgumentError
from ppaint_stats.validation.protocols import compare_protocols, shortest_interval


@pytest.fixture(scope="module")
def fusion():
    study = simulate(n_categories=2, n_items=6, protocol_correlation=0.3)
    return fuse(study, protocol_discrepancy=True, draws=60, tune=100)


@pytest.fixture(scope="module")
def report(fusion):
    return compare_protocols(fusion)


def test_correlation(report, fusion):
    table = report.tables["correlation"]
    assert table["dimension"].tolist() == ["a", "b"]
    known = fusion.protocols
    for mine, own in (("mean", ""), ("lower", "_lower"), ("upper", "_upper")):
        np.testing.assert_allclose(table[mine], known[f"protocol_correlation{own}"])
    rho = fusion.posterior["posterior"]["protocol_correlation"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(table["p_high"], (rho > 0.9).mean(axis=0))
    assert (table["shortest_upper"] - table["shortest_lower"] <= table["upper"] - table["lower"] + 1e-9).all()
    assert (table["at_least"] >= table["lower"]).all()
    assert "correlation across protocols" in report.text


def test_items(report, fusion):
    table = report.tables["items"]
    assert len(table) == len(fusion.scores) == 24
    assert (table["lower"] <= table["difference"]).all()
    assert (table["difference"] <= table["upper"]).all()
    assert table["p_sign"].between(0, 1).all()
    assert table["p_beyond"].is_monotonic_decreasing
    row = table.iloc[0]
    draws = fusion.posterior["posterior"].sel(dimension=row["dimension"])
    here = (draws["item"] == row["item"]) & (draws["item_category"] == row["category"])
    gap = (draws["consensus_rating"] - draws["consensus"])[..., here.to_numpy()].squeeze("item") / draws["item_sd"]
    assert row["difference"] == pytest.approx(float(gap.mean()))
    assert row["p_beyond"] == pytest.approx(float((abs(gap) > 0.5).mean()))
    for protocol in ("rating", "preference"):
        ranks = table.groupby(["category", "dimension"])[f"{protocol}_rank"].mean()
        np.testing.assert_allclose(ranks, 3.5)


def test_margin_and_high_change_what_is_counted(fusion, report):
    other = compare_protocols(fusion, margin=2.0, high=0.2, interval_prob=0.5)
    assert other.tables["items"]["p_beyond"].sum() < report.tables["items"]["p_beyond"].sum()
    assert (other.tables["correlation"]["p_high"] >= report.tables["correlation"]["p_high"]).all()
    assert other.settings["interval_prob"] == 0.5


def test_a_fusion_without_discrepancy_is_refused():
    fusion = fuse(simulate(), draws=20, tune=20, chains=1)
    with pytest.raises(ArgumentError, match="protocol_discrepancy=True"):
        compare_protocols(fusion)
    with pytest.raises(ArgumentError, match="takes a fusion"):
        compare_protocols("fusion")


def test_shortest_interval():
    draws = np.concatenate([np.linspace(0, 1, 91), np.linspace(5, 100, 10)])
    assert shortest_interval(draws, 0.9) == (0.0, 1.0)
    rng = np.random.default_rng(1)
    low, high = shortest_interval(1 - rng.exponential(0.01, 5000), 0.9)
    assert high > 0.9999
    assert low == pytest.approx(1 - 0.023, abs=0.002)
