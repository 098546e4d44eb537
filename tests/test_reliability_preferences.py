"""Agreement on comparisons: against slow references, published numbers and laws."""

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.kernels import derived
from ppaint_stats.kernels.bootstrap import draw_weights
from ppaint_stats.kernels.orders import describe_orders, split_raters
from ppaint_stats.kernels.signs import average_pairs, describe_agreement
from ppaint_stats.kernels.unanimity import chi_square_agreement, exact_agreement
from ppaint_stats.reliability import derived as derived_module
from ppaint_stats.reliability import preferences
from ppaint_stats.reliability.comparisons import encode_comparisons
from ppaint_stats.reliability.derived import order_agreement, rater_scores, separation_reliability
from ppaint_stats.reliability.habits import rater_habits
from ppaint_stats.reliability.krippendorff import krippendorff_alpha
from ppaint_stats.reliability.preferences import alpha_sym, kendall_u, point_agreement, preference_agreement

SWAP = {"A": "B", "B": "A", "TIE": "TIE"}


def make_votes(rows):
    return pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"])


@st.composite
def votes(draw, ties=True, complete=False):
    n_items, n_raters = draw(st.integers(3, 5)), draw(st.integers(2, 4))
    outcomes = st.sampled_from(["A", "B", "TIE"] if ties else ["A", "B"])
    rows = []
    for r in range(n_raters):
        for i, j in combinations(range(n_items), 2):
            if complete or draw(st.integers(0, 3)):
                rows.append((f"r{r}", f"i{i}", f"i{j}", draw(outcomes)))
    if not rows:
        rows.append(("r0", "i0", "i1", "A"))
    return make_votes(rows)


def random_votes(seed=0, n_items=6, n_raters=4, share=0.8, trials=1):
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=n_items)
    rows = []
    for _ in range(trials):
        for r in range(n_raters):
            for i, j in combinations(range(n_items), 2):
                if rng.random() < share:
                    x = theta[i] - theta[j] + rng.logistic()
                    rows.append((f"r{r}", f"i{i}", f"i{j}", "TIE" if abs(x) < 0.5 else "A" if x > 0 else "B"))
    return make_votes(rows)


def swap_rows(frame, chosen):
    out = frame.copy()
    out.loc[chosen, ["item_a", "item_b"]] = frame.loc[chosen, ["item_b", "item_a"]].to_numpy()
    out.loc[chosen, "outcome"] = frame.loc[chosen, "outcome"].map(SWAP)
    return out


def slow_agreement(frame, item_copies=None, rater_copies=None):
    """All statistics by loops over explicit copies of items and raters; copies of one never pair."""
    judged = {}
    for row in frame.itertuples():
        low, high = sorted((row.item_a, row.item_b))
        sign = {"A": 1, "B": -1, "TIE": 0}[row.outcome] * (1 if row.item_a == low else -1)
        judged.setdefault((low, high), {}).setdefault(row.rater, []).append(sign)
    item_copies = item_copies or dict.fromkeys(pd.unique(frame[["item_a", "item_b"]].to_numpy().ravel()), 1)
    rater_copies = rater_copies or dict.fromkeys(frame["rater"].unique(), 1)
    copies = [r for r, n in rater_copies.items() for _ in range(n)]
    sums = np.zeros(5)
    for (low, high), by_rater in judged.items():
        products, decided, both, agree = [], [], [], []
        for r, s in permutations(copies, 2):
            if r != s and r in by_rater and s in by_rater:
                x, y = np.array(by_rater[r]), np.array(by_rater[s])
                products.append(np.mean(np.outer(x, y)))
                both.append(np.mean(np.outer(abs(x), abs(y))))
                agree.append(np.mean(x[:, None] == y[None, :]))
                decided.append(np.mean(abs(x)))
        if products:
            weight = item_copies.get(low, 0) * item_copies.get(high, 0)
            sums += weight * np.array([np.mean(products), np.mean(decided), np.mean(both), np.mean(agree), 1])
    if sums[4] == 0:
        return None
    product, decided, both, agree, _ = sums / sums[4]
    chance = (1 - decided) ** 2 + decided**2 / 2
    nan = np.nan
    return {
        "alpha_sym": product / decided if decided > 1e-12 else nan,
        "product": product,
        "alpha_decided": product / both if both > 1e-12 else nan,
        "agreement": agree,
        "alpha_nominal": (agree - chance) / (1 - chance) if chance < 1 - 1e-12 else nan,
        "tie_rate": 1 - decided,
    }


