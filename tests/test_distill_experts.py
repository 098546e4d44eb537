"""Tests of training on human scores: the example and its benchmark's folds, baseline and split halves."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
QUIET = "ignore::ppaint_stats.errors.DisconnectedWarning"  # four groups of people, each with patterns of its own


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module("distill_experts")


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("bench_distill_experts")


@pytest.fixture
def features(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("pattern_features")


def list_views(bits: str) -> set[bytes]:
    """The pattern under every flip, quarter turn and inversion."""
    cells = np.array(list(bits), dtype=np.uint8).reshape(15, 15)
    views = [np.rot90(way, turn) for way in (cells, cells.T) for turn in range(4)]
    return {image.tobytes() for view in views for image in (view - 48, 49 - view)}


def test_parts_hold_whole_rules_and_differ_little(example):
    rules = pd.Series(list("aaaabbbccddefg"))
    part = example.split_rules(rules, 3)
    assert pd.Series(part).groupby(rules).nunique().eq(1).all()
    assert np.bincount(part).tolist() == [5, 5, 4]
    assert example.split_rules(rules, 3).tolist() == part.tolist()


def test_a_patch_holds_whole_cells(example, tmp_path):
    from PIL import Image

    bits = "1" + "0" * 224
    drawn = np.asarray(Image.open(example.draw_patterns(pd.DataFrame({"item": ["x"], "bits": [bits]}), tmp_path)["x"]))
    assert drawn.shape == (64, 64)
    assert (drawn[:4, :4] == 0).all()
    assert (drawn[:60, 4:60] == 255).all()
    assert (drawn[60:] == 128).all()
    assert (drawn[:, 60:] == 128).all()


def test_a_scorer_is_trained_on_ratings(example, bench, tmp_path):
    study, patterns = bench.simulate_data()
    settings = replace(example.CONFIG.train, max_steps=4, evaluate_every=2)
    inside = patterns[example.split_rules(patterns["rule"], 5) != 0]
    result = example.train_scorer(study, inside, tmp_path, replace(example.CONFIG, train=settings))
    assert result.n_training + result.n_validation == len(inside)
    targets = pd.read_parquet(tmp_path / "targets.parquet")
    assert set(targets["item"]) == set(inside["item"]), "what people said of patterns held out must not be used"
    scores = result.scorer().score(sorted((tmp_path / "images").glob("*.png")), progressbar=False)
    assert scores["score"].between(0, 100).all()
    assert scores["score"].std() > 0


def test_ridge_is_that_of_the_textbook(features):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    told = features.fit_ridge(x, y, 1e-9)(x)
    whole = np.column_stack([np.ones(30), x])
    assert told == pytest.approx(whole @ np.linalg.lstsq(whole, y)[0], abs=1e-6)
    assert features.fit_ridge(x, y, 1e12)(x) == pytest.approx(np.full(30, y.mean()), abs=1e-6)


def test_strength_is_small_where_features_tell_all(features):
    rng = np.random.default_rng(2)
    x, part = rng.normal(size=(60, 2)), np.arange(60) % 4
    assert features.choose_strength(x, x @ [1.0, 2.0], part) == features.STRENGTHS[0]
    assert features.choose_strength(x, rng.normal(size=60), part) > 1


def test_features_of_plain_patterns(features):
    plain = features.describe_pattern(np.zeros((15, 15), dtype=int))
    board = features.describe_pattern(np.indices((15, 15)).sum(0) % 2)
    assert plain["edges across"] == plain["entropy"] == plain["local entropy 3"] == 0
    assert plain["symmetry"] == board["edges across"] == board["edges down"] == 1
    assert board["edges aslant"] == 0
    assert board["parts of 1 by 4"] == pytest.approx(np.log1p(112))
    assert all(np.isfinite(list(plain.values())))


def test_halves_of_people_agree_as_much_as_they_share(features):
    rng = np.random.default_rng(3)
    items = [f"i{number:03d}" for number in range(200)]
    told = rng.normal(size=200) + 2 * rng.normal(size=(8, 200))
    index = pd.MultiIndex.from_product([list("abcdefgh"), items], names=["rater", "item"])
    ratings = pd.DataFrame({"rating": told.ravel()}, index=index).reset_index()
    # The means of four people have variance 1 + 4 / 4.
    assert features.split_half(ratings, items, n_splits=70) == pytest.approx(0.5, abs=0.12)


def test_folds_share_no_pattern(data_dir, example):
    """A pattern may occur twice, turned or inverted, but then under one rule."""
    _, patterns = example.read_data(data_dir)
    fold = example.split_rules(patterns["rule"], 5)
    assert np.bincount(fold).min() >= 43
    found = [set().union(*map(list_views, patterns["bits"][fold == k])) for k in range(5)]
    assert not any(one & other for k, one in enumerate(found) for other in found[:k])


def test_without_data_the_example_says_where_they_come_from(example, monkeypatch):
    monkeypatch.delenv("PPAINT_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["distill_experts.py"])
    with pytest.raises(SystemExit, match=r"--data.*github\.com"):
        example.main()


@pytest.mark.filterwarnings(QUIET)
def test_the_example_runs_on_real_ratings(data_dir, example, tmp_path, monkeypatch, capsys):
    short = replace(example.CONFIG, train=replace(example.CONFIG.train, max_steps=2))
    monkeypatch.setattr(example.train_scorer, "__defaults__", (short,))
    monkeypatch.setattr(sys, "argv", ["distill_experts.py", "--data", str(data_dir), "--out", str(tmp_path)])
    example.main()
    assert "On 44 items (complexity of all): scorer: rank correlation" in capsys.readouterr().out
    assert len(pd.read_parquet(tmp_path / "targets.parquet")) == 216 - 44
    assert {path.name for path in tmp_path.iterdir()} == {"images", "held_out", "run", "targets.parquet"}


@pytest.mark.slow
@pytest.mark.filterwarnings(QUIET)
def test_a_scorer_learns_from_people(data_dir, bench, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench", "--data", str(data_dir), "--out", str(tmp_path)])
    bench.main()
    folds = pd.read_csv(tmp_path / "distill_experts_folds.csv").set_index("fold")
    assert folds.loc["all", "patterns"] == 216
    assert folds.loc["all", "scorer"] >= 0.70
    assert folds.loc["all", "scorer_/_ridge"] >= 0.9
    assert (pd.read_csv(tmp_path / "distill_experts_costs.csv")["minutes"] < 8).all()
