"""The PyMC model: equal to the compiled density, and able to draw."""

import functools
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats
from scipy.special import betaln

from ppaint_stats import PPaintDesign, Study, simulate_study
from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint import parameters, units
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.encoding import Encoding, encode_study
from ppaint_stats.joint.parameters import Layout, lay_out
from ppaint_stats.kernels.joint.density import joint_logp
from ppaint_stats.model import build_model
from ppaint_stats.model_parts import (
    BLUNT_TAILS,
    HEAVY_TAILS,
    davidson_logp,
    draw_davidson,
    draw_logit_normal,
    draw_ordinal,
    logit_normal_logp,
    ordinal_logp,
)
from ppaint_stats.priors import LogNormal, Normal, Priors

PLAIN = Mode("py", None)
"""No rewrites and no compilation: each graph is evaluated a few times only."""

PRIORS = Priors(item_sd=LogNormal(1.5, 0.6), correlation=2.5, tie_mean=Normal(0.2, 0.7), position_mean=Normal(0.1, 0.4))
"""Not the defaults, of which some are 0 or 1."""


def simulate(seed=1, **changes):
    small = {"n_categories": 1, "n_items": 5, "n_raters": 3, "dimensions": ("tone", "line"), "n_pairs": 10}
    return simulate_study(PPaintDesign(**(small | changes)), random_seed=seed).study


def alter(study, *, ratings=lambda frame: frame, preferences=lambda frame: frame):
    """A study with its tables changed; ``None`` in place of a change takes the table away."""
    return Study(
        ratings=None if ratings is None else ratings(study.ratings),
        preferences=None if preferences is None else preferences(study.preferences),
        scale=None if ratings is None else study.scale,
    )


def count(frame):
    return frame.assign(count=1 + np.arange(len(frame)) % 3)


def make_partial(scale=(1, 5, 1)):
    """Two raters do not judge two items, one of them compares little; another only compares, the last only rates."""
    study = simulate(n_categories=2, n_items=6, n_raters=4, n_pairs=15, crossed=True, scale=scale)
    names = study.raters
    items = study.items(study.categories[0])
    p, r = study.preferences, study.ratings
    few = (p["rater"] == names[0]) & (np.random.default_rng(0).random(len(p)) > 0.5)
    skipped = p["rater"].isin(names[:2]) & (p["item_a"].isin(items[:2]) | p["item_b"].isin(items[:2]))
    unrated = r["rater"].isin(names[:2]) & r["item"].isin(items[:2])
    return Study(
        ratings=r[~unrated & (r["rater"] != names[2])],
        preferences=p[~few & ~skipped & (p["rater"] != names[3])],
        scale=study.scale,
    )


def make_repeats_of_some():
    """Repeated ratings by one rater, who compares in one category only; another rater compares nowhere."""
    study = simulate(n_categories=2, crossed=True, n_trials=2, n_pairs=9)
    names, first = study.raters, study.categories[0]
    p, r = study.preferences, study.ratings
    mine, other = p["rater"] == names[0], p["rater"] == names[1]
    return Study(
        ratings=r[(r["rater"] == names[0]) | (r["trial"] == 1)],
        preferences=p[~other & ~(mine & (p["category"] != first))],
        scale=study.scale,
    )


def make_sparse():
    """Each rater judges in one dimension; two compare hardly more pairs than they have items, another fewer items."""
    study = simulate(n_categories=2, n_items=6, n_raters=4, n_pairs=15, crossed=True)
    names = study.raters
    p, r = study.preferences, study.ratings
    own = dict(zip(names, ("tone", "line", "tone", "line"), strict=True))
    p, r = p[p["dimension"] == p["rater"].map(own)], r[r["dimension"] == r["rater"].map(own)]
    items = study.items(study.categories[0])
    some = p["item_a"].isin(items[:4]) & p["item_b"].isin(items[:4])
    rare = p["rater"].isin(names[:2]) & (np.arange(len(p)) % 3 > 0)
    return Study(ratings=r, preferences=p[~rare & ((p["rater"] != names[3]) | some)], scale=study.scale)


