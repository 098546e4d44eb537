"""Plans of studies: laws, limit cases against closed forms, questions and their answers, bad input, the command."""

import json
import warnings
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

import ppaint_stats as ps
from ppaint_stats.cli import app
from ppaint_stats.errors import ArgumentError, PPaintWarning
from ppaint_stats.joint.bases import helmert_basis
from ppaint_stats.planning import plan_study
from ppaint_stats.planning.assumptions import assume_design, draw_from_priors
from ppaint_stats.planning.designs import mark_frontier
from ppaint_stats.planning.information import Habits, Tasks, inform
from ppaint_stats.planning.judgments import (
    comparison_information,
    comparison_probabilities,
    expect_lapse,
    rating_information,
    rating_probabilities,
)
from ppaint_stats.planning.severities import expect_severities
from ppaint_stats.planning.tastes import absorb_tastes
from ppaint_stats.plots import plot_plan
from ppaint_stats.priors import Normal, Priors
from ppaint_stats.scale import RatingScale

mpl.use("Agg")
DESIGN = ps.PPaintDesign(n_categories=1, n_items=16, n_raters=3, n_pairs=40, dimensions=("overall",))


def plan_quickly(**changes):
    options = {"design": DESIGN, "n_raters": (3, 5, 9), "pairs_per_rater": (0, 30, 60, 120), "n_worlds": 3}
    return plan_study(**options | {"progressbar": False} | changes)


@pytest.fixture(scope="module")
def plan():
    return plan_quickly(minutes_per_rater=10, budget_minutes=150, target_width=1.0, target_srcc=0.9)


@pytest.fixture(scope="module")
def pilot():
    study = ps.simulate_study(DESIGN, random_seed=1).study
    options = {"draws": 150, "tune": 150, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}
    return study, fuse_quietly(study, **options)


