"""What a Bayesian fusion's score means: integrals over new raters, means over a panel, and the bases underneath."""

import numpy as np
import pytest
from scipy import integrate, special

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.bases import helmert_basis, mean_basis, panel_basis, spectral_basis
from ppaint_stats.joint.draws import Draws, derive_draws, expand_items, expand_utilities
from ppaint_stats.joint.encoding import SQUEEZE, encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.joint.scores import check_panel, score_draws
from ppaint_stats.kernels.davidson import count_pairs
from ppaint_stats.kernels.expected import smooth_logistic
from ppaint_stats.priors import Priors

SMALL = {"n_categories": 2, "n_items": 5, "n_raters": 4, "dimensions": ("tone", "line"), "n_pairs": 9}
N_DRAWS = 3
N_NEW = 200_000
"""New raters of the brute force: the standard error of a share is below 1e-3."""


def encode(*, unseen=False, **changes):
    """A small study; with ``unseen``, the first rater judges all items of the first category but the first."""
    study = ps.simulate_study(ps.PPaintDesign(**(SMALL | changes)), random_seed=4).study
    if unseen:
        rater, item = study.raters[0], study.items()[0]
        p, r = study.preferences, study.ratings
        touched = (p["item_a"] == item) | (p["item_b"] == item)
        study = ps.Study(
            ratings=r[(r["rater"] != rater) | (r["item"] != item)],
            preferences=p[(p["rater"] != rater) | ~touched],
            scale=study.scale,
        )
    return encode_study(study)


def invent_draws(e, *, seed=0, discrimination_sd=0.25):
    """Draws of what scores are computed from, not by a sampler."""
    rng = np.random.default_rng(seed)
    n, n_items, n_dims = N_DRAWS, len(e.items), len(e.dimensions)
    n_raters, n_panels = len(e.rating_raters), int(e.rating_panel.max()) + 1
    values = {
        "consensus": 3 * rng.standard_normal((n, n_items, n_dims)),
        "slope": rng.uniform(0.5, 1.5, (n, n_dims)),
        "taste_sd": rng.uniform(0.5, 2.0, (n, n_dims)),
        "taste_spread": rng.uniform(0.7, 1.4, (n, len(e.taste_raters))),
        "taste_spread_sd": rng.uniform(0.1, 0.3, n),
        "discrimination": rng.uniform(0.7, 1.4, (n, n_raters)),
        "discrimination_sd": np.full(n, discrimination_sd),
        "severity": rng.standard_normal((n, n_raters, n_dims)),
        "severity_sd": rng.uniform(0.5, 1.0, n),
        "severity_dimension_sd": rng.uniform(0.2, 0.5, n),
        "category_level": rng.standard_normal((n, len(e.categories), n_dims)),
    }
    if e.levels:
        values["threshold"] = np.sort(4 * rng.standard_normal((n, n_dims, e.levels - 1)), axis=2)
    else:
        values["threshold"] = rng.standard_normal((n, n_dims, 1))
        values["noise_mean"], values["noise_sd"] = rng.uniform(0.5, 1.0, n), rng.uniform(0.1, 0.3, n)
        values["noise"] = rng.uniform(0.5, 1.0, (n, n_raters))
    return Draws(
        values,
        level_shift=0.5 * rng.standard_normal((n, n_panels, n_dims)),
        mean_discrimination=0.2 * rng.standard_normal(n),
        mean_taste_spread=0.2 * rng.standard_normal(n),
    )


def on_scale(shares, e):
    if not e.levels:
        shares = np.clip((shares - SQUEEZE) / (1 - 2 * SQUEEZE), 0, 1)
    return e.scale.low + e.scale.span * shares


