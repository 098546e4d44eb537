"""compare_fusions: agreement, and what shared inputs give by themselves."""

import numpy as np
import pandas as pd
import pytest
from bayes_helpers import fuse as fuse_briefly
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.kernels.shared import weighted_spearman
from ppaint_stats.validation.refits import refit_like
from ppaint_stats.validation.shared_inputs import permute_ratings, shuffle_answers, split_raters
from ppaint_stats.validation.shared_parts import judge

KEYS = ["category", "dimension", "item"]
DESIGN = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40, dimensions=("overall",))


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=1).study


@pytest.fixture(scope="module")
def davidson(study):
    return ps.fuse_davidson(study)


@pytest.fixture(scope="module")
def thurstone(study):
    return ps.fuse_thurstone(study)


@pytest.fixture(scope="module")
def report(study, davidson, thurstone):
    return ps.compare_fusions(davidson, thurstone, study=study, n_boot=100, n_splits=2, n_permutations=2)


def test_identical_fusions(davidson):
    table = ps.compare_fusions(davidson, davidson, n_boot=50).tables["agreement"]
    row = table.iloc[0]
    assert row[["srcc", "plcc", "tau", "ccc"]].tolist() == pytest.approx([1, 1, 1, 1])
    assert row[["mean_difference", "max_difference", "bias", "difference_over_sd"]].tolist() == [0, 0, 0, 0]
    assert row["fusion_a"] == "davidson"
    assert row["fusion_b"] == "davidson #2"


