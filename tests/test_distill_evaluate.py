"""Evaluation: the statistics of scipy, paired resamples, and what is missing."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ppaint_distill.evaluate import evaluate_scores, majority_vote
from ppaint_stats.errors import ArgumentError, DataError


def make_truth(n: int = 60, dimensions: tuple[str, ...] = ("mood", "overall"), seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = [
        pd.DataFrame(
            {"item": [f"i{k:03d}" for k in range(n)], "dimension": name, "score": 1 + 4 * rng.random(n), "sd": 0.3}
        )
        for name in dimensions
    ]
    return pd.concat(parts, ignore_index=True)


def predict(truth: pd.DataFrame, noise: float, seed: int) -> pd.DataFrame:
    noisy = truth["score"] + noise * np.random.default_rng(seed).standard_normal(len(truth))
    return truth[["item", "dimension"]].assign(score=noisy)


def test_statistics_are_those_of_scipy() -> None:
    truth = make_truth()
    report = evaluate_scores({"m": predict(truth, 0.8, 2)}, truth, n_boot=200)
    for dimension in ("mood", "overall"):
        row = report.tables["scores"].query("dimension == @dimension").iloc[0]
        x = truth.query("dimension == @dimension")["score"].to_numpy()
        y = predict(truth, 0.8, 2)[truth["dimension"] == dimension]["score"].to_numpy()
        assert row["srcc"] == pytest.approx(stats.spearmanr(x, y).statistic)
        assert row["plcc"] == pytest.approx(stats.pearsonr(x, y).statistic)
        assert row["tau"] == pytest.approx(stats.kendalltau(x, y).statistic)
        assert row["mae"] == pytest.approx(np.abs(x - y).mean())
        assert row["n_items"] == 60
        for name in ("srcc", "plcc", "tau", "mae"):
            assert row[f"{name}_lower"] < row[name] < row[f"{name}_upper"]
    mean = report.tables["scores"].query("dimension == 'mean'").iloc[0]
    parts = report.tables["scores"].query("dimension != 'mean'")
    assert mean["srcc"] == pytest.approx(parts["srcc"].mean())
    assert mean["mae_upper"] - mean["mae_lower"] < (parts["mae_upper"] - parts["mae_lower"]).mean()


def test_interval_of_the_rank_correlation_covers() -> None:
    hits = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(80)
        frame = pd.DataFrame({"item": np.arange(80), "dimension": "d", "score": x})
        other = frame.assign(score=0.7 * x + np.sqrt(0.51) * rng.standard_normal(80))
        row = evaluate_scores({"m": other}, frame, n_boot=200, interval_prob=0.9).tables["scores"].iloc[0]
        truth = 6 / np.pi * np.arcsin(0.35)
        hits += row["srcc_lower"] <= truth <= row["srcc_upper"]
    assert 22 <= hits <= 30


def test_models_are_compared_on_the_same_resamples() -> None:
    truth = make_truth()
    base = predict(truth, 1.0, 3)
    better = base.assign(score=truth["score"] + 0.9 * (base["score"] - truth["score"]))  # the same errors, smaller
    report = evaluate_scores({"base": base, "better": better}, truth, baseline="base", n_boot=400)
    rows = report.tables["differences"]
    assert rows["model"].unique().tolist() == ["better"]
    alone = report.tables["scores"].query("model == 'base'")
    width = (rows["srcc_upper"] - rows["srcc_lower"]).to_numpy()
    assert (width < 0.3 * (alone["srcc_upper"] - alone["srcc_lower"]).to_numpy()).all()
    assert (rows["srcc_lower"] > 0).all()
    assert (rows["mae_upper"] < 0).all()
    assert (rows["p_better"] > 0.99).all()
    gap = 0.9 * np.abs(base["score"] - truth["score"]) - np.abs(base["score"] - truth["score"])
    mood = stats.wilcoxon(gap[truth["dimension"] == "mood"], method="asymptotic").pvalue
    assert rows.query("dimension == 'mood'")["wilcoxon_p"].iloc[0] == pytest.approx(mood)
    assert "better +" in report.text
    same = evaluate_scores({"a": base, "b": base}, truth, baseline="a", n_boot=20).tables["differences"]
    assert (same["wilcoxon_p"] == 1).all()
    assert (same["srcc"] == 0).all()


def test_noise_ceiling_is_what_a_perfect_scorer_reaches() -> None:
    rng = np.random.default_rng(4)
    true = 3 + rng.standard_normal(400)
    known = true + 0.5 * rng.standard_normal(400)
    shrunk = 3 + (known - 3) * 0.8  # the posterior mean, with sd sqrt(0.2)
    truth = pd.DataFrame({"item": np.arange(400), "dimension": "d", "score": shrunk, "sd": np.sqrt(0.2)})
    perfect = truth.assign(score=true)
    row = evaluate_scores({"perfect": perfect}, truth, n_boot=0).tables["scores"].iloc[0]
    assert row["noise_ceiling"] == pytest.approx(row["srcc"], abs=0.03)
    assert np.isnan(row["srcc_lower"])
    without = evaluate_scores({"m": perfect}, truth.drop(columns="sd"), n_boot=0).tables["scores"]
    assert without["noise_ceiling"].isna().all()


def test_ceiling_of_a_model_or_of_the_raters() -> None:
    truth = make_truth()
    models = {"judge": predict(truth, 0.2, 1), "base": predict(truth, 1.0, 2)}
    scores = evaluate_scores(models, truth, ceiling="judge", n_boot=0).tables["scores"]
    judge = scores[scores["model"] == "judge"]
    np.testing.assert_allclose(judge["ceiling"], judge["srcc"])
    halves = pd.DataFrame({"dimension": ["mood", "overall"], "srcc": [0.9, 0.8]})
    given = evaluate_scores(models, truth, ceiling=halves, n_boot=0).tables["scores"]
    assert given[given["model"] == "base"]["ceiling"].tolist() == pytest.approx([0.9, 0.8, 0.85])
    with pytest.raises(DataError, match="2 rows"):
        evaluate_scores(models, truth, ceiling=pd.concat([halves, halves]), n_boot=0)


def test_missing_items_are_counted_named_and_left_out_for_all() -> None:
    truth = make_truth()
    partial = predict(truth, 0.5, 1)
    partial.loc[partial["item"].isin(["i003", "i004"]), "score"] = np.nan
    extra = pd.concat([predict(truth, 0.5, 2), pd.DataFrame({"item": ["new"], "dimension": ["mood"], "score": [1.0]})])
    report = evaluate_scores({"partial": partial, "extra": extra}, truth, n_boot=0)
    missing = report.tables["missing"].set_index("model")
    assert missing.loc["partial", "missing"] == 4
    assert missing.loc["partial", "missing_items"] == "i003, i004"
    assert missing.loc["extra", "not_in_truth"] == 1
    assert (report.tables["scores"]["n_items"] == 58).all()
    assert "partial 4 (i003, i004)" in report.text


def test_categories_have_rows_and_means_of_their_own() -> None:
    truth = pd.concat([make_truth(20, seed=k).assign(category=c) for k, c in enumerate(("birds", "figures"))])
    frame = truth.assign(score=truth["score"] + 0.1 * np.arange(len(truth)) % 3)
    report = evaluate_scores({"m": frame}, truth, n_boot=20)
    keys = report.tables["scores"][["category", "dimension", "n_items"]].values.tolist()
    assert keys[-3:] == [["birds", "mean", 20], ["figures", "mean", 20], ["all categories", "mean", 40]]
    assert len(keys) == 7


def test_constant_predictions_have_no_correlation_and_an_error() -> None:
    truth = make_truth(10, ("mood",))
    row = evaluate_scores({"flat": truth.assign(score=3.0)}, truth, n_boot=20).tables["scores"].iloc[0]
    assert np.isnan(row["srcc"])
    assert row["mae"] > 0


def test_what_is_not_allowed_is_named() -> None:
    truth = make_truth(10)
    fine = predict(truth, 1.0, 1)
    with pytest.raises(ArgumentError, match="baseline='x'"):
        evaluate_scores({"m": fine}, truth, baseline="x")
    with pytest.raises(ArgumentError, match="ceiling='x'"):
        evaluate_scores({"m": fine}, truth, ceiling="x")
    with pytest.raises(ArgumentError, match="at least one model"):
        evaluate_scores({}, truth)
    with pytest.raises(DataError, match="lack the columns"):
        evaluate_scores({"m": fine.drop(columns="item")}, truth)
    with pytest.raises(DataError, match="twice in a dimension"):
        evaluate_scores({"m": pd.concat([fine, fine])}, truth)
    with pytest.raises(DataError, match="share no item"):
        evaluate_scores({"m": fine.assign(item="other" + fine["item"])}, truth)
    with pytest.raises(DataError, match="truth, column 'score'"):
        evaluate_scores({"m": fine}, truth.assign(score=np.nan))


def test_same_seed_same_report() -> None:
    truth = make_truth(30)
    a, b = (evaluate_scores({"m": predict(truth, 1.0, 1)}, truth, n_boot=50, random_seed=3) for _ in range(2))
    assert a.to_json() == b.to_json()


def test_majority_vote_weighs_pairs_alike() -> None:
    rows = [("x", "y", "A"), ("y", "x", "A"), ("x", "z", "A"), ("z", "y", "TIE")]
    frame = pd.DataFrame(rows, columns=["item_a", "item_b", "outcome"])
    found = majority_vote(frame, scale=(1, 5)).set_index("item")
    assert found.loc["x", "score"] == 1 + 4 * 0.75  # one pair won, one undecided between the two orders
    assert found.loc["z", "score"] == 1 + 4 * 0.25
    assert found["n_comparisons"].tolist() == [2, 2, 2]


def test_scores_without_category_count_once_as_not_in_truth() -> None:
    truth = make_truth(20, ("mood",))
    both = pd.concat([truth.assign(category="x"), truth.assign(category="y")])
    stray = pd.DataFrame({"item": ["stray"], "dimension": ["mood"], "score": [3.0]})
    report = evaluate_scores({"m": pd.concat([predict(truth, 0.3, 1), stray])}, both, n_boot=0)
    assert report.tables["missing"]["not_in_truth"].tolist() == [1]