def fuse_quietly(study, **options):
    """Fuse with too few draws to pass the gate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PPaintWarning)
        return ps.fuse_bayes(study, **options)


def test_more_of_anything_is_never_wider(plan):
    table = plan.designs[plan.designs["ratings"] > 0]
    for grow, fixed in (
        ("raters", ["ratings_per_item", "pairs_per_rater"]),
        ("pairs_per_rater", ["raters", "ratings_per_item"]),
        ("ratings_per_item", ["raters", "pairs_per_rater"]),
    ):
        for _, group in table.groupby(fixed):
            own = group.sort_values(grow)
            for column in ("width_population", "width_relative"):
                assert (own[column].diff().dropna() < 0.005 * own[column].max()).all(), (grow, own)


def test_cost_adds_up(plan):
    table = plan.designs
    work = 0.5 * table["ratings"] + 0.25 * table["comparisons"] + 10 * table["raters"]
    assert np.allclose(table["minutes"], work)
    assert np.allclose(table["hours"], work / 60)
    assert (table["ratings"] == table["raters"] * table["ratings_per_item"] * 16).all()


def test_frontier_and_recommendations_answer_the_questions(plan):
    table = plan.designs[plan.designs["width_population"].notna()]
    for row in plan.frontier.to_dict("records"):
        cheaper = table[table["minutes"] < row["minutes"]]
        assert (cheaper["width_population"] > row["width_population"]).all()
    narrowest, best, wide, ranked = plan.recommended.to_dict("records")
    assert narrowest["minutes"] <= 150
    assert best["minutes"] <= 150
    inside = table[table["minutes"] <= 150]
    assert narrowest["width_population"] <= 1.01 * inside["width_population"].min()
    assert wide["width_population"] <= 1.0
    assert wide["minutes"] == table.loc[table["width_population"] <= 1.0, "minutes"].min()
    assert ranked["srcc"] >= 0.9
    # a design that spends the budget to the end, which the grid does not hold
    assert (table["minutes"].between(149, 150)).any()
    assert "Narrowest intervals in 150 minutes" in plan.text
    assert "a simulated design" in plan.text
    impossible = plan_quickly(target_width=0.01)
    assert impossible.recommended["reached"].tolist() == [False]
    assert "No design of the grid gets there" in impossible.text


def test_cells_without_a_width_do_not_break_the_frontier():
    table = pd.DataFrame({"minutes": [1.0, 2.0, 3.0, 3.0], "width": [2.0, np.nan, 1.0, 1.5]})
    assert mark_frontier(table, by="width", smaller=True).tolist() == [True, False, True, False]


def test_the_same_seed_gives_the_same_plan(plan):
    again = plan_quickly(minutes_per_rater=10, budget_minutes=150, target_width=1.0, target_srcc=0.9)
    pd.testing.assert_frame_equal(again.designs, plan.designs)


def test_comparisons_alone_rank_but_give_no_width(plan):
    alone = plan.designs[plan.designs["ratings"] == 0]
    assert alone["width_population"].isna().all()
    assert (alone["srcc"] > 0.5).all()
    assert "no width" in plan.text


def test_the_offset_separates_the_targets():
    found = plan_quickly(n_raters=(3,), pairs_per_rater=(60,), ratings_per_item=(1,), target="panel").designs.iloc[0]
    assert found["width_panel"] < found["width_population"]
    assert found["width_relative"] < found["width_population"]


def test_more_dimensions_and_continuous_scales():
    wide = replace(DESIGN, dimensions=("mood", "overall"), scale=(0, 100))
    found = plan_quickly(design=wide, n_raters=(3, 6), pairs_per_rater=(0, 40), ratings_per_item=(1,))
    assert found.settings["n_dimensions"] == 2
    widths = found.designs["width_population"]
    assert widths.between(5, 60).all()
    vague = plan_study(n_items=10, n_dimensions=2, scale=(1, 7, 1), n_raters=(3,), pairs_per_rater=(20,), n_worlds=2)
    assert vague.designs.loc[vague.designs["ratings"] > 0, "width_population"].between(0, 6).all()
    assert "vague" in vague.text


def test_information_is_the_mean_square_of_the_score():
    x, log_nu, lapse, step = 0.7, -0.3, 0.03, 1e-6

    def answers(x, log_nu):
        return (1 - lapse) * comparison_probabilities(np.array([x]), log_nu)[0] + lapse / 3

    p = answers(x, log_nu)
    score = np.stack([np.log(answers(x + step, log_nu) / p), np.log(answers(x, log_nu + step) / p)]) / step
    expected = (score * p) @ score.T
    found = comparison_information(comparison_probabilities(np.array([x]), log_nu), lapse)[0]
    assert np.allclose(found, expected, rtol=1e-4)
    kappa = np.array([-1.0, 0.5, 2.0])

    def levels(values):
        return (1 - lapse) * rating_probabilities(values[:1], values[1:])[0] + lapse / 4

    at = np.concatenate([[0.3], kappa])
    score = np.stack([np.log(levels(at + step * unit) / levels(at)) for unit in np.eye(4)]) / step
    assert np.allclose(rating_information(at[:1], kappa, lapse)[0], (score * levels(at)) @ score.T, rtol=1e-4)


def test_a_rater_informs_by_the_sum_of_taste_and_noise():
    """With nothing else unknown, precise ratings tell (T + noise)^-1 of the consensus: the linear-Gaussian case."""
    n, taste, noise = 9, 1.4, 0.6
    design = replace(DESIGN, n_items=n, n_pairs=20, scale=(0, 100), taste_sd=taste, rating_span=4.0, rating_slope=1.0)
    assumed = replace(assume_design(design), lapse=0.0)
    priors = replace(Priors(), lapse=Normal(-30.0, 0.1))
    rater = Habits(1.0, 1.0, 1.0, np.zeros(1), np.zeros(1), 0.0, noise)
    none = np.empty(0, dtype=np.int64)
    tasks = Tasks(none, none, np.empty(0), np.full(n, 2.0))  # rated twice: tastes are known
    found = inform(np.zeros((n, 1)), rater, tasks, assumed, priors).information
    assert np.allclose(found[: n - 1, : n - 1], np.eye(n - 1) / (taste**2 + noise**2 / 2), rtol=1e-4)
    # severity and the scale's centre are seen through the mean of all ratings alone
    assert np.allclose(found[: n - 1, n - 1 :], 0, atol=1e-6)
    assert np.allclose(found[n + 1, n + 1], 2 * n / noise**2, rtol=1e-4)


def test_endless_comparisons_leave_the_tastes():
    n, raters = 6, 4
    assumed = assume_design(replace(DESIGN, n_items=n, n_pairs=15))
    i, j = (x.astype(np.int64) for x in np.triu_indices(n, 1))
    tasks = Tasks(i, j, np.full(len(i), 1e7), np.zeros(n))
    rater = Habits(1.0, 1.0, 1.0, np.zeros(1), np.zeros(1), 0.0, 1.0)
    theta = np.linspace(-2, 2, n)[:, None]
    information = raters * inform(theta, rater, tasks, assumed, Priors()).information[: n - 1, : n - 1]
    cov = np.linalg.inv(information)
    # beside the rater's sharpness, which stretches the utilities and is not settled yet
    along = helmert_basis(n).T @ theta[:, 0]
    cross = np.eye(n - 1) - np.outer(along, along) / (along @ along)
    assert np.trace(cov @ cross) / (n - 2) == pytest.approx(assumed.taste_cov.item() / raters, rel=0.01)


def test_severities_of_many_raters_are_known_and_of_few_hardly():
    assumed = assume_design(DESIGN)
    many = expect_severities(assumed, Priors(), n_raters=2000, noise=0.0)
    mean = (many.weight * many.spread).sum(axis=1)
    assert mean == pytest.approx(assumed.severity_sd, rel=0.06)
    few, some = (expect_severities(assumed, Priors(), n_raters=n, noise=0.1) for n in (2, 20))
    relative = [
        np.sqrt((x.weight * x.spread**2).sum(1) - (x.weight * x.spread).sum(1) ** 2) / (x.weight * x.spread).sum(1)
        for x in (few, some)
    ]
    assert (relative[0] > 2 * relative[1]).all()
    assert few.weight.sum(axis=1) == pytest.approx(1.0)


def test_what_noise_absorbs_leaves_ratings_as_they_were():
    assumed = assume_design(DESIGN)
    without = absorb_tastes(assumed, compares=False).assumed
    rng = np.random.default_rng(1)
    taste = rng.standard_normal(200_000) * np.sqrt(assumed.taste_cov.item())
    exact = rating_probabilities(assumed.slope[0] * (1.0 + taste), assumed.threshold[0]).mean(axis=0)
    assert np.allclose(rating_probabilities(without.slope * 1.0, without.threshold[0])[0], exact, atol=0.015)


def test_lapses_are_learned_from_sharp_answers():
    prior = Priors().lapse
    sharp = np.array([[0.999, 0.0005, 0.0005]])
    nothing = expect_lapse([], 0.0, prior)
    assert expect_lapse([(sharp, 1000.0)], 0.0, prior) < expect_lapse([(sharp, 10.0)], 0.0, prior) < nothing
    assert expect_lapse([(sharp, 300.0)], 0.2, prior) == pytest.approx(0.2, abs=0.02)


def test_draws_from_priors_follow_them():
    rng = np.random.default_rng(1)
    draws = [draw_from_priors(Priors(), RatingScale(1, 5, 1), 3, rng) for _ in range(800)]
    item_sd = np.array([np.sqrt(np.diag(x.item_cov)) for x in draws])
    assert np.median(item_sd) == pytest.approx(2.0, rel=0.08)
    correlation = np.array([x.item_cov[0, 1] for x in draws]) / (item_sd[:, 0] * item_sd[:, 1])
    shape = 1.5 + (3 - 2) / 2  # of an LKJ correlation: Beta on (-1, 1)
    assert stats.kstest((correlation + 1) / 2, stats.beta(shape, shape).cdf).pvalue > 0.01


def test_pilot_gives_assumptions_and_keeps_its_judgments(pilot):
    study, fusion = pilot
    new = plan_quickly(design=None, pilot=fusion, n_items=30, n_raters=(3,), pairs_per_rater=(60,))
    assert new.settings["n_items"] == 30
    assert new.designs["width_population"].notna().any()
    kept = plan_quickly(
        design=None, pilot=fusion, pilot_study=study, n_raters=(2,), pairs_per_rater=(0, 60), ratings_per_item=(0, 1),
        budget_minutes=60,
    )  # fmt: skip
    start = kept.designs.iloc[0]
    assert start["minutes"] == 0
    assert (kept.designs["width_population"].iloc[1:] < 1.02 * start["width_population"]).all()
    found = (fusion.scores["upper"] - fusion.scores["lower"]).mean()
    assert start["width_population"] == pytest.approx(found, rel=0.25)
    assert set(kept.designs["who"]) == {"same", "new"}
    assert "pilot as it stands" in kept.text
    assert plot_plan(kept).get_legend() is not None


def test_pilots_without_a_protocol(pilot):
    study, _ = pilot
    options = {"draws": 100, "tune": 100, "chains": 1, "cores": 1, "random_seed": 1, "progressbar": False}
    for protocols, lacking in (("ratings", "comparisons"), ("preferences", "ratings")):
        fusion = fuse_quietly(study, protocols=protocols, **options)
        found = plan_quickly(design=None, pilot=fusion, n_raters=(3,), pairs_per_rater=(0, 60), n_worlds=2)
        assert found.designs.loc[found.designs["ratings"] > 0, "width_population"].between(0.1, 4).all()
        assert lacking in found.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": None}, "n_items is missing"),
        ({"n_raters": (0,)}, "n_raters"),
        ({"n_raters": ()}, "n_raters is empty"),
        ({"ratings_per_item": (0,), "pairs_per_rater": (0,)}, "no design has any judgment"),
        ({"pairs_per_rater": (5,)}, "cannot connect"),
        ({"pairs_per_rater": (500,)}, "maximum"),
        ({"minutes_per_rating": -1}, "minutes_per_rating"),
        ({"budget_minutes": 0}, "budget_minutes"),
        ({"target": "best"}, "target"),
        ({"target_srcc": 2.0}, "target_srcc"),
        ({"interval_prob": 1.0}, "interval_prob"),
        ({"n_dimensions": 2}, "comes from the design"),
        ({"scale": (1, 7)}, "comes from the design"),
        ({"category": "figure"}, "pilot_study"),
        ({"pilot_study": ps.simulate_study(DESIGN, random_seed=1).study}, "pilot="),
    ],
)
def test_bad_input_is_refused(changes, words):
    with pytest.raises(ArgumentError, match=words):
        plan_quickly(**changes)


def test_other_fusions_are_no_pilots():
    study = ps.simulate_study(DESIGN, random_seed=1).study
    with pytest.raises(ArgumentError, match="fuse_bayes"):
        plan_quickly(design=None, pilot=ps.fuse_davidson(study, interval="none"))


def test_plot(plan):
    ax = plot_plan(plan)
    assert ax.get_ylabel() == "mean width of 90% intervals"
    with pytest.raises(ArgumentError, match="no design of this plan has ratings"):
        plot_plan(plan_quickly(ratings_per_item=(0,), pairs_per_rater=(30,)))
    mpl.pyplot.close("all")


def test_command(tmp_path):
    words = ["plan", "--items", "12", "--raters", "3,5", "--pairs", "0,30", "--worlds", "2", "--hours", "2"]
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--out", str(tmp_path / "plan.csv")])
    assert done.exit_code == 0, done.output
    assert "Narrowest intervals in 120 minutes" in done.output
    assert "worth their price" in done.output
    assert len(pd.read_csv(tmp_path / "plan.csv")) >= 10
    done = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(done.stdout)["settings"]["budget_minutes"] == 120
    done = CliRunner().invoke(app, ["plan", "--items", "12", "--raters", "many"])
    assert done.exit_code == 2
    assert "whole numbers" in done.stderr
    done = CliRunner().invoke(app, ["plan", "--pilot", str(tmp_path / "none.nc")])
    assert done.exit_code == 2