def ask_new_raters(draws, e):
    """Mean rating by many new raters, each with habits and tastes of their own."""
    v = draws.values
    rng = np.random.default_rng(1)
    shares = np.zeros(v["consensus"].shape)
    panel_of = {c: e.rating_panel[e.ratings.rater[e.ratings.category == c][0]] for c in range(len(e.categories))}
    for s in range(N_DRAWS):
        a = np.exp(v["discrimination_sd"][s] * rng.standard_t(4, N_NEW) - draws.mean_discrimination[s])
        spread = np.exp(v["taste_spread_sd"][s] * rng.standard_normal(N_NEW) - draws.mean_taste_spread[s])
        severity = v["severity_sd"][s] * rng.standard_normal(N_NEW)
        for d in range(len(e.dimensions)):
            inner = severity + v["severity_dimension_sd"][s] * rng.standard_normal(N_NEW)
            slip = np.zeros(N_NEW)
            if not e.levels:
                own = v["noise_mean"][s] * np.exp(v["noise_sd"][s] * rng.standard_normal(N_NEW))
                slip = own * rng.standard_normal(N_NEW)
            for i, c in enumerate(e.item_category):
                utility = v["consensus"][s, i, d] + v["taste_sd"][s, d] * spread * rng.standard_normal(N_NEW)
                level = v["category_level"][s, c, d] + draws.level_shift[s, panel_of[c], d]
                eta = level + v["slope"][s, d] * a * utility - inner + slip
                shares[s, i, d] = np.mean([special.expit(eta - kappa).mean() for kappa in v["threshold"][s, d]])
    return on_scale(shares, e)


@pytest.mark.parametrize(
    ("changes", "bound"),
    [({}, 3e-3), ({"crossed": True, "scale": (0, 100, None)}, 3e-3), ({"scale": (0, 1, 1)}, 3e-3)],
    ids=["levels", "continuous", "two"],
)
def test_population_is_the_mean_of_new_raters(changes, bound):
    """Five nodes stand for the heavy tail of discrimination; few thresholds average out less of what they miss."""
    e = encode(**changes)
    draws = invent_draws(e)
    found = score_draws(draws, e, target="population", utilities=None)
    np.testing.assert_allclose(found, ask_new_raters(draws, e), atol=bound * e.scale.span)
    np.testing.assert_array_equal(found, score_draws(draws, e, target="population", utilities=None, cores=2))


def test_population_without_the_heavy_tail():
    """With nearly equal discriminations nothing is left to the nodes but the spread of taste."""
    e = encode(scale=(0, 1, 1))
    draws = invent_draws(e, discrimination_sd=0.02)
    found = score_draws(draws, e, target="population", utilities=None)
    np.testing.assert_allclose(found, ask_new_raters(draws, e), atol=3e-3 * e.scale.span)


def test_relative_is_the_population_less_its_mean_by_category():
    e = encode()
    draws = invent_draws(e)
    population = score_draws(draws, e, target="population", utilities=None)
    relative = score_draws(draws, e, target="relative", utilities=None)
    for c in range(len(e.categories)):
        inside = e.item_category == c
        mean = population[:, inside].mean(axis=1, keepdims=True)
        np.testing.assert_allclose(relative[:, inside], population[:, inside] - mean, atol=1e-12)


def test_ratings_follow_the_discrepant_consensus():
    e = encode()
    draws = invent_draws(e)
    other = np.random.default_rng(3).standard_normal(draws.values["consensus"].shape)
    apart = Draws(
        draws.values | {"consensus_rating": other},
        draws.level_shift,
        draws.mean_discrimination,
        draws.mean_taste_spread,
    )
    moved = Draws(
        draws.values | {"consensus": other}, draws.level_shift, draws.mean_discrimination, draws.mean_taste_spread
    )
    np.testing.assert_array_equal(
        score_draws(apart, e, target="population", utilities=None),
        score_draws(moved, e, target="population", utilities=None),
    )


def average_logistic(centre, variance):
    """The logistic function averaged over a normal, by quadrature."""
    if variance == 0:
        return special.expit(centre)
    sd = np.sqrt(variance)
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    return special.expit(centre + sd * nodes) @ weights / weights.sum()