STUDIES = {
    "one category": simulate,
    "repeated": lambda: simulate(n_trials=2),
    "crossed": lambda: simulate(n_categories=3, crossed=True),
    "panels apart": lambda: simulate(n_categories=3, n_raters=2),
    "one dimension": lambda: simulate(dimensions=("overall",)),
    "three dimensions": lambda: simulate(dimensions=("a", "b", "c")),
    "one rater": lambda: simulate(n_raters=1),
    "no ties": lambda: alter(simulate(), preferences=lambda p: p.assign(outcome=p["outcome"].replace("TIE", "A"))),
    "anonymous counts": lambda: alter(simulate(), preferences=lambda p: count(p.drop(columns="rater").iloc[::3])),
    "counts": lambda: alter(simulate(), preferences=count),
    "ratings": lambda: alter(simulate(), preferences=None),
    "ratings, repeated": lambda: alter(simulate(n_trials=2), preferences=None),
    "preferences": lambda: alter(simulate(n_items=7, n_pairs=21), ratings=None),
    "continuous": lambda: simulate(scale=(0, 10)),
    "two levels": lambda: simulate(scale=(0, 1, 1)),
    "partial": make_partial,
    "repeats of some": make_repeats_of_some,
    "sparse": make_sparse,
    "discrepancy": lambda: simulate(n_categories=2, crossed=True),
    "discrepancy, continuous": lambda: make_partial(scale=(0, 5)),
}
CENTRED = ("repeated", "panels apart", "one dimension", "discrepancy, continuous")
"""Studies whose habits are sampled as such; elsewhere they are sampled as scaled deviations."""

WITH_GRADIENT = (
    "repeated",
    "panels apart",
    "anonymous counts",
    "partial",
    "repeats of some",
    "sparse",
    "discrepancy, continuous",
)


class Case(NamedTuple):
    study: Study
    encoding: Encoding
    layout: Layout
    model: pm.Model


@functools.cache
def make_case(name):
    with pytest.MonkeyPatch.context() as patch:
        # The package's thresholds suit large studies; here both ways of sampling must occur in small ones.
        patch.setattr(units, "RICH_COMPARISONS", 3.0)
        patch.setattr(units, "TASTE_COMPARISONS", 2.0 if name == "sparse" else 0.5)
        for threshold in vars(parameters).copy():
            if threshold.startswith("CENTRED"):
                patch.setattr(parameters, threshold, 0 if name in CENTRED else 10**9)
        return _make_case(name)


def _make_case(name):
    study = STUDIES[name]()
    encoded = encode_study(study)
    discrepancy = name.startswith("discrepancy")
    layout = lay_out(encoded, PRIORS, discrepancy=discrepancy)
    return Case(study, encoded, layout, build_model(study, PRIORS, protocol_discrepancy=discrepancy))


def find_lkj_constant(eta, n):
    """Logarithm of the constant of an LKJ density (Lewandowski et al. 2009, eq. 16)."""
    m = n - np.arange(1, n)
    b = eta + (m - 1) / 2
    return -(m * ((2 * eta - 2 + m) * np.log(2) + betaln(b, b))).sum()


@pytest.mark.parametrize("name", STUDIES)
def test_density_is_the_compiled_one(name):
    case = make_case(name)
    model, layout = case.model, case.layout
    assert {variable.name for variable in model.free_RVs} == set(layout.parameters)
    values = [model.rvs_to_values[model[parameter]] for parameter in layout.unpack(np.zeros(layout.starts[-1]))]
    total = pt.stack([term.sum() for term in model.logp(sum=False)]).sum()
    outputs = [total, *(pytensor.grad(total, values) if name in WITH_GRADIENT else [])]
    evaluate = pytensor.function(values, outputs, mode=PLAIN)
    data = prepare_data(case.encoding, layout, PRIORS)
    n_factors = sum(parameter in layout.parameters for parameter in ("item_cov", "taste_cov"))
    constant = n_factors * find_lkj_constant(PRIORS.correlation, len(case.encoding.dimensions))
    rng = np.random.default_rng(5)
    for spread in (0.3, 0.6, 1.0):
        x = rng.normal(0, spread, layout.starts[-1])
        expected, gradient = joint_logp(x, data)
        value, *parts = evaluate(*layout.unpack(x).values())
        assert value == pytest.approx(expected + constant, rel=1e-11)
        if parts:
            found = np.concatenate([np.ravel(part) for part in parts])
            np.testing.assert_allclose(found, gradient, rtol=1e-8, atol=1e-10 * np.abs(gradient).max())