@settings(max_examples=40)
@given(votes(), st.data())
def test_nothing_changes_when_a_and_b_are_swapped(frame, data):
    chosen = data.draw(st.lists(st.booleans(), min_size=len(frame), max_size=len(frame)))
    before, after = (preference_agreement(f) for f in (frame, swap_rows(frame, chosen)))
    for name, found in before.items():
        assert found.estimate == pytest.approx(after[name].estimate, nan_ok=True)
        assert found.reason == after[name].reason


@settings(max_examples=40)
@given(votes(), st.permutations(range(5)))
def test_nothing_changes_when_items_are_renamed(frame, order):
    names = {f"i{k}": f"x{order[k]}" for k in range(5)}
    renamed = frame.assign(item_a=frame["item_a"].map(names), item_b=frame["item_b"].map(names))
    assert alpha_sym(frame).estimate == pytest.approx(alpha_sym(renamed).estimate, nan_ok=True)


@settings(max_examples=40)
@given(votes())
def test_points_equal_the_slow_reference(frame):
    slow = slow_agreement(frame)
    found = point_agreement(encode_comparisons(frame).signs)
    if slow is None:
        assert np.isnan(list(found.values())).all()
        return
    for name, value in slow.items():
        assert found[name] == pytest.approx(value, nan_ok=True, abs=1e-12)


@settings(max_examples=40)
@given(votes(ties=False, complete=True))
def test_without_ties_alpha_is_kendalls_u(frame):
    u, found = kendall_u(frame), preference_agreement(frame)
    m, n = frame["rater"].nunique(), frame["item_a"].nunique() + 1
    agreements = 0
    for _, rows in frame.groupby(["item_a", "item_b"]):
        wins = (rows["outcome"] == "A").sum()
        agreements += wins * (wins - 1) / 2 + (m - wins) * (m - wins - 1) / 2
    assert u.estimate == pytest.approx(2 * agreements / (m * (m - 1) / 2 * n * (n - 1) / 2) - 1)
    assert found["alpha_sym"].estimate == pytest.approx(u.estimate)
    assert 2 * found["percent_agreement"].estimate - 1 == pytest.approx(u.estimate)
    assert found["alpha_nominal"].estimate == pytest.approx(u.estimate)
    assert u.test == "exact"


@pytest.mark.parametrize("trials", [1, 2])
def test_replicates_equal_explicit_copies(trials):
    frame = random_votes(trials=trials)
    found = encode_comparisons(frame)
    items, raters = draw_weights(len(found.items), len(found.raters), 40, np.random.default_rng(1))
    fast = describe_agreement(average_pairs(found.signs, items, raters))
    for b in range(40):
        copies = dict(zip(found.items, items[b].tolist(), strict=True)), dict(zip(found.raters, raters[b], strict=True))
        slow = slow_agreement(frame, *copies)
        for name, values in fast.items():
            if slow is None:
                assert np.isnan(values[b])
            elif name in slow:
                assert values[b] == pytest.approx(slow[name], nan_ok=True, abs=1e-12)


def test_real_voices(data_dir):
    with pytest.warns(ps.errors.DiscardedDataWarning):
        study = ps.read_study(
            ratings=data_dir / "voicelik_ratings.csv",
            preferences=data_dir / "voicelik_pairs.csv",
            scale=(0, 100),
            columns={"winner": "outcome"},
            missing="drop",
        )
    u = kendall_u(study.preferences)
    assert u.estimate == pytest.approx(0.18925518925518925, abs=1e-9)
    assert alpha_sym(study.preferences).estimate == pytest.approx(0.18925518925518925, abs=1e-9)
    assert u.p_value < 1e-20


def test_repeated_trials_measure_a_single_judgment():
    once = random_votes(share=1)
    twice = pd.concat([once.assign(trial=1), once.assign(trial=2)], ignore_index=True)
    assert alpha_sym(twice).estimate == pytest.approx(alpha_sym(once).estimate)
    # noise in the second trial: the mean over trials of s s', not of the means' signs
    rows = [("r", "x", "y", "A"), ("r", "x", "y", "B"), ("s", "x", "y", "A"), ("s", "x", "y", "A")]
    assert alpha_sym(make_votes(rows)).estimate == 0