@pytest.mark.parametrize(
    "changes",
    [{}, {"crossed": True}, {"scale": (0, 100, None)}, {"unseen": True}],
    ids=["levels", "crossed", "continuous", "unseen"],
)
def test_panel_is_the_mean_of_its_raters(changes):
    e = encode(**changes)
    draws = invent_draws(e)
    v = draws.values
    rng = np.random.default_rng(5)
    utilities = 2 * rng.standard_normal((N_DRAWS, sum(len(unit.items) for unit in e.units), len(e.dimensions)))
    place = {}
    for unit in e.units:
        for item in unit.items.tolist():
            place[e.taste_raters[unit.taste_rater], item] = len(place)
    shares = np.zeros(v["consensus"].shape)
    for s, i, d in np.ndindex(shares.shape):
        c = e.item_category[i]
        answers = []
        for r in np.unique(e.ratings.rater[e.ratings.category == c]):
            name = e.rating_raters[r]
            slope = v["slope"][s, d] * v["discrimination"][s, r]
            known = (name, i) in place
            utility = utilities[s, place[name, i], d] if known else v["consensus"][s, i, d]
            spread = v["taste_spread"][s, e.taste_raters.index(name)] * v["taste_sd"][s, d]
            variance = (0 if known else (slope * spread) ** 2) + (0 if e.levels else v["noise"][s, r] ** 2)
            centre = v["category_level"][s, c, d] + slope * utility - v["severity"][s, r, d]
            answers.append(np.mean([average_logistic(centre - kappa, variance) for kappa in v["threshold"][s, d]]))
        shares[s, i, d] = np.mean(answers)
    found = score_draws(draws, e, target="panel", utilities=utilities)
    np.testing.assert_allclose(found, on_scale(shares, e), atol=2e-5 * e.scale.span)
    if changes.get("unseen"):
        assert len(place) == sum(len(unit.items) for unit in e.units) < len(e.item_category) * SMALL["n_raters"]


def test_a_panel_needs_tastes():
    e = encode()
    with pytest.raises(ArgumentError, match="utilities"):
        score_draws(invent_draws(e), e, target="panel", utilities=None)
    check_panel(e)
    simulated = ps.simulate_study(ps.PPaintDesign(**SMALL), random_seed=4).study
    with pytest.raises(ArgumentError, match=r"neither compare each item.*rater-01"):
        check_panel(encode_study(simulated.drop_protocol("preferences")))
    with pytest.raises(ArgumentError, match="needs ratings"):
        check_panel(encode_study(simulated.drop_protocol("ratings")))


