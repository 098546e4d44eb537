"""Pseudo-scores: against plain quadrature, joint with the pool's error, and covering what they claim."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ppaint_distill.pool import choose_opponents, fit_pool
from ppaint_distill.pseudo import PseudoScores, score_against_pool
from ppaint_distill.reference import Pool
from ppaint_distill.simulated import SimulatedJudge
from ppaint_distill.targets import read_targets
from ppaint_stats.errors import ArgumentError, CalibrationWarning, DataError
from ppaint_stats.study import Study

CELL = ("all", "overall")
NODES, MASS = np.polynomial.hermite_e.hermegauss(60)


def make_pool(strength: np.ndarray, **parameters: float) -> Pool:
    """A pool of given joint draws, shape (draws, images)."""
    names = [f"p{k:02d}" for k in range(strength.shape[1])]
    settings = {"prior_mean": 0.0, "prior_sd": 2.0, "log_nu": -0.5, "order_effect": 0.4, "order_correlation": 0.5}
    frame = pd.DataFrame({name: np.full(len(strength), value) for name, value in (settings | parameters).items()})
    table = {"category": "all", "dimension": "overall", "item": names, "strength": strength.mean(axis=0), "sd": 1.0}
    about = pd.DataFrame([{"category": "all", "dimension": "overall"}])
    return Pool(pd.DataFrame(table), about, {CELL: strength}, {CELL: frame})


def make_world(seed: int, *, n_pool: int = 15, n_pairs: int = 60, n_new: int = 60, n_draws: int = 40, **judge: float):
    rng = np.random.default_rng(seed)
    names = [f"p{i:02d}" for i in range(n_pool)] + [f"n{i:03d}" for i in range(n_new)]
    strength = pd.Series(2 * rng.standard_normal(len(names)), index=names)
    first, second = np.triu_indices(n_pool, 1)
    chosen = rng.choice(len(first), min(n_pairs, len(first)), replace=False)
    pairs = pd.DataFrame({"a": np.array(names)[first[chosen]], "b": np.array(names)[second[chosen]]})
    judged = SimulatedJudge(**judge)
    pool = fit_pool(judged.compare(pairs, strength.to_dict(), random_seed=seed), n_draws=n_draws, progressbar=False)
    strength -= strength.iloc[:n_pool].mean()
    met = choose_opponents(names[n_pool:], pool, n_comparisons=10, random_seed=seed)
    return pool, judged.compare(met, strength.to_dict(), random_seed=seed + 1), strength


@pytest.fixture(scope="module")
def world() -> tuple[Pool, pd.DataFrame, pd.Series]:
    return make_world(3)


@pytest.fixture(scope="module")
def scored(world: tuple[Pool, pd.DataFrame, pd.Series]) -> PseudoScores:
    return score_against_pool(world[1], world[0], progressbar=False)


def plain_density(answers: pd.DataFrame, pool: Pool, s: int, x: np.ndarray) -> np.ndarray:
    """Density of one new image at the points x, given draw s of the pool: one loop over pairs, one over answers."""
    from scipy.special import ndtr, ndtri

    p = pool.parameter_draws[CELL].iloc[s]
    rho = min(p["order_correlation"], 0.98)
    found = -((x - p["prior_mean"]) ** 2) / (2 * p["prior_sd"] ** 2)
    items = list(pool.items(*CELL))
    for opponent, rows in answers.groupby("opponent"):
        given = np.ones((len(x), len(NODES)))
        for row in rows.itertuples():
            shift = p["order_effect"] if row.first else -p["order_effect"]
            d = x - pool.draws[CELL][s, items.index(opponent)] + shift
            weights = np.stack([np.exp(-d / 2), np.exp(p["log_nu"]) * np.ones_like(d), np.exp(d / 2)])
            lose, tie, _ = weights / weights.sum(axis=0)
            cuts = [np.full(len(x), -np.inf), ndtri(lose), ndtri(lose + tie), np.full(len(x), np.inf)]
            k = {"lose": 0, "tie": 1, "win": 2}[row.result]
            above, below = (
                ndtr((cut[:, None] - np.sqrt(rho) * NODES) / np.sqrt(1 - rho)) for cut in (cuts[k + 1], cuts[k])
            )
            given *= above - below
        found = found + np.log(given @ MASS / np.sqrt(2 * np.pi))
    density = np.exp(found - found.max())
    return density / density.sum()


def answers_of(preferences: pd.DataFrame, item: str) -> pd.DataFrame:
    first = preferences["item_a"] == item
    rows = preferences[first | (preferences["item_b"] == item)]
    first = rows["item_a"] == item
    good = np.where(first, "A", "B")
    result = np.where(rows["outcome"] == "TIE", "tie", np.where(rows["outcome"] == good, "win", "lose"))
    opponent = np.where(first, rows["item_b"], rows["item_a"])
    return pd.DataFrame({"opponent": opponent, "first": first.to_numpy(), "result": result})


def test_posterior_is_that_of_plain_quadrature() -> None:
    rng = np.random.default_rng(5)
    pool = make_pool(rng.standard_normal((12, 8)) * 0.4 + np.linspace(-3, 3, 8), prior_mean=0.2)
    pool.parameter_draws[CELL]["order_correlation"] = np.linspace(0.0, 0.7, 12)
    pool.parameter_draws[CELL]["log_nu"] = np.linspace(-1, 0.3, 12)
    strength = dict(zip(pool.items(*CELL), np.linspace(-3, 3, 8), strict=True)) | {"x": -1.0, "y": 2.5, "z": 6.0}
    met = pd.DataFrame([(new, old) for new in "xyz" for old in pool.items(*CELL)])
    preferences = SimulatedJudge().compare(met, strength, random_seed=2)
    alone = preferences[(preferences["item_a"] != "y") | (preferences["item_b"] > "p04")]  # some in one order only
    found = score_against_pool(alone, pool, interval_prob=0.8, progressbar=False)
    x = np.linspace(-9, 11, 801)
    for row in found.scores.itertuples():
        answers = answers_of(alone, row.item)
        mixture = np.mean([plain_density(answers, pool, s, x) for s in range(12)], axis=0)
        mean = mixture @ x
        assert row.latent == pytest.approx(mean, abs=3e-3)
        assert row.latent_sd == pytest.approx(np.sqrt(mixture @ (x - mean) ** 2), rel=5e-3)
        cumulated = np.cumsum(mixture) - mixture / 2
        assert row.latent_lower == pytest.approx(np.interp(0.1, cumulated, x), abs=6e-3)
        assert row.latent_upper == pytest.approx(np.interp(0.9, cumulated, x), abs=6e-3)
        score = found.calibration.loc[0]
        mapped = score["low"] + (score["high"] - score["low"]) / (1 + np.exp(-(x - score["midpoint"]) / score["width"]))
        assert row.score == pytest.approx(mixture @ mapped, abs=3e-3)
        assert row.sd == pytest.approx(np.sqrt(mixture @ (mapped - mixture @ mapped) ** 2), rel=5e-3)


def test_draw_s_of_an_image_follows_its_density_given_draw_s_of_the_pool() -> None:
    rng = np.random.default_rng(1)
    pool = make_pool(rng.standard_normal((80, 3)) * 0.8 + np.array([-1.0, 0.0, 1.0]))
    preferences = SimulatedJudge().compare(
        pd.DataFrame([("x", old) for old in pool.items(*CELL)]),
        {"x": 0.5, "p00": -1.0, "p01": 0.0, "p02": 1.0},
        random_seed=1,
    )
    found = score_against_pool(preferences, pool, progressbar=False)
    row = found.calibration.loc[0]
    draws = row["midpoint"] + row["width"] * np.log((found.draws[CELL][:, 0] - 1) / (5 - found.draws[CELL][:, 0]))
    x, answers = np.linspace(-12, 12, 601), answers_of(preferences, "x")
    places = np.empty(80)
    for s in range(80):
        density = plain_density(answers, pool, s, x)
        places[s] = np.interp(draws[s], x, np.cumsum(density) - density / 2)
    # stratified: the places are spread more evenly than independent uniforms would be
    np.testing.assert_allclose(np.sort(places), (np.arange(80) + 0.5) / 80, atol=0.012)
    assert found.draws[CELL].mean() == pytest.approx(found.scores.loc[0, "score"], abs=0.05)


def test_images_share_the_error_of_the_pool() -> None:
    shift = np.random.default_rng(1).standard_normal((80, 1))
    pool = make_pool(np.linspace(-2, 2, 9) + shift, prior_sd=5.0)
    old = list(pool.items(*CELL))
    strength = dict(zip(old, np.linspace(-2, 2, 9), strict=True)) | {"x": 0.0, "y": 0.2}
    judge = SimulatedJudge()
    met = pd.DataFrame([(new, name) for new in "xy" for name in old])
    preferences = pd.concat([judge.compare(met, strength, random_seed=k).assign(rater=f"r{k}") for k in range(6)])
    found = score_against_pool(preferences, pool, progressbar=False)
    row = found.calibration.loc[0]
    latent = row["midpoint"] + row["width"] * np.log((found.draws[CELL] - 1) / (5 - found.draws[CELL]))
    sd = found.scores["latent_sd"].to_numpy()
    assert (sd > 0.95 * shift.std()).all()  # all of the pool's shift is in each image
    assert np.corrcoef(latent.T)[0, 1] > 0.85
    assert (latent[:, 0] - latent[:, 1]).std() < 0.5 * np.hypot(*sd)  # and none of it in their difference
    sure = score_against_pool(preferences, pool.without_error(), progressbar=False)
    assert (sure.scores["latent_sd"] < 0.5).all()


def test_same_seed_same_scores_whatever_else_is_scored(
    world: tuple[Pool, pd.DataFrame, pd.Series], scored: PseudoScores
) -> None:
    pool, preferences, _ = world
    again = score_against_pool(preferences, pool, progressbar=False)
    pd.testing.assert_frame_equal(again.scores, scored.scores)
    np.testing.assert_array_equal(again.draws[CELL], scored.draws[CELL])
    few = [name for name in scored.scores["item"] if name < "n005"]
    rows = preferences["item_a"].isin(few) | preferences["item_b"].isin(few)
    part = score_against_pool(preferences[rows], pool, random_seed=9, progressbar=False)
    np.testing.assert_allclose(part.scores["latent"], scored.scores["latent"][:5], atol=1e-6)
    np.testing.assert_allclose(part.scores["upper"], scored.scores["upper"][:5], atol=1e-6)


def test_order_of_rows_changes_nothing(world: tuple[Pool, pd.DataFrame, pd.Series], scored: PseudoScores) -> None:
    mixed = score_against_pool(world[1].sample(frac=1, random_state=1), world[0], progressbar=False)
    pd.testing.assert_frame_equal(mixed.scores, scored.scores)


def test_intervals_cover_and_pool_error_is_part_of_them() -> None:
    inside, narrow, total = 0, 0, 0
    for seed, shared in ((11, 0.0), (12, 0.5), (13, 0.9)):
        pool, preferences, strength = make_world(seed, shared=shared)
        for used, count in ((pool, "full"), (pool.without_error(), "narrow")):
            found = score_against_pool(preferences, used, progressbar=False).scores
            truth = strength[found["item"]].to_numpy()
            hits = int(((found["latent_lower"] <= truth) & (truth <= found["latent_upper"])).sum())
            inside, narrow = inside + hits * (count == "full"), narrow + hits * (count == "narrow")
        total += len(found)
    assert 0.8 < inside / total < 0.98  # few worlds: the benchmark has the sharp numbers
    assert narrow < inside


def test_anchors_define_the_scale(world: tuple[Pool, pd.DataFrame, pd.Series], scored: PseudoScores) -> None:
    pool, preferences, _ = world
    middle = pool.strengths.set_index("item")["strength"]
    known = 1 + 4 / (1 + np.exp(-(middle - 0.3) / 1.2))
    anchors = known.rename("score").reset_index().iloc[::2]
    found = score_against_pool(preferences, pool, anchors=anchors, progressbar=False)
    row = found.calibration.loc[0]
    assert (row["midpoint"], row["width"]) == pytest.approx((0.3, 1.2), rel=1e-3)
    assert row["n_anchors"] == 8
    assert row["map_se"] < 1e-3
    assert found.scores["latent"].tolist() == scored.scores["latent"].tolist()
    assert found.scores["score"].rank().corr(scored.scores["score"].rank()) > 0.99
    assert found.scores["score"].between(1, 5).all()
    assert ((found.scores["lower"] < found.scores["score"]) & (found.scores["score"] < found.scores["upper"])).all()
    by_cell = anchors.assign(category="all", dimension="overall")
    same = score_against_pool(preferences, pool, anchors=by_cell, progressbar=False)
    pd.testing.assert_frame_equal(same.scores, found.scores)


def test_anchors_that_do_not_fit(world: tuple[Pool, pd.DataFrame, pd.Series]) -> None:
    pool, preferences, _ = world
    items = list(pool.items(*CELL))

    def score(anchors: dict) -> None:
        score_against_pool(preferences, pool, anchors=pd.DataFrame(anchors), progressbar=False)

    with pytest.raises(DataError, match=r"'elsewhere'.*not in the pool"):
        score({"item": ["elsewhere", items[0]], "score": [1, 2]})
    with pytest.raises(DataError, match="from 1 to 5"):
        score({"item": items[:2], "score": [1, 6]})
    with pytest.raises(DataError, match="has 1 score anchors"):
        score({"item": items[:1], "score": [1]})
    with pytest.raises(DataError, match="more than once"):
        score({"item": [items[0], items[0]], "score": [1, 2]})
    with pytest.raises(DataError, match="lack the columns"):
        score({"item": items[:2]})
    order = pool.strengths.sort_values("strength")["item"].tolist()
    with pytest.warns(CalibrationWarning, match="poorly determined"):
        score({"item": [order[0], order[-1]], "score": [2, 4]})
    with pytest.warns(CalibrationWarning, match="do not rise"):
        score({"item": order, "score": np.linspace(5, 1, len(order))})


def test_scores_become_targets(scored: PseudoScores, tmp_path: Path) -> None:
    found = read_targets(scored.to_targets(tmp_path / "targets.parquet"))
    assert found.scale == (1.0, 5.0)
    assert found.provenance["method"] == "pseudo-scores"
    np.testing.assert_allclose(found.draws[CELL], scored.draws[CELL], rtol=1e-6)
    np.testing.assert_allclose(found.frame["score"], scored.scores["score"])
    assert repr(scored) == "PseudoScores(60 images, 1 cell(s), scores from 1 to 5)"


def test_pairs_must_be_of_one_pool_image_and_one_other(world: tuple[Pool, pd.DataFrame, pd.Series]) -> None:
    pool, preferences, _ = world
    within = pd.DataFrame({"item_a": ["p00"], "item_b": ["p01"], "outcome": ["A"]})
    with pytest.raises(DataError, match="both are in the pool"):
        score_against_pool(within, pool, progressbar=False)
    with pytest.raises(DataError, match="neither is in the pool"):
        score_against_pool(within.replace({"p00": "n000", "p01": "n001"}), pool, progressbar=False)
    with pytest.raises(DataError, match="the pool the cells"):
        score_against_pool(preferences.assign(dimension="mood"), pool, progressbar=False)
    with pytest.raises(ArgumentError, match="interval_prob"):
        score_against_pool(preferences, pool, interval_prob=1.0)


def test_many_images_far_from_the_pool_are_not_cut_off() -> None:
    """Windows are widened until the density has ended."""
    rng = np.random.default_rng(2)
    pool = make_pool(rng.standard_normal((12, 6)) * np.linspace(0.1, 2.5, 12)[:, None], prior_sd=3.0)
    rows = [(a, b, "A") for name in pool.items(*CELL) for a, b in (("x", name),)]
    preferences = pd.DataFrame(rows, columns=["item_a", "item_b", "outcome"])
    found = score_against_pool(preferences, pool, progressbar=False)
    answers, x = answers_of(preferences, "x"), np.linspace(-15, 22, 741)
    mixture = np.mean([plain_density(answers, pool, s, x) for s in range(12)], axis=0)
    assert found.scores.loc[0, "latent"] == pytest.approx(mixture @ x, abs=5e-3)
    assert found.scores.loc[0, "n_comparisons"] == 6


def test_a_simulated_judge_makes_a_study() -> None:
    pairs = pd.DataFrame({"item": ["x", "y"], "opponent": ["y", "z"]})
    frame = SimulatedJudge(shared=0.3).compare(pairs, {"x": 1.0, "y": 0.0, "z": -1.0}, votes=2)
    assert len(frame) == 8
    assert len(Study(preferences=frame).preferences) == 8
    single = SimulatedJudge(form="mixed").compare(pairs, {"x": 1.0, "y": 0.0, "z": -1.0}, both_orders=False)
    assert len(single) == 2
    with pytest.raises(ArgumentError, match="shared"):
        SimulatedJudge(shared=2.0)
    with pytest.raises(DataError, match="no strength"):
        SimulatedJudge().compare(pairs, {"x": 1.0})