def test_studies_reach_all_branches():
    cases = [make_case(name) for name in STUDIES]
    units = [unit for case in cases for unit in case.encoding.units]
    assert {(unit.full, unit.rich) for unit in units} == {(f, r) for f in (True, False) for r in (True, False)}
    assert {unit.preference_rater >= 0 for unit in units} == {True, False}
    found = {}
    for case in cases:
        for parameter in case.layout.parameters.values():
            found.setdefault(parameter.name, set()).add(parameter.centred)
    both = {"taste_spread", "sharpness", "position", "tie_rater", "discrimination", "severity_rater", "severity"}
    assert all(found[name] == {True, False} for name in both)
    assert len(found) == 33


@pytest.mark.parametrize("name", STUDIES)
def test_everything_has_dims_and_nothing_is_a_potential(name):
    case = make_case(name)
    model = case.model
    assert model.potentials == []
    for variable in (*model.free_RVs, *model.deterministics, *model.observed_RVs):
        dims = model.named_vars_to_dims.get(variable.name, ())
        assert len(dims) == variable.ndim, variable.name
        assert all(len(model.coords[dim]) == n for dim, n in zip(dims, variable.type.shape, strict=True) if n)
        if variable.name in case.layout.parameters:
            assert dims == case.layout.parameters[variable.name].dims
    assert model.coords["dimension"] == case.study.dimensions
    if case.study.ratings is not None:
        assert len(model.coords["answer"]) == case.study.n_ratings
    if case.study.preferences is not None:
        assert len(model.coords["comparison"]) == case.study.n_preferences


def test_judgments_stand_in_the_order_of_the_tables():
    study = simulate()
    model = make_case("counts").model
    outcome = study.preferences["outcome"].map({"A": 0, "TIE": 1, "B": 2}).to_numpy()
    expected = np.repeat(outcome, 1 + np.arange(len(outcome)) % 3)
    np.testing.assert_array_equal(model.rvs_to_values[model["preference"]].data, expected)
    np.testing.assert_array_equal(model.rvs_to_values[model["rating"]].data, study.ratings["rating"] - 1)


def test_a_discrepancy_needs_both_protocols():
    with pytest.raises(ArgumentError, match="both ratings and preferences"):
        build_model(make_case("ratings").study, protocol_discrepancy=True)


def test_prior_predictive_draws():
    case = make_case("partial")
    draws = pm.sample_prior_predictive(60, model=case.model, random_seed=3, compile_kwargs={"mode": PLAIN})
    rating, preference = (draws["prior_predictive"][name].to_numpy() for name in ("rating", "preference"))
    assert rating.dtype == preference.dtype == np.int64
    assert set(np.unique(rating)) == {0, 1, 2, 3, 4}
    assert set(np.unique(preference)) == {0, 1, 2}
    assert 0.05 < (preference == 1).mean() < 0.4
    assert abs((preference == 0).mean() - (preference == 2).mean()) < 0.15
    theta = draws["prior"]["item_utility"].to_numpy()[0]
    start = case.encoding.item_start
    np.testing.assert_allclose(theta[:, start[0] : start[1]].sum(axis=1), 0, atol=1e-10)
    assert (np.diff(draws["prior"]["threshold"], axis=-1) > 0).all()


