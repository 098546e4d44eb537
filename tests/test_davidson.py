"""fit_davidson: published numbers, a slow independent reference, laws, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import ppaint_stats as ps
from ppaint_stats.errors import (
    ArgumentError,
    ConvergenceWarning,
    DataError,
    DisconnectedWarning,
    SeparationWarning,
)
from ppaint_stats.kernels.davidson import PairCounts, outcome_probabilities, pair_terms
from ppaint_stats.kernels.graphs import fits_order_alone

COLUMNS = ["item_a", "item_b", "outcome", "count"]


def make_games(rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def simulate_games(strengths, log_nu, delta, pairs, rng):
    """Rows of single games: each pair (i, j) in ``pairs`` is played once, i shown first."""
    i, j = np.asarray(pairs).T
    d = strengths[i] - strengths[j] + delta
    p = np.column_stack([np.exp(d / 2), np.full(len(d), np.exp(log_nu)), np.exp(-d / 2)])
    cumulated = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)
    outcome = (rng.random((len(d), 1)) > cumulated[:, :2]).sum(axis=1)
    names = np.array([f"i{k:05d}" for k in range(len(strengths))])
    return pd.DataFrame({"item_a": names[i], "item_b": names[j], "outcome": np.array(["A", "TIE", "B"])[outcome]})


def fit_slowly(games, *, order_effect):
    """Maximise the likelihood as the model is written, row by row, with a numerical Hessian."""
    items = sorted(set(games["item_a"]) | set(games["item_b"]))
    n = len(items)
    a, b = (np.array([items.index(x) for x in games[c]]) for c in ("item_a", "item_b"))
    count = games["count"].to_numpy(float) if "count" in games else np.ones(len(games))

    def negative(x):
        strengths = np.r_[x[: n - 1], -x[: n - 1].sum()]  # sums to zero
        worth = np.exp(strengths)
        first = np.exp(x[n]) if order_effect else 1.0
        win, loss = worth[a] * first, worth[b]
        tie = np.exp(x[n - 1]) * np.sqrt(win * loss)
        chosen = np.select([games["outcome"] == "A", games["outcome"] == "TIE"], [win, tie], loss)
        return -(count * np.log(chosen / (win + tie + loss))).sum()

    found = minimize(negative, np.zeros(n + order_effect), method="BFGS", options={"gtol": 1e-7, "maxiter": 2000})
    size, step = len(found.x), 1e-3
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            e, f = np.eye(size)[i] * step, np.eye(size)[j] * step
            hessian[i, j] = (
                negative(found.x + e + f)
                - negative(found.x + e - f)
                - negative(found.x - e + f)
                + negative(found.x - e - f)
            ) / (4 * step**2)
    covariance = np.linalg.inv(hessian)
    full = np.vstack([np.eye(n - 1, size), np.r_[-np.ones(n - 1), np.zeros(size - n + 1)]])
    strengths = full @ found.x
    se = np.sqrt(np.diag(full @ covariance @ full.T))
    rest = np.sqrt(np.diag(covariance))[n - 1 :]
    return pd.Series(strengths, items), pd.Series(se, items), found.x[n - 1 :], rest, -found.fun


def fit_bradley_terry(games, iterations=5000):
    """Minorise-maximise (Hunter 2004) for decided games."""
    items = sorted(set(games["item_a"]) | set(games["item_b"]))
    n = len(items)
    wins, met = np.zeros(n), np.zeros((n, n))
    for row in games.itertuples():
        a, b = items.index(row.item_a), items.index(row.item_b)
        wins[a if row.outcome == "A" else b] += row.count
        met[a, b] += row.count
        met[b, a] += row.count
    worth = np.ones(n)
    for _ in range(iterations):
        worth = wins / (met / (worth[:, None] + worth[None, :])).sum(axis=1)
        worth /= np.exp(np.log(worth).mean())
    return pd.Series(np.log(worth), items)


@st.composite
def tables(draw, *, ties=True):
    """A connected table without separation: a cycle of items, every pair with every outcome, more on top."""
    n = draw(st.integers(3, 6))
    outcomes = ["A", "TIE", "B"] if ties else ["A", "B"]
    ring = [(i, (i + 1) % n) for i in range(n)]
    extra = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=6))
    rows = [
        (f"i{a}", f"i{b}", outcome, draw(st.integers(1, 6)))
        for a, b in ring + [(a, b) for a, b in extra if a != b]
        for outcome in outcomes
    ]
    return make_games(rows)


# Published numbers.


def test_cems_universities(data_dir):
    wide = pd.read_csv(data_dir / "cems_counts.csv")
    games = wide.melt(["item_a", "item_b"], var_name="column", value_name="count")
    games["outcome"] = games["column"].map({"win_a": "A", "tie": "TIE", "win_b": "B"})
    fit = ps.fit_davidson(games, reference="Stockholm")
    published = {
        "London": (1.822801976674, 0.0831448892),
        "Paris": (1.032533859743, 0.0775710538),
        "Milano": (0.441972156876, 0.0760189285),
        "StGallen": (0.598322088107, 0.0751484923),
        "Barcelona": (0.612932464151, 0.0751676342),
        "Stockholm": (0.0, 0.0),
    }
    for item, (strength, se) in published.items():
        assert fit.strengths[item] == pytest.approx(strength, abs=1e-6)
        assert fit.se[item] == pytest.approx(se, abs=1e-5)
    assert fit.log_nu == pytest.approx(-1.317179726988, abs=1e-6)
    assert fit.log_nu_se == pytest.approx(0.0485082767, abs=1e-5)
    assert fit.loglik == pytest.approx(-3964.37811954, abs=1e-6)
    assert fit.converged
    assert fit.se_exact


# An independent slow reference.


@pytest.mark.parametrize("order_effect", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_a_general_optimiser(order_effect, seed):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(6, size=(160, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    games = simulate_games(rng.normal(0, 0.8, 6), -0.7, 0.4 * order_effect, pairs, rng)
    games["count"] = rng.integers(1, 4, len(games))
    strengths, se, rest, rest_se, loglik = fit_slowly(games, order_effect=order_effect)
    fit = ps.fit_davidson(games, order_effect=order_effect)
    np.testing.assert_allclose(fit.strengths, strengths[fit.strengths.index], atol=2e-6)
    np.testing.assert_allclose(fit.se, se[fit.se.index], rtol=2e-5)
    assert fit.loglik == pytest.approx(loglik, abs=1e-7)
    assert (fit.log_nu, fit.log_nu_se) == pytest.approx((rest[0], rest_se[0]), rel=2e-5)
    if order_effect:
        assert (fit.order_effect, fit.order_effect_se) == pytest.approx((rest[1], rest_se[1]), rel=2e-5)
    else:
        assert fit.order_effect == 0
        assert np.isnan(fit.order_effect_se)


def test_penalised_optimum_agrees_with_a_general_optimiser():
    rng = np.random.default_rng(3)
    games = make_games([("x", "y", "A", 3), ("y", "z", "A", 2), ("x", "z", "TIE", 1), ("u", "v", "A", 4)])
    fit = ps.fit_davidson(games, penalty=0.3)
    items = list(fit.strengths.index)
    a, b = (games[c].map(items.index).to_numpy() for c in ("item_a", "item_b"))

    def negative(x):
        d = x[a] - x[b]
        z = np.log(np.exp(d / 2) + np.exp(x[-1]) + np.exp(-d / 2))
        chosen = np.where(games["outcome"] == "A", d / 2, x[-1])
        return -(games["count"] * (chosen - z)).sum() + 0.15 * (x[:-1] ** 2).sum()

    found = minimize(negative, rng.normal(size=6), options={"gtol": 1e-8})
    np.testing.assert_allclose(fit.strengths, found.x[:-1], atol=1e-5)
    assert fit.log_nu == pytest.approx(found.x[-1], abs=1e-5)
    assert np.isfinite(fit.se).all()


# Laws.


@given(tables())
@settings(max_examples=25)
def test_swapping_the_sides_mirrors(games):
    swapped = games.rename(columns={"item_a": "item_b", "item_b": "item_a"})
    swapped["outcome"] = swapped["outcome"].map({"A": "B", "B": "A", "TIE": "TIE"})
    for order_effect in (False, True):
        one = ps.fit_davidson(games, order_effect=order_effect)
        two = ps.fit_davidson(swapped, order_effect=order_effect)
        np.testing.assert_allclose(one.strengths, two.strengths, atol=1e-7)
        np.testing.assert_allclose(one.se, two.se, rtol=1e-5)
        assert one.log_nu == pytest.approx(two.log_nu, abs=1e-7)
        assert one.order_effect == pytest.approx(-two.order_effect, abs=1e-7)  # the advantage moves to the other side
        assert one.loglik == pytest.approx(two.loglik, abs=1e-8)


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_relabelling_permutes(games, random):
    items = sorted(set(games["item_a"]) | set(games["item_b"]))
    new = dict(zip(items, random.sample([f"x{k}" for k in range(len(items))], len(items)), strict=True))
    one = ps.fit_davidson(games)
    two = ps.fit_davidson(games.assign(item_a=games["item_a"].map(new), item_b=games["item_b"].map(new)))
    for x, y in ((one.strengths, two.strengths), (one.se, two.se)):
        np.testing.assert_allclose(x, y[[new[i] for i in x.index]], atol=1e-7)
    assert one.log_nu == pytest.approx(two.log_nu, abs=1e-7)


@given(tables())
@settings(max_examples=20)
def test_counts_equal_repeated_rows(games):
    rows = games.loc[games.index.repeat(games["count"])].drop(columns="count")
    for order_effect in (False, True):
        one = ps.fit_davidson(games, order_effect=order_effect)
        two = ps.fit_davidson(rows.sample(frac=1, random_state=1), order_effect=order_effect)
        np.testing.assert_allclose(one.strengths, two.strengths, atol=1e-9)
        np.testing.assert_allclose(one.se, two.se, rtol=1e-7)
        assert one.loglik == pytest.approx(two.loglik, abs=1e-8)


@given(tables(ties=False))
@settings(max_examples=15)
def test_without_ties_it_is_bradley_terry(games):
    fit = ps.fit_davidson(games)
    assert fit.log_nu == -np.inf
    assert np.isnan(fit.log_nu_se)
    reference = fit_bradley_terry(games)
    np.testing.assert_allclose(fit.strengths, reference[fit.strengths.index], atol=1e-6)


@given(tables(), st.data())
@settings(max_examples=25)
def test_one_more_win_never_lowers_the_winner(games, data):
    items = sorted(set(games["item_a"]) | set(games["item_b"]))
    a, b = data.draw(st.permutations(items))[:2]
    more = pd.concat([games, make_games([(a, b, "A", 1)])], ignore_index=True)
    before, after = ps.fit_davidson(games).strengths, ps.fit_davidson(more).strengths
    assert after[a] >= before[a] - 1e-8
    assert after[b] <= before[b] + 1e-8


@given(tables(), st.integers(2, 50))
@settings(max_examples=15)
def test_k_times_the_judgments_divide_standard_errors_by_root_k(games, k):
    one, many = ps.fit_davidson(games), ps.fit_davidson(games.assign(count=games["count"] * k))
    np.testing.assert_allclose(one.strengths, many.strengths, atol=1e-6)
    np.testing.assert_allclose(one.se, many.se * np.sqrt(k), rtol=1e-5)
    assert one.log_nu_se == pytest.approx(many.log_nu_se * np.sqrt(k), rel=1e-5)


@given(
    st.lists(st.floats(-40, 40), min_size=1, max_size=5),
    st.floats(-30, 30) | st.just(-np.inf),
)
def test_outcome_probabilities_are_probabilities(d, log_nu):
    d = np.array(d)
    p = np.array(outcome_probabilities(d, log_nu))
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(np.log(p[0]) - np.log(p[2]), d, atol=1e-9)
    mirrored = np.array(outcome_probabilities(-d, log_nu))
    np.testing.assert_allclose(p, mirrored[::-1], rtol=1e-12)


def test_derivatives_are_those_of_the_likelihood():
    rng = np.random.default_rng(5)
    n = 7
    counts = rng.integers(0, 5, (3, n)).astype(float)
    pairs = PairCounts(np.arange(n), np.arange(n) + 1, counts[0], counts[1], counts[2], n + 1)
    d, eta, h = rng.normal(0, 2, n), -0.4, 1e-5
    at = pair_terms(pairs, d, eta, third=True)
    p = np.array(outcome_probabilities(d, eta))
    assert at.loglik == pytest.approx((counts * np.log(p)).sum(), abs=1e-10)
    up, down = pair_terms(pairs, d + h, eta, third=True), pair_terms(pairs, d - h, eta, third=True)
    np.testing.assert_allclose(-(up.score_d - down.score_d) / (2 * h), at.info_dd, atol=1e-8)
    np.testing.assert_allclose(-(up.score_nu - down.score_nu) / (2 * h), at.info_dn, atol=1e-8)
    np.testing.assert_allclose((up.info_dd - down.info_dd) / (2 * h), at.third, atol=1e-8)
    up, down = pair_terms(pairs, d, eta + h, third=True), pair_terms(pairs, d, eta - h, third=True)
    assert (up.loglik - down.loglik) / (2 * h) == pytest.approx(at.score_nu.sum(), abs=1e-8)
    np.testing.assert_allclose(-(up.score_nu - down.score_nu) / (2 * h), at.info_nn, atol=1e-8)
    np.testing.assert_allclose((up.info_dd - down.info_dd) / (2 * h), at.third_nu, atol=1e-8)


# Graphs that fall apart, and strengths that run away.

TWO_PARTS = [
    ("x", "y", "A", 5), ("x", "y", "TIE", 2), ("x", "y", "B", 3), ("y", "z", "A", 4), ("y", "z", "B", 4),
    ("u", "v", "A", 7), ("u", "v", "TIE", 3), ("u", "v", "B", 2),
]  # fmt: skip


def test_components_are_fitted_around_their_own_mean():
    games = make_games(TWO_PARTS)
    with pytest.warns(DisconnectedWarning, match="2 components"):
        fit = ps.fit_davidson(games)
    assert fit.components.nunique() == 2
    for _, group in fit.strengths.groupby(fit.components):
        assert group.sum() == pytest.approx(0, abs=1e-9)
    # given nu, each component maximises its own likelihood
    for _, members in fit.components.groupby(fit.components):
        inside = games[games["item_a"].isin(members.index)].reset_index(drop=True)
        items = sorted(members.index)
        a, b = (inside[c].map(items.index).to_numpy() for c in ("item_a", "item_b"))

        def negative(x, inside=inside, a=a, b=b):
            d = x[a] - x[b]
            z = np.log(np.exp(d / 2) + np.exp(fit.log_nu) + np.exp(-d / 2))
            chosen = np.select([inside["outcome"] == "A", inside["outcome"] == "TIE"], [d / 2, fit.log_nu], -d / 2)
            return -(inside["count"] * (chosen - z)).sum() + x.sum() ** 2

        found = minimize(negative, np.zeros(len(items)), options={"gtol": 1e-9})
        np.testing.assert_allclose(fit.strengths[items], found.x, atol=1e-5)


def test_reference_in_another_component_is_no_reference():
    with pytest.warns(DisconnectedWarning):
        fit = ps.fit_davidson(make_games(TWO_PARTS), reference="z")
    assert fit.strengths["z"] == 0
    assert fit.se["z"] == 0
    assert fit.strengths[["u", "v"]].isna().all()
    assert fit.se[["u", "v"]].isna().all()
    assert np.isfinite(fit.strengths[["x", "y"]]).all()


RING = [
    ("x", "y", "A", 3),
    ("x", "y", "B", 2),
    ("y", "z", "A", 3),
    ("y", "z", "TIE", 2),
    ("z", "x", "A", 1),
    ("x", "z", "A", 2),
]


def test_separated_items_are_infinite_and_the_rest_is_fitted():
    games = make_games([*RING, ("top", "x", "A", 2), ("top", "y", "A", 1), ("z", "low", "A", 3)])
    with pytest.warns(SeparationWarning, match=r"top.*low"):
        fit = ps.fit_davidson(games)
    assert fit.strengths["top"] == np.inf
    assert fit.strengths["low"] == -np.inf
    assert fit.se[["top", "low"]].isna().all()
    core = ps.fit_davidson(make_games(RING))
    np.testing.assert_allclose(fit.strengths[["x", "y", "z"]], core.strengths, atol=1e-9)
    np.testing.assert_allclose(fit.se[["x", "y", "z"]], core.se, rtol=1e-8)
    assert fit.loglik == pytest.approx(core.loglik, abs=1e-9)  # a certain outcome costs nothing
    finite = ps.fit_davidson(games, penalty=0.1)
    assert np.isfinite(finite.strengths).all()
    assert finite.strengths.idxmax() == "top"
    assert finite.strengths.idxmin() == "low"


def test_items_in_no_order_with_the_rest_are_nan():
    games = make_games([*RING, ("top", "x", "A", 2), ("top", "odd", "A", 1)])
    with pytest.warns(SeparationWarning, match="no order"):
        fit = ps.fit_davidson(games)
    assert fit.strengths["top"] == np.inf
    assert np.isnan(fit.strengths["odd"])


def test_contrasts_with_a_separated_reference():
    games = make_games([*RING, ("top", "x", "A", 2)])
    with pytest.warns(SeparationWarning):
        fit = ps.fit_davidson(games, reference="top")
    assert fit.strengths["top"] == 0
    assert (fit.strengths[["x", "y", "z"]] == -np.inf).all()


def test_nothing_but_ties():
    fit = ps.fit_davidson(make_games([("x", "y", "TIE", 3), ("y", "z", "TIE", 2)]))
    assert fit.log_nu == np.inf
    assert (fit.strengths == 0).all()
    assert fit.loglik == 0
    assert fit.se.isna().all()


def test_only_separated_items():
    with pytest.warns(SeparationWarning):
        fit = ps.fit_davidson(make_games([("x", "y", "A", 3)]))
    assert not np.isfinite(fit.strengths).all()


def test_ties_with_wins_of_one_side_only_have_no_maximum():
    """P(A), P(TIE) = 3/5, 2/5 and P(B) = 0 is reached at infinite strengths and nu alone."""
    with pytest.warns(SeparationWarning, match="estimate of log nu"):
        fit = ps.fit_davidson(make_games([("x", "y", "A", 3), ("x", "y", "TIE", 2)]))
    assert fit.log_nu == np.inf
    assert np.isnan(fit.log_nu_se)
    assert fit.strengths.isna().all()
    assert fit.loglik == pytest.approx(3 * np.log(3 / 5) + 2 * np.log(2 / 5), abs=1e-6)
    assert np.isfinite(ps.fit_davidson(make_games([("x", "y", "A", 3), ("x", "y", "TIE", 2)]), penalty=0.1).log_nu)


def test_where_the_first_always_wins_the_order_effect_is_infinite():
    with pytest.warns(SeparationWarning, match="order effect"):
        fit = ps.fit_davidson(make_games([("x", "y", "A", 3), ("y", "x", "A", 3)]), order_effect=True)
    assert fit.order_effect == np.inf
    assert np.isnan(fit.order_effect_se)


@pytest.mark.parametrize(
    "rows",
    [
        [("x", "y", "A", 3), ("x", "y", "B", 2)],
        [("x", "y", "A", 3), ("x", "y", "B", 2), ("y", "z", "A", 1), ("y", "z", "B", 2), ("z", "u", "TIE", 1)],
    ],
)
def test_an_order_effect_that_strengths_can_imitate_is_refused(rows):
    with pytest.raises(ArgumentError, match="order_effect=True"):
        ps.fit_davidson(make_games(rows), order_effect=True)
    assert np.isfinite(ps.fit_davidson(make_games(rows), order_effect=True, penalty=0.5).strengths).all()


def test_a_cycle_tells_an_order_effect_without_any_pair_in_both_orders():
    rows = [(a, b, outcome, 2) for a, b in (("x", "y"), ("y", "z"), ("z", "x")) for outcome in "AB"]
    assert ps.fit_davidson(make_games(rows), order_effect=True).order_effect == pytest.approx(0, abs=1e-9)
    assert not fits_order_alone(np.array([0, 1, 0]), np.array([1, 2, 2]), 3)
    assert fits_order_alone(np.array([0, 1, 4]), np.array([1, 2, 3]), 5)


def test_stopping_early_is_loud():
    rng = np.random.default_rng(0)
    games = simulate_games(
        rng.normal(0, 1, 8), -1, 0, rng.permuted(np.tile(np.arange(8), (300, 1)), axis=1)[:, :2], rng
    )
    with pytest.warns(ConvergenceWarning):
        fit = ps.fit_davidson(games, max_iter=1)
    assert not fit.converged
    assert "NOT CONVERGED" in repr(fit)


# What it refuses.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": ["A", "win", "B"]}, r"'outcome', rows \[1\].*win.*A, TIE, B"),
        ({"item_b": ["y", "x", "x"]}, r"'item_b', rows \[1\].*cannot meet itself"),
        ({"item_a": ["x", None, "y"]}, r"'item_a', rows \[1\].*missing"),
        ({"item_b": ["y", None, "x"]}, r"'item_b', rows \[1\].*missing"),
        ({"count": [1, 0, 2]}, r"'count', rows \[1\].*positive"),
        ({"count": [1, "many", 2]}, r"'count', rows \[1\].*positive"),
        ({"count": [1.0, np.inf, 2.0]}, r"'count', rows \[1\]"),
        ({"category": ["c", "d", "c"]}, "2 values of category"),
        ({"dimension": ["c", "d", "c"]}, "2 values of dimension"),
    ],
)
def test_bad_tables_are_named(change, words):
    games = pd.DataFrame({"item_a": ["x", "x", "y"], "item_b": ["y", "z", "x"], "outcome": ["A", "TIE", "B"]})
    with pytest.raises(DataError, match=words):
        ps.fit_davidson(games.assign(**change))


def test_bad_arguments_are_named():
    games = make_games(RING)
    with pytest.raises(DataError, match="outcome"):
        ps.fit_davidson(games.drop(columns="outcome"))
    with pytest.raises(DataError, match="empty"):
        ps.fit_davidson(games.iloc[:0])
    with pytest.raises(ArgumentError, match="reference='nobody'"):
        ps.fit_davidson(games, reference="nobody")
    for penalty in (0, -1, np.nan, np.inf):
        with pytest.raises(ArgumentError, match="penalty"):
            ps.fit_davidson(games, penalty=penalty)


def test_numbers_as_ids_and_a_reference_of_any_type():
    games = make_games(RING).replace({"x": 10, "y": 9, "z": 8})
    fit = ps.fit_davidson(games, reference=9)
    assert fit.strengths["9"] == 0
    np.testing.assert_allclose(
        fit.strengths[["10", "9", "8"]], ps.fit_davidson(make_games(RING), reference="y").strengths[["x", "y", "z"]]
    )


def test_without_standard_errors():
    fit, full = ps.fit_davidson(make_games(RING), standard_errors=False), ps.fit_davidson(make_games(RING))
    assert fit.se.isna().all()
    assert np.isnan(fit.log_nu_se)
    np.testing.assert_array_equal(fit.strengths, full.strengths)


# Recovery.


def test_home_advantage_in_a_double_round_robin():
    """20 teams, every ordered pair once, about a quarter of draws."""
    rng = np.random.default_rng(11)
    strengths = rng.normal(0, 0.7, 20)
    pairs = [(i, j) for i in range(20) for j in range(20) if i != j]
    games = simulate_games(strengths, -0.3, 0.5, pairs, rng)
    assert (games["outcome"] == "TIE").mean() > 0.15
    at_home, nowhere = ps.fit_davidson(games, order_effect=True), ps.fit_davidson(games)
    assert abs(at_home.order_effect - 0.5) < 3 * at_home.order_effect_se
    assert at_home.order_effect > 2 * at_home.order_effect_se
    assert 2 * (at_home.loglik - nowhere.loglik) > 3.84
    errors = (at_home.strengths.to_numpy() - (strengths - strengths.mean())) / at_home.se
    assert np.sqrt((errors**2).mean()) < 1.5
    assert abs(at_home.log_nu + 0.3) < 3 * at_home.log_nu_se


def test_slope_on_simulated_strengths_is_one():
    rng = np.random.default_rng(4)
    strengths = rng.normal(0, 1, 100)
    strengths -= strengths.mean()
    pairs = rng.integers(100, size=(400_000, 2))
    games = simulate_games(strengths, -0.7, 0.0, pairs[pairs[:, 0] != pairs[:, 1]], rng)
    fit = ps.fit_davidson(games)
    slope = np.polyfit(strengths, fit.strengths.to_numpy(), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.01)
    z = (fit.strengths.to_numpy() - strengths) / fit.se.to_numpy()
    assert 0.8 < np.sqrt((z**2).mean()) < 1.2


def test_many_items_say_that_standard_errors_are_estimates():
    rng = np.random.default_rng(9)
    n = 2600
    pairs = np.array([(i, (i + gap) % n) for i in range(n) for gap in (1, 2, 5, 17) for _ in range(6)])
    games = simulate_games(rng.normal(0, 0.5, n), -0.5, 0.0, pairs, rng)
    fit = ps.fit_davidson(games)
    assert not fit.se_exact
    assert fit.converged
    assert np.isfinite(fit.se).all()