def test_counts_are_repetitions():
    rows = [("r", "x", "y", "A"), ("r", "x", "y", "A"), ("r", "x", "y", "TIE"), ("s", "x", "y", "A")]
    frame = make_votes(rows)
    counted = make_votes([rows[0], rows[2], rows[3]]).assign(count=[2, 1, 1])
    assert alpha_sym(counted).estimate == pytest.approx(alpha_sym(frame).estimate)
    assert alpha_sym(counted).n_judgments == 4


def test_degenerate_inputs_say_why():
    one = alpha_sym(make_votes([("r", "x", "y", "A")]), n_boot=10)
    assert np.isnan(one.estimate)
    assert "two raters" in one.reason
    apart = alpha_sym(make_votes([("r", "x", "y", "A"), ("s", "y", "z", "A")]))
    assert np.isnan(apart.estimate)
    assert "no item pair was judged by two" in apart.reason
    ties = preference_agreement(make_votes([("r", "x", "y", "TIE"), ("s", "x", "y", "TIE")]), n_boot=10, random_seed=1)
    assert np.isnan(ties["alpha_sym"].estimate)
    assert "every judgment is a tie" in ties["alpha_sym"].reason
    assert ties["percent_agreement"].estimate == 1
    assert ties["tie_rate"].estimate == 1
    never = preference_agreement(make_votes([("r", "x", "y", "TIE"), ("s", "x", "y", "A")]))
    assert never["alpha_sym"].estimate == 0
    assert "no two raters both decided" in never["alpha_decided"].reason
    pair = alpha_sym(make_votes([("r", "x", "y", "A"), ("s", "y", "x", "B")]), n_boot=50, random_seed=1)
    assert pair.estimate == 1
    assert "undefined" in pair.reason
    alone = make_votes([("r", "x", "y", "A"), ("s", "x", "y", "A"), ("s", "y", "z", "A")])
    assert "1 of 2 item pairs" in alpha_sym(alone).reason


def test_aggregated_counts_name_no_rater():
    counts = pd.DataFrame({"item_a": ["x", "x"], "item_b": ["y", "y"], "outcome": ["A", "B"], "count": [5, 3]})
    for found in [*preference_agreement(counts, n_boot=5).values(), *order_agreement(counts, n_boot=5).values()]:
        assert np.isnan(found.estimate)
        assert "no rater" in found.reason
    assert "no rater" in kendall_u(counts).test_reason
    assert 0 <= separation_reliability(counts).estimate <= 1
    for function in (rater_scores, rater_habits):
        with pytest.raises(DataError, match="no rater"):
            function(counts)


def test_bad_input_is_refused():
    frame = random_votes()
    with pytest.raises(DataError, match="dimension"):
        alpha_sym(frame.assign(dimension=["m"] * 5 + ["c"] * (len(frame) - 5)))
    with pytest.raises(ArgumentError, match="resample"):
        alpha_sym(frame, resample="pairs")
    with pytest.raises(DataError, match="outcome"):
        alpha_sym(frame.assign(outcome="left"))


def test_intervals_and_seeds():
    frame = random_votes(n_items=12, n_raters=5)
    first, second = (alpha_sym(frame, n_boot=300, random_seed=3) for _ in range(2))
    assert (first.lower, first.upper) == (second.lower, second.upper)
    assert first.lower < first.estimate < first.upper
    fixed = alpha_sym(frame, n_boot=300, random_seed=3, resample="items")
    assert fixed.upper - fixed.lower < first.upper - first.lower
    assert np.isnan(alpha_sym(frame).lower)


