"""Variance components, predicted reliabilities, and panels that no number of raters makes reliable."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ppaint_stats.errors import ArgumentError
from ppaint_stats.reliability import d_study, g_study, icc, raters_needed

SHROUT_FLEISS = np.genfromtxt(Path(__file__).parent / "data" / "shrout_fleiss_1979.csv", delimiter=",")


def test_components_of_shrout_and_fleiss() -> None:
    study = g_study(SHROUT_FLEISS)
    np.testing.assert_allclose(study.components["variance"], [2.5555556, 5.2444444, 1.0194444], atol=1e-7)
    assert study.components["share"].sum() == pytest.approx(1)
    assert study.components["df"].tolist() == [5, 3, 15]
    assert (study.method, study.interval_kind, study.reason) == ("mean squares", "F", "")
    assert "item 29.0%" in repr(study)


def test_d_study_goes_through_the_intraclass_correlations() -> None:
    table = d_study(g_study(SHROUT_FLEISS)).set_index("n_raters")
    assert table.index.tolist() == list(range(1, 11))
    coefficients = icc(SHROUT_FLEISS)
    for kind, letter in (("relative", "C"), ("absolute", "A")):
        for column, suffix in (("estimate", ""), ("lower", "_lower"), ("upper", "_upper")):
            for size, name in ((1, "1"), (4, "k")):
                expected = coefficients.loc[f"ICC({letter},{name})", column]
                assert table.loc[size, kind + suffix] == pytest.approx(expected, abs=1e-12)
    assert (table["relative"] > table["absolute"]).all()
    assert table["sem_relative"][4] == pytest.approx(np.sqrt(1.0194444 / 4), abs=1e-6)
    assert (table.filter(like="relative").drop(columns="sem_relative").diff().dropna() > 0).all(axis=None)


@pytest.mark.parametrize("kind", ["relative", "absolute"])
@pytest.mark.parametrize("target", [0.5, 0.8, 0.95])
def test_raters_needed_is_the_first_size_that_is_enough(kind: str, target: float) -> None:
    study = g_study(SHROUT_FLEISS)
    found = raters_needed(study, target=target, coefficient=kind)
    table = d_study(study, n_raters=range(1, 2000)).set_index("n_raters")
    for value, column in ((found.estimate, kind), (found.lower, f"{kind}_upper"), (found.upper, f"{kind}_lower")):
        assert value == table.index[table[column] >= target].min()
    assert found.lower <= found.estimate <= found.upper


def test_an_interval_may_be_infinite_and_says_so() -> None:
    rng = np.random.default_rng(2)
    weak = np.linspace(-0.8, 0.8, 10) + rng.normal(size=(4, 10))
    found = raters_needed(g_study(weak))
    assert np.isfinite(found.estimate)
    assert found.upper == np.inf
    assert "no number is sure" in found.reason
    noise = np.array([[1.0, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3]])
    study = g_study(noise)
    assert study.components.loc["item", "variance"] == 0
    assert study.components.loc["item", "raw"] < 0
    assert "negative variance of item" in study.reason
    assert raters_needed(study).estimate == np.inf
    assert "no number of raters" in raters_needed(study).reason
    assert (d_study(study)["relative"] == 0).all()


def test_missing_cells() -> None:
    values = SHROUT_FLEISS.copy()
    values[3, 0] = np.nan
    study = g_study(values)
    assert (study.method, study.interval_kind, study.n_judgments) == ("REML", "none", 23)
    assert "n_boot" in study.reason
    table = d_study(study, n_raters=[4])
    assert table["relative"][0] == pytest.approx(icc(values).loc["ICC(C,k)", "estimate"])
    assert table["relative_lower"].isna().all()
    drawn = g_study(values, n_boot=30, random_seed=1)
    assert drawn.interval_kind == "parametric bootstrap"
    needed = raters_needed(drawn, coefficient="absolute")
    assert needed.lower <= needed.estimate <= needed.upper


def test_nothing_to_divide() -> None:
    study = g_study(np.full((3, 4), 2.0))
    assert study.components["variance"].isna().all()
    assert "all ratings are equal" in study.reason
    found = raters_needed(study)
    assert np.isnan(found.estimate)
    assert "all ratings are equal" in found.reason
    assert d_study(study)["relative"].isna().all()
    assert repr(study) == "GStudy(4 items x 3 raters; all ratings are equal: there is no variance to divide)"


def test_recovers_components() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 400) + rng.normal(0, 0.5, (60, 1)) + rng.normal(0, 0.8, (60, 400))
    np.testing.assert_allclose(g_study(values).components["variance"], [1, 0.25, 0.64], rtol=0.25)


def test_arguments_are_checked() -> None:
    study = g_study(SHROUT_FLEISS)
    with pytest.raises(ArgumentError, match="target"):
        raters_needed(study, target=1)
    with pytest.raises(ArgumentError, match="coefficient='phi'"):
        raters_needed(study, coefficient="phi")
    with pytest.raises(ArgumentError, match="n_raters"):
        d_study(study, n_raters=[0])
    for measure in (d_study, raters_needed):
        with pytest.raises(ArgumentError, match=r"g_study\(ratings\)"):
            measure(SHROUT_FLEISS)


def test_a_single_size_may_be_a_number() -> None:
    study = g_study(SHROUT_FLEISS)
    pd.testing.assert_frame_equal(d_study(study, n_raters=4), d_study(study, n_raters=[4]))


def test_beauty(data_dir: Path) -> None:
    ratings = pd.read_csv(data_dir / "art_beauty_ratings.csv")
    beauty = ratings[ratings["dimension"] == "beauty"]
    study = g_study(beauty)
    assert (study.n_items, study.n_raters) == (20, 186)
    assert study.components["share"].idxmax() == "residual"  # taste
    assert raters_needed(study).estimate > 5