@pytest.mark.parametrize("variance", [0.0, 0.01, 1.0, 9.0, 100.0])
def test_smooth_logistic(variance):
    for x in np.linspace(-12, 12, 13):
        sd = np.sqrt(variance)

        def integrand(z, x=x, sd=sd):
            return special.expit(x + sd * z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

        exact = special.expit(x) if variance == 0 else integrate.quad(integrand, -12, 12, limit=400, epsabs=1e-10)[0]
        assert smooth_logistic(x, variance) == pytest.approx(exact, abs=1e-5)


# Bases.


def assert_basis(basis, n):
    """Orthonormal columns that span the vectors of length n which sum to zero."""
    assert basis.shape == (n, n - 1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(n - 1), atol=1e-10)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_helmert_and_mean_bases(n):
    assert_basis(helmert_basis(n), n)
    mean = mean_basis(n)
    np.testing.assert_allclose(mean.T @ mean, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(mean[:, -1], 1 / np.sqrt(n))
    np.testing.assert_allclose(mean[:, :-1].sum(axis=0), 0, atol=1e-12)


def test_bases_of_nothing():
    assert helmert_basis(0).shape == (0, 0)
    assert mean_basis(0).shape == (0, 0)


def pairs_of(a, b, outcome, n):
    arrays = [np.array(part, dtype=np.int64) for part in (a, b, outcome)]
    return count_pairs(*arrays, np.ones(len(a)), n, keep_order=False)


def test_spectral_basis():
    rng = np.random.default_rng(6)
    a = rng.integers(0, 12, 300)
    b = (a + rng.integers(1, 12, 300)) % 12
    assert_basis(spectral_basis(pairs_of(a, b, rng.integers(0, 3, 300), 12)), 12)
    # one item that always wins, two components, no comparison at all
    assert_basis(spectral_basis(pairs_of([0, 0, 0, 3], [1, 2, 1, 4], [0, 0, 0, 1], 5)), 5)
    assert_basis(spectral_basis(pairs_of([], [], [], 4)), 4)


def test_panel_basis():
    panel = np.array([0, 1, 0, 2, 1, 1])
    basis = panel_basis(panel)
    assert basis.shape == (6, 3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    for k in range(3):
        np.testing.assert_allclose(basis[panel == k].sum(axis=0), 0, atol=1e-12)


# What is derived from a draw.


@pytest.mark.parametrize(
    "changes",
    [{}, {"crossed": True}, {"n_pairs": 10, "n_trials": 3}, {"scale": (0, 100, None)}, {"unseen": True}],
    ids=["disjoint", "crossed", "rich", "continuous", "unseen"],
)
def test_sums_are_zero_in_every_draw(changes):
    e = encode(**changes)
    layout = lay_out(e, Priors(), discrepancy=True)
    flat = 0.5 * np.random.default_rng(7).standard_normal((6, int(layout.starts[-1])))
    draws = derive_draws(flat, e, layout, seed=np.random.SeedSequence(8))
    v = draws.values
    for c in range(len(e.categories)):
        for name in ("consensus", "consensus_rating"):
            np.testing.assert_allclose(v[name][:, e.item_category == c].sum(axis=1), 0, atol=1e-9)
    for panel in np.unique(e.rating_panel):
        np.testing.assert_allclose(v["severity"][:, e.rating_panel == panel].sum(axis=1), 0, atol=1e-9)
    for name in ("sharpness", "discrimination", "taste_spread"):
        assert np.log(v[name]).std() > 0.01
        np.testing.assert_allclose(np.log(v[name]).sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(v["category_level"].sum(axis=1), 0, atol=1e-9)
    assert ((v["protocol_correlation"] > -1) & (v["protocol_correlation"] < 1)).all()
    if e.levels:
        assert (np.diff(v["threshold"], axis=2) > 0).all()
    for name in ("item_correlation", "taste_correlation"):
        np.testing.assert_allclose(np.einsum("sii->si", v[name]), 1)
    # A rater's own tastes sum to zero over the items that the rater judged.
    utilities = expand_utilities(flat, draws, e, layout, seed=np.random.SeedSequence(9))
    assert utilities.shape == (6, sum(len(unit.items) for unit in e.units), len(e.dimensions))
    row = 0
    for unit in e.units:
        own = utilities[:, row : row + len(unit.items)]
        row += len(unit.items)
        taste = own - v["consensus"][:, unit.items]
        counted = unit.judged | unit.rich
        np.testing.assert_allclose((taste * counted).sum(axis=1), 0, atol=1e-8)
    again = derive_draws(flat, e, layout, seed=np.random.SeedSequence(8))
    np.testing.assert_array_equal(draws.level_shift, again.level_shift)
    np.testing.assert_array_equal(draws.mean_taste_spread, again.mean_taste_spread)


def test_what_the_panel_hides_has_the_spread_that_theory_says():
    """The mean severity of R raters, and the mean log spread of their tastes, are normal with sd over root R."""
    e = encode(n_categories=1)
    layout = lay_out(e, Priors(), discrepancy=False)
    flat = np.zeros((20_000, int(layout.starts[-1])))
    draws = derive_draws(flat, e, layout, seed=np.random.SeedSequence(9))
    # all log spreads are 0: severity 1 over raters and 1 over dimensions within a rater
    assert draws.level_shift.std(axis=0).ravel() == pytest.approx([np.sqrt(2 / 4)] * 2, rel=0.03)
    assert np.corrcoef(draws.level_shift[:, 0].T)[0, 1] == pytest.approx(0.5, abs=0.03)
    assert draws.mean_taste_spread.std() == pytest.approx(1 / np.sqrt(4), rel=0.03)


def test_expand_items():
    e = encode()
    n = len(e.items) - len(e.categories)
    contrasts = np.random.default_rng(10).standard_normal((2, n, 2))
    found = expand_items(contrasts, e)
    assert found.shape == (2, len(e.items), 2)
    np.testing.assert_allclose((found**2).sum(axis=1), (contrasts**2).sum(axis=1))