def test_exact_null_distribution_of_agreement():
    # all 2^(3 x 3) sets of preferences of three raters on three pairs
    counts = []
    for code in range(2**9):
        wins = np.array([(code >> k) & 1 for k in range(9)]).reshape(3, 3).sum(axis=0)
        counts.append(int((wins * (wins - 1) // 2 + (3 - wins) * (2 - wins) // 2).sum()))
    for value in range(3, 10):
        assert exact_agreement(value, 3, 3) == pytest.approx(np.mean(np.array(counts) >= value))
    # the approximation is near it where there is much data
    exact, (_, _, near) = exact_agreement(1500, 105, 6), chi_square_agreement(1500 - 0.5, 105, 6)
    assert exact is not None
    assert chi_square_agreement(750, 105, 6)[2] == pytest.approx(exact_agreement(750, 105, 6), abs=0.02)
    assert near == pytest.approx(exact, abs=1e-6)
    assert exact_agreement(10, 10_000, 40) is None


def test_u_is_tested_only_where_the_test_holds():
    incomplete = kendall_u(random_votes())
    assert incomplete.test == "none"
    assert "all 15 pairs" in incomplete.test_reason
    assert "ties" in incomplete.test_reason
    big = pd.DataFrame(
        [(f"r{r}", f"i{i:02d}", f"i{j:02d}", "A") for r in range(20) for i, j in combinations(range(30), 2)],
        columns=["rater", "item_a", "item_b", "outcome"],
    )
    found = kendall_u(big)
    assert found.test == "chi-square"
    assert found.estimate == pytest.approx(1)
    assert repr(found).startswith("Estimate(kendall_u 1.0000")


def test_habits():
    frame = make_votes(
        [
            ("r", "x", "y", "A"),
            ("r", "y", "x", "A"),
            ("r", "x", "z", "TIE"),
            ("s", "x", "y", "TIE"),
            ("s", "x", "y", "TIE"),
        ]
    )
    found = rater_habits(frame).set_index("rater")
    assert found.loc["r", "first_rate"] == 1
    assert found.loc["r", "tie_rate"] == pytest.approx(1 / 3)
    assert found.loc["r", "self_alpha"] == -1
    assert found.loc["s", "self_agreement"] == 1
    assert np.isnan(found.loc["s", "first_rate"])
    assert "no side" in found.loc["s", "reason"]
    interval = stats.binomtest(2, 2).proportion_ci(method="wilson")
    assert (found.loc["r", "first_lower"], found.loc["r", "first_upper"]) == pytest.approx(tuple(interval))


@pytest.mark.parametrize("missing", [False, True])
def test_orders_against_explicit_copies(missing):
    rng = np.random.default_rng(1)
    scores = (rng.normal(size=(4, 12)) + 1.5 * rng.normal(size=12)).round(1)
    if missing:
        scores[0, :3] = scores[2, 5] = np.nan
    items, raters = draw_weights(12, 4, 20, np.random.default_rng(2))
    found = describe_orders(scores, items, raters, split_raters(4, rng))
    for b in range(20):
        copied = np.repeat(np.arange(12), items[b])
        total = weight = 0.0
        for r, s in combinations(range(4), 2):
            x, y = scores[r, copied], scores[s, copied]
            both = ~np.isnan(x + y)
            if raters[b, r] * raters[b, s]:
                total += raters[b, r] * raters[b, s] * stats.spearmanr(x[both], y[both]).statistic
                weight += raters[b, r] * raters[b, s]
        assert found["mean_srcc"][b] == pytest.approx(total / weight if weight else np.nan, nan_ok=True)


def test_order_statistics_without_weights():
    rng = np.random.default_rng(4)
    scores = (rng.normal(size=(5, 30)) + rng.normal(size=30)).round(0)
    ones = np.ones((1, 30), dtype=int), np.ones((1, 5), dtype=int)
    found = {k: v[0] for k, v in describe_orders(scores, *ones, split_raters(5, rng)).items()}
    ranks = stats.rankdata(scores, axis=1)
    ties = sum((c**3 - c).sum() for c in (np.unique(r, return_counts=True)[1] for r in ranks))
    total = ranks.sum(axis=0)
    assert found["kendall_w"] == pytest.approx(
        12 * ((total - total.mean()) ** 2).sum() / (25 * (30**3 - 30) - 5 * ties)
    )
    z = stats.zscore(ranks, axis=1)
    alone = [np.corrcoef(z[r], np.delete(z, r, axis=0).sum(axis=0))[0, 1] for r in range(5)]
    assert found["leave_one_out"] == pytest.approx(np.mean(alone))
    halves = [
        np.corrcoef(z[list(h)].sum(axis=0), np.delete(z, list(h), axis=0).sum(axis=0))[0, 1]
        for h in combinations(range(5), 2)
    ]
    half = np.mean(halves)
    assert found["split_half"] == pytest.approx(2 * half / (1 + half))


@pytest.mark.parametrize(("n_raters", "n_splits"), [(2, 1), (4, 3), (5, 10), (7, 35), (13, 50)])
def test_splits(n_raters, n_splits):
    splits = split_raters(n_raters, np.random.default_rng(0))
    assert len(splits) == n_splits
    assert (splits.sum(axis=1) == n_raters // 2).all()


@pytest.mark.parametrize("share", [0.15, 0.6])
def test_scores_are_those_of_the_plain_fit(share, monkeypatch):
    frame = random_votes(seed=5, n_items=15, share=share)
    found = rater_scores(frame, penalty=0.1)
    for rater, rows in frame.groupby("rater"):
        fit = ps.fit_davidson(rows, penalty=0.1, standard_errors=False)
        mine = found[found["rater"] == rater].set_index("item")["score"]
        assert mine.to_numpy() == pytest.approx(fit.strengths[mine.index].to_numpy(), abs=2e-5)
    monkeypatch.setattr(derived, "DENSE_LIMIT", 0)
    pd.testing.assert_frame_equal(found, rater_scores(frame, penalty=0.1), atol=2e-5)


def test_scores_of_extreme_raters():
    rows = [("ties", "x", "y", "TIE"), ("ties", "y", "z", "TIE"), ("wins", "x", "y", "A"), ("wins", "y", "z", "A")]
    found = rater_scores(make_votes(rows)).set_index(["rater", "item"])["score"]
    assert (found["ties"] == 0).all()
    assert found["wins", "x"] > found["wins", "y"] > found["wins", "z"]
    agreement = order_agreement(make_votes(rows), n_boot=20, random_seed=1)
    assert np.isnan(agreement["rank_correlation"].estimate)
    assert "one score" in agreement["rank_correlation"].reason
    assert "one score" in agreement["kendall_w"].reason  # 1 / m, whatever the one rater says who tells items apart
    apart = order_agreement(make_votes([("r", "x", "y", "A"), ("s", "u", "v", "A")]))
    assert "same two items" in apart["kendall_w"].reason
    alone = order_agreement(make_votes([("r", "x", "y", "A")]))
    assert "two raters" in alone["kendall_w"].reason


def test_same_orders_agree_fully():
    rows = [(r, f"i{i}", f"i{j}", "A") for r in "rst" for i, j in combinations(range(6), 2)]
    found = order_agreement(make_votes(rows), n_boot=50, random_seed=1)
    for estimate in found.values():
        assert estimate.estimate == pytest.approx(1)
        assert estimate.lower == pytest.approx(1)


def test_separation_reliability():
    design = ps.PPaintDesign(n_categories=1, dimensions=("mood",), n_items=30, n_pairs=200, taste_sd=0.0)
    frame = ps.simulate_study(design, random_seed=1).study.preferences
    found = separation_reliability(frame)
    fit = ps.fit_davidson(frame)
    classic = 1 - (fit.se**2).mean() / fit.strengths.var(ddof=1)
    assert found.estimate == pytest.approx(classic, abs=0.02)
    coins = frame.assign(outcome=np.random.default_rng(0).choice(["A", "B"], len(frame)))
    assert separation_reliability(coins).estimate < 0.5
    ties = separation_reliability(frame.assign(outcome="TIE"))
    assert np.isnan(ties.estimate)
    assert "tie" in ties.reason


def test_one_seed_draws_the_same_for_all_statistics_of_a_table():
    design = ps.PPaintDesign(n_categories=1, n_items=8, n_pairs=20, n_raters=4, dimensions=("mood",))
    votes = ps.simulate_study(design, random_seed=1).study.preferences
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        for module in (preferences, derived_module):
            patch.setattr(module, "draw_weights", lambda *a: seen.append(draw_weights(*a)) or seen[-1])
        alpha_sym(votes, n_boot=5, random_seed=3)
        order_agreement(votes, n_boot=5, random_seed=3)
    for first, second in zip(*seen, strict=True):
        np.testing.assert_array_equal(first, second)


def test_what_is_no_table_of_one_cell_is_refused():
    design = ps.PPaintDesign(n_categories=1, n_items=6, n_pairs=8, dimensions=("mood", "overall"))
    study = ps.simulate_study(design, random_seed=1).study
    with pytest.raises(ArgumentError, match=r"a Study was given.*\.preferences"):
        alpha_sym(study)
    with pytest.raises(ArgumentError, match=r"a Study was given.*\.ratings"):
        krippendorff_alpha(study)
    with pytest.raises(ArgumentError, match="is a path"):
        alpha_sym("pairs.csv")
    with pytest.raises(ArgumentError, match="there is no table"):
        alpha_sym(study.drop_protocol("preferences").preferences)
    with pytest.raises(ArgumentError, match="a list was given"):
        alpha_sym([1, 2])
    with pytest.raises(DataError, match=r"more than one value, 'mood', 'overall'.*study\.select"):
        alpha_sym(study.preferences)