def test_agreement_table(report, davidson, thurstone):
    row = report.tables["agreement"].iloc[0]
    x, y = davidson.scores["score"], thurstone.scores["score"]
    assert row["srcc"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert row["mean_difference"] == pytest.approx((x - y).abs().mean())
    sd = (davidson.scores["sd"].mean() + thurstone.scores["sd"].mean()) / 2
    assert row["difference_over_sd"] == pytest.approx(row["mean_difference"] / sd)
    for name in ("srcc", "plcc", "tau", "ccc", "mean_difference"):
        assert row[f"{name}_lower"] <= row[name] <= row[f"{name}_upper"]
    assert row["loa_lower"] < row["bias"] < row["loa_upper"]
    assert row["n_items"] == 12
    assert "median rank correlation" in report.text


def test_shared_inputs(report, study, davidson):
    table = report.tables["shared_inputs"]
    row = table.iloc[0]
    kinds = ["observed", "permuted", "preferences_only", "same_half", "cross_half", "within_a", "within_b"]
    assert set(kinds) | {"ratio", "shared_part"} <= set(table.columns)
    assert row[kinds].between(-1, 1).all()
    assert row["shared_part"] == pytest.approx(row["same_half"] - row["cross_half"])
    assert row["ratio"] == pytest.approx(row["cross_half"] / np.sqrt(row["within_a"] * row["within_b"]))
    assert row["observed"] == pytest.approx(report.tables["agreement"]["srcc"][0])
    assert "common input" in report.text
    # preferences alone, fitted again here
    both = (ps.fuse_davidson, ps.fuse_thurstone)
    refits = [fuse(study, protocols="preferences", interval="none").scores["score"] for fuse in both]
    assert row["preferences_only"] == pytest.approx(stats.spearmanr(*refits).statistic)
    again = ps.compare_fusions(davidson, davidson, study=study, n_boot=0, n_splits=1, n_permutations=1)
    same = again.tables["shared_inputs"].iloc[0]
    assert same[["permuted", "preferences_only", "same_half"]].tolist() == pytest.approx([1, 1, 1])
    assert same["cross_half"] == pytest.approx(same["within_a"])
    assert same["ratio"] == pytest.approx(1)


def test_the_same_seed_gives_the_same_report(report, study, davidson, thurstone):
    again = ps.compare_fusions(davidson, thurstone, study=study, n_boot=100, n_splits=2, n_permutations=2)
    for name, table in report.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
    assert again.text == report.text


def test_disconnected_preferences_leave_a_note(study):
    items = study.items()
    left = set(items[:6])
    p = study.preferences
    apart = ps.Study(
        ratings=study.ratings, preferences=p[p["item_a"].isin(left) == p["item_b"].isin(left)], scale=study.scale
    )
    one, two = ps.fuse_davidson(apart, interval="none"), ps.fuse_thurstone(apart, interval="none")
    found = ps.compare_fusions(one, two, study=apart, n_boot=0, n_splits=1, n_permutations=1)
    row = found.tables["shared_inputs"].iloc[0]
    assert np.isnan(row["preferences_only"])
    assert np.isfinite(row["permuted"])
    assert "preferences_only: not computed" in found.text
    assert "components" in found.text


def test_too_few_raters_leave_a_note(study):
    three = study.select(raters=study.raters[:3])
    one, two = ps.fuse_davidson(three, interval="none"), ps.fuse_thurstone(three, interval="none")
    found = ps.compare_fusions(one, two, study=three, n_boot=0, n_permutations=1)
    assert found.tables["shared_inputs"][["same_half", "cross_half", "ratio"]].isna().all(axis=None)
    assert "at least 4 raters" in found.text


def test_what_cannot_be_compared(davidson, study):
    with pytest.raises(ArgumentError, match="at least 2 fusions"):
        ps.compare_fusions(davidson)
    design = ps.PPaintDesign(n_categories=1, n_items=5, n_pairs=8, dimensions=("mood",))
    other = ps.fuse_davidson(ps.simulate_study(design, random_seed=1).study, interval="none")
    with pytest.raises(ArgumentError, match="share no category"):
        ps.compare_fusions(davidson, other)


def test_latent_and_relative_scores_have_no_differences_in_rating_units(study, davidson):
    latent = ps.fuse_davidson(study.drop_protocol("ratings"))
    row = ps.compare_fusions(davidson, latent, n_boot=20).tables["agreement"].iloc[0]
    assert np.isfinite(row["srcc"])
    assert row[["mean_difference", "ccc", "bias", "loa_lower"]].isna().all()
    relative = ps.fuse_davidson(study, target="relative", interval="none")
    row = ps.compare_fusions(davidson, relative, n_boot=0).tables["agreement"].iloc[0]
    assert np.isnan(row["mean_difference"])
    assert row["plcc"] == pytest.approx(1)


def test_items_without_a_counterpart_are_counted(study, davidson):
    some = ps.fuse_davidson(study.select(items=study.items()[:10]), interval="none")
    assert "2 scores" in ps.compare_fusions(davidson, some, n_boot=0).text


def test_permuted_ratings_keep_their_multiset():
    both = ps.simulate_study(ps.PPaintDesign(n_categories=2, n_items=8, n_pairs=20), random_seed=1).study
    permuted = permute_ratings(both, random_seed=1)
    pd.testing.assert_frame_equal(permuted.preferences, both.preferences)
    for key, group in both.ratings.groupby(["category", "dimension", "rater"]):
        other = permuted.ratings.groupby(["category", "dimension", "rater"]).get_group(key)
        assert sorted(group["rating"]) == sorted(other["rating"])
        assert sorted(group["item"]) == sorted(other["item"])
    # one permutation for all raters and dimensions: agreement between raters stays
    wide, turned = (
        s.ratings.pivot_table(index="item", columns=["dimension", "rater"], values="rating") for s in (both, permuted)
    )
    assert not wide.equals(turned)
    assert sorted(map(tuple, wide.dropna(axis=1).to_numpy())) == sorted(map(tuple, turned.dropna(axis=1).to_numpy()))
    with pytest.raises(ArgumentError, match="no ratings"):
        permute_ratings(both.drop_protocol("ratings"))


@pytest.mark.parametrize("n_raters", [4, 5, 11])
def test_halves_are_disjoint_and_balanced(n_raters):
    design = ps.PPaintDesign(n_categories=2, n_items=6, n_pairs=8, n_raters=n_raters, dimensions=("overall",))
    both = ps.simulate_study(design, random_seed=1).study
    splits = split_raters(both, n_splits=3, random_seed=1)
    assert len(splits) == 3
    assert len({frozenset(first) for first, _ in splits}) == 3
    panels = both.ratings.groupby("category")["rater"].unique()
    for first, second in splits:
        assert not set(first) & set(second)
        assert sorted([*first, *second]) == sorted(both.raters)
        for panel in panels:
            sizes = sorted([len(set(panel) & set(first)), len(set(panel) & set(second))])
            assert sizes == [n_raters // 2, n_raters - n_raters // 2]
    assert splits == split_raters(both, n_splits=3, random_seed=1)


def test_halves_need_raters(study):
    anonymous = ps.Study(preferences=study.preferences.drop(columns="rater"))
    with pytest.raises(ArgumentError, match="name none"):
        split_raters(anonymous, n_splits=1)


def test_refits_repeat_what_the_fusion_did(study):
    for fuse, options in (
        (ps.fuse_davidson, {"rating_weight": 2.0, "order_effect": False}),
        (ps.fuse_elo, {"k": 16.0, "n_orders": 10, "random_seed": 4}),
    ):
        fusion = fuse(study, interval="none", **options)
        again = refit_like(fusion, study).scores.set_index(KEYS)["score"]
        np.testing.assert_allclose(again, fusion.scores.set_index(KEYS)["score"])


def test_shuffled_answers_keep_the_design_and_each_raters_habits():
    both = ps.simulate_study(ps.PPaintDesign(n_categories=2, n_items=8, n_pairs=20), random_seed=1).study
    empty = shuffle_answers(both, random_seed=1)
    for name, answer in (("ratings", "rating"), ("preferences", "outcome")):
        before, after = getattr(both, name), getattr(empty, name)
        pd.testing.assert_frame_equal(before.drop(columns=answer), after.drop(columns=answer))
        assert not before[answer].equals(after[answer])
        keys = ["category", "dimension", "rater", answer]
        pd.testing.assert_series_equal(before.groupby(keys).size(), after.groupby(keys).size())


def test_verdicts(report):
    row = report.tables["verdicts"].iloc[0]
    cell = report.tables["shared_inputs"].iloc[0]
    assert row["cross_half"] == pytest.approx(cell["cross_half"])
    assert row["excess"] == pytest.approx(row["cross_half"] - row["cross_emptied"])
    assert row["ratings_part"] == pytest.approx(row["cross_half"] - row["cross_permuted"])
    for name in ("same_half", "cross_half", "shared_part", "ratio", "excess"):
        assert row[f"{name}_lower"] <= row[f"{name}_upper"]
    assert row["verdict"] == "real"
    assert row["p_value"] < 0.05
    assert "Real:" in report.text


def test_an_artificial_agreement_is_flagged():
    design = ps.PPaintDesign(n_categories=1, n_items=40, n_raters=6, n_pairs=80, dimensions=("overall",))
    true = ps.simulate_study(design, random_seed=1).study
    noise = shuffle_answers(true, random_seed=1)
    for study, verdict in ((true, "real"), (noise, "artificial")):
        fusions = [f(study, interval="none", protocols="ratings") for f in (ps.fuse_elo, ps.fuse_thurstone)]
        found = ps.compare_fusions(*fusions, study=study, n_boot=100, n_permutations=1).tables["verdicts"].iloc[0]
        assert found["observed"] > 0.95
        assert found["verdict"] == verdict


def test_judgments_on_parts():
    part = {"observed": 0.9, "observed_lower": 0.8, "cross_half": 0.1, "cross_half_upper": 0.3}
    assert judge(part, 0.4) == "artificial"
    assert judge(part, 0.01) == "mostly common input"
    assert judge(part | {"cross_half_upper": 0.6}, 0.4) == "undecided"
    assert judge(part | {"cross_half_upper": 0.6}, 0.01) == "real"
    assert judge(part | {"observed_lower": -0.1}, 0.4) == "no agreement"
    assert judge(part, np.nan) == "not computed"


def test_weighted_rank_correlations():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=12), rng.integers(4, size=12).astype(float)
    weight = rng.multinomial(12, np.full(12, 1 / 12), size=5).astype(float)
    found = weighted_spearman(x, y, weight)
    for row, value in zip(weight.astype(int), found, strict=True):
        assert value == pytest.approx(stats.spearmanr(np.repeat(x, row), np.repeat(y, row)).statistic)
    x[0] = np.nan
    assert weighted_spearman(x, y, np.ones((1, 12)))[0] == pytest.approx(stats.spearmanr(x[1:], y[1:]).statistic)
    assert np.isnan(weighted_spearman(x, np.zeros(12), np.ones((1, 12)))[0])


def test_a_joint_model_is_fitted_again_and_goes_on_from_a_folder(tmp_path, monkeypatch):
    study = ps.simulate_study(DESIGN, random_seed=1).study
    fused = fuse_briefly(study, draws=20, tune=30, chains=1)
    other = ps.fuse_davidson(study, interval="none")
    options = {"n_boot": 20, "n_splits": 1, "n_permutations": 1, "folder": tmp_path}
    options["refit_options"] = {"bayes": {"draws": 20, "tune": 30, "chains": 1}}
    first = ps.compare_fusions(fused, other, study=study, **options)
    assert np.isfinite(first.tables["verdicts"]["cross_half"][0])
    assert "did not meet their test of convergence" in first.text
    kept = sorted(tmp_path.glob("*.csv"))
    assert len(kept) == 2 * 8
    kept[0].unlink()
    monkeypatch.setattr("ppaint_stats.validation.agreement_refits.refit_like", count := Counter())
    again = ps.compare_fusions(fused, other, study=study, **options)
    assert count.calls == 1
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
    with pytest.raises(ArgumentError, match="refit_options names"):
        ps.compare_fusions(fused, other, study=study, refit_options={"bays": {}})


class Counter:
    """refit_like that counts how often it is needed."""

    calls = 0

    def __call__(self, *args, **options):
        self.calls += 1
        return refit_like(*args, **options)


def test_refits_side_by_side_give_the_same(study, davidson, thurstone):
    options = {"n_boot": 0, "n_splits": 1, "n_permutations": 1}
    one, two = (ps.compare_fusions(davidson, thurstone, study=study, n_jobs=n, **options) for n in (1, 2))
    pd.testing.assert_frame_equal(one.tables["shared_inputs"], two.tables["shared_inputs"])


def test_words_leave_out_what_was_not_computed():
    triples = pd.DataFrame(
        [("r1", a, b, "A") for k in range(4) for a, b in ((f"i{k}a", f"i{k}b"), (f"i{k}b", f"i{k}c"))],
        columns=["rater", "item_a", "item_b", "outcome"],
    )
    preferences = pd.concat([triples.assign(rater=f"r{n}") for n in range(1, 5)], ignore_index=True)
    rng = np.random.default_rng(1)
    items = sorted({*triples["item_a"], *triples["item_b"]})
    ratings = pd.DataFrame(
        [
            (f"r{n}", item, float(4 - "abc".index(item[-1]) + rng.integers(-1, 2)))
            for n in range(1, 5)
            for item in items
        ],
        columns=["rater", "item", "rating"],
    )
    study = ps.Study(ratings=ratings, preferences=preferences, scale=(1, 5, 1))
    fusions = ps.fuse_davidson(study, interval="none"), ps.fuse_thurstone(study, interval="none")
    report = ps.compare_fusions(*fusions, study=study, n_splits=1, n_permutations=1, n_boot=20)
    assert np.isnan(report.tables["shared_inputs"]["preferences_only"]).all()
    assert "nan" not in report.text.split("not computed")[0]
