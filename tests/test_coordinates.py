"""Sampling where no rater has a taste: a change of coordinates, with its Jacobian."""

import numpy as np
import pytest
from bayes_helpers import simulate
from scipy.optimize import brentq
from scipy.stats import norm

import ppaint_stats as ps
from ppaint_stats.joint.coordinates import find_coordinates, find_log_growth
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.encoding import encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.kernels.joint.data import NAMES
from ppaint_stats.kernels.joint.density import joint_logp


def find(study):
    encoding = encode_study(study)
    layout = lay_out(encoding, ps.Priors(), discrepancy=False)
    data = prepare_data(encoding, layout, ps.Priors())
    return find_coordinates(data, layout), layout, data


def thin(study, rows):
    return ps.Study(ratings=study.ratings, preferences=study.preferences[rows], scale=study.scale)


@pytest.fixture(scope="module", params=[True, False], ids=["habits", "spread"])
def plain(request):
    """Every rater compares each item about twice: no tastes. Habits have coordinates of their own where centred."""
    study = simulate(n_items=8, n_pairs=16, dimensions=("a", "b", "c"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ppaint_stats.joint.parameters.CENTRED_PLAIN", 0 if request.param else 1e6)
        return find(thin(study, np.arange(study.n_preferences) % 2 == 0))


def factor_of(packed):
    row, column = np.tril_indices(3)
    factor = np.zeros((3, 3))
    factor[row, column] = np.where(row == column, np.exp(packed), packed)
    return factor


def test_they_are_changed_where_nobody_has_a_taste(plain):
    coordinates, layout, data = plain
    assert len(data.unit_category) == 0
    assert coordinates.changed
    assert len(coordinates.slope) == 3
    assert len(coordinates.diagonal) + len(coordinates.lower) == layout.parameters["item_cov"].size
    for name in ("sharpness", "discrimination"):
        habit = getattr(coordinates, name)
        assert len(habit.places) == (layout.parameters[name].size if layout.parameters[name].centred else 0)
        np.testing.assert_allclose(habit.share.sum(axis=1), 1, rtol=1e-12)
    study = simulate()
    for other in (study, study.drop_protocol("preferences"), study.drop_protocol("ratings")):
        assert not find(other)[0].changed


def test_each_sampled_habit_is_what_that_raters_judgments_tell(plain):
    """Sharpness times the items' spread, and discrimination times slope times spread, a mean over dimensions."""
    coordinates, layout, data = plain
    sampled = np.random.default_rng(1).normal(size=(2, layout.starts[-1]))
    model = layout.unpack(coordinates.to_model(sampled))
    own = layout.unpack(sampled)
    for which in range(2):
        factor, h = factor_of(model["item_cov"][which]), np.exp(model["log_slope"][which])
        spread = np.log(np.linalg.norm(factor, axis=1))
        if not len(coordinates.sharpness.places):
            rated = h[:, None] * factor
            np.testing.assert_allclose(rated, factor_of(own["item_cov"][which]), rtol=1e-12)
            np.testing.assert_allclose(model["log_slope"], own["log_slope"], rtol=1e-12)
            continue
        for name, basis, habit, reach in (
            ("sharpness", data.sharpness_basis, coordinates.sharpness, spread),
            ("discrimination", data.discrimination_basis, coordinates.discrimination, spread + np.log(h)),
        ):
            values = basis @ model[name][which]
            np.testing.assert_allclose(own[name][which], values - values.mean() + habit.share @ reach, rtol=1e-10)


def test_ties_are_sampled_apart_from_sharpness(plain):
    coordinates, layout, data = plain
    assert len(coordinates.ties.places) == len(coordinates.sharpness.places)
    sampled = np.random.default_rng(3).normal(size=layout.starts[-1])
    model, own = layout.unpack(coordinates.to_model(sampled)), layout.unpack(sampled)
    if not len(coordinates.ties.places):
        np.testing.assert_array_equal(model["tie_rater"], own["tie_rater"])
        return
    rater = np.repeat(data.run_rater, np.diff(data.pair_run))
    share = [((data.pair_outcome[rater == r] == 1).sum() + 0.5) / ((rater == r).sum() + 1) for r in np.unique(rater)]
    grown = norm.ppf((1 + np.array(share)) / 2) / np.sqrt(2) * np.exp(own["sharpness"])
    np.testing.assert_allclose(model["tie_rater"], own["tie_rater"] + np.sqrt(1 + grown**2) - 1, rtol=1e-10)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_ever_sharper_raters_keep_their_share_of_ties(share):
    """How log nu must grow with sharpness, by Davidson's probability of a tie over normal differences of items."""
    z = np.linspace(-8, 8, 2001)
    weight = norm.pdf(z) / norm.pdf(z).sum()

    def solve(spread):
        def excess(log_nu):
            # P(TIE) = 1 / (1 + 2 cosh(x / 2) / nu), x having a standard deviation of sqrt(2) times the spread
            half = z * spread / np.sqrt(2)
            return weight @ (1 / (1 + np.exp(half - log_nu) + np.exp(-half - log_nu))) - share

        return brentq(excess, -30, 300)

    growth = np.exp(find_log_growth(np.array([share]))).item()
    assert 30 * growth == pytest.approx(solve(60.0) - solve(30.0), rel=0.1)


def test_density_has_the_jacobian_and_its_gradient(plain):
    coordinates, layout, data = plain
    x = np.random.default_rng(2).normal(0, 0.5, layout.starts[-1])

    def evaluate(sampled):
        model = coordinates.to_model(sampled)
        return coordinates.pull_back(sampled, model, *joint_logp(model, data))

    value, gradient = evaluate(x)
    habits = [h.places for h in (coordinates.sharpness, coordinates.discrimination, coordinates.ties)]
    places = np.concatenate([coordinates.diagonal, coordinates.lower, coordinates.slope, *habits])
    step = 1e-6
    jacobian = np.zeros((len(places), len(places)))
    for k, place in enumerate(places):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        jacobian[:, k] = (coordinates.to_model(up) - coordinates.to_model(down))[places] / (2 * step)
        assert gradient[place] == pytest.approx((evaluate(up)[0] - evaluate(down)[0]) / (2 * step), rel=1e-5, abs=1e-5)
    plain_value = joint_logp(coordinates.to_model(x), data)[0]
    assert value - plain_value == pytest.approx(np.linalg.slogdet(jacobian)[1], rel=1e-6)


@pytest.mark.parametrize("place", ["item_cov", "log_slope", "sharpness", "discrimination", "tie_rater"])
@pytest.mark.parametrize("far", [30.0, 1e3, 1e160, -1e160, np.inf, np.nan])
def test_points_far_out_are_no_error(plain, place, far):
    """The sampler refuses a point without a finite density; nothing may be raised, or be better than all else."""
    coordinates, layout, data = plain
    x = np.zeros(layout.starts[-1])
    x[layout.starts[NAMES.index(place)]] = far
    model = coordinates.to_model(x)
    value, _ = coordinates.pull_back(x, model, *joint_logp(model, data))
    assert not value > 0


def test_elsewhere_nothing_is_changed():
    coordinates, layout, _ = find(simulate())
    x = np.arange(float(layout.starts[-1]))
    assert coordinates.to_model(x) is x
    assert coordinates.pull_back(x, x, 1.5, x) == (1.5, x)


def test_draws_are_turned_one_by_one(plain):
    coordinates, layout, _ = plain
    draws = np.random.default_rng(4).normal(size=(2, 3, layout.starts[-1]))
    before = draws.copy()
    turned = coordinates.to_model(draws)
    np.testing.assert_array_equal(draws, before)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(turned[place], coordinates.to_model(draws[place]))
    np.testing.assert_array_equal(coordinates.to_model(draws[:, ::2]), turned[:, ::2])