def test_predictive_draws_of_equals():
    case = make_case("one category")
    zeros = case.layout.unpack(np.zeros((1, 40, case.layout.starts[-1])))
    zeros["item_cov"][..., [0, 2]] = zeros["taste_cov"][..., [0, 2]] = 1.0
    zeros["tie_mean"][:] = -0.3
    zeros["lapse"][:] = -30.0
    dims = {name: parameter.dims for name, parameter in case.layout.parameters.items()}
    names = {dim for name in zeros for dim in dims[name]}
    posterior = xr.Dataset(
        {name: (("chain", "draw", *dims[name]), zeros[name]) for name in zeros},
        coords={dim: list(case.model.coords[dim]) for dim in names},
    )
    draws = pm.sample_posterior_predictive(
        posterior, model=case.model, random_seed=4, progressbar=False, compile_kwargs={"mode": PLAIN}
    )
    preference = draws["posterior_predictive"]["preference"].to_numpy()
    nu = np.exp(-0.3)
    assert (preference == 1).mean() == pytest.approx(nu / (2 + nu), abs=4 * np.sqrt(0.2 / preference.size))
    rating = draws["posterior_predictive"]["rating"].to_numpy()
    share = np.diff(stats.logistic.cdf([-np.inf, -1.5, -0.5, 0.5, 1.5, np.inf]))  # every gap is exp(0)
    np.testing.assert_allclose(np.bincount(rating.ravel()) / rating.size, share, atol=4 * np.sqrt(0.2 / rating.size))


def test_continuous_ratings_are_drawn_as_logits():
    model = make_case("continuous").model
    logits = pm.draw(model["rating"], draws=5, random_seed=1, mode=PLAIN)
    assert logits.shape == (5, 30)
    assert np.isfinite(logits).all()


def test_draws_follow_their_densities():
    rng = np.random.default_rng(8)
    n = 40_000
    for arguments in ((0.0, -0.3, -30.0), (1.7, 0.4, -1.0), (-60.0, 2.0, 0.5)):
        share = np.bincount(draw_davidson(*map(np.array, arguments), rng, (n,)), minlength=3) / n
        constants = [pt.constant(x) for x in arguments]
        p = np.exp([davidson_logp(pt.constant(k), *constants).eval(mode=PLAIN) for k in range(3)])
        assert p.sum() == pytest.approx(1)
        np.testing.assert_allclose(share, p, atol=0.01)
    kappa = np.array([-1.0, 0.2, 2.5])
    for eta, lapse in ((-0.5, -30.0), (3.0, -0.5)):
        share = np.bincount(draw_ordinal(np.array(eta), kappa, np.array(lapse), rng, (n,)), minlength=4) / n
        constants = [pt.constant(x) for x in (eta, kappa, lapse)]
        p = np.exp([ordinal_logp(pt.constant(k), *constants).eval(mode=PLAIN) for k in range(4)])
        assert p.sum() == pytest.approx(1)
        np.testing.assert_allclose(share, p, atol=0.01)
    for lapse in (-30.0, 0.0):
        logits = draw_logit_normal(np.array(0.5), np.array(0.7), np.array(lapse), rng, (n,))
        centre = (np.linspace(-3, 3, 25)[:-1] + np.linspace(-3, 3, 25)[1:]) / 2
        constants = [pt.constant(x) for x in (0.5, 0.7, lapse)]
        p = np.exp(logit_normal_logp(pt.constant(centre), *constants).eval(mode=PLAIN))
        np.testing.assert_allclose(np.histogram(logits, np.linspace(-3, 3, 25))[0] / n / 0.25, p, atol=0.03)
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    blunt = stats.gumbel_l(loc=np.euler_gamma * np.sqrt(6) / np.pi, scale=np.sqrt(6) / np.pi)
    for tails, law in ((HEAVY_TAILS, stats.t(4)), (BLUNT_TAILS, blunt)):
        own = tails.draw(basis, np.array(0.5), rng, (5000,))
        assert stats.kstest((own @ basis.T).ravel() / 0.5, law.cdf).pvalue > 0.001
    assert (blunt.mean(), blunt.std()) == pytest.approx((0, 1), abs=1e-12)
