"""Triads, against loops over all of them and Kendall & Babington Smith's dog."""

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppaint_stats.errors import DataError
from ppaint_stats.kernels import triads as kernel
from ppaint_stats.kernels.triads import count_triads
from ppaint_stats.reliability.triads import circular_triads

TABLES = Path(__file__).parent / "data"


def slow_triads(sign, n):
    """Count by looking at every triad; sign maps (i, j), i < j, to -1, 0 or 1."""
    full = dict(sign) | {(j, i): -s for (i, j), s in sign.items()}
    found = dict.fromkeys(("judged", "decided", "circular", "one_tie", "two_ties", "all_ties", "broken_chains"), 0)
    for triad in combinations(range(n), 3):
        if any(pair not in sign for pair in combinations(triad, 2)):
            continue
        ties = sum(sign[pair] == 0 for pair in combinations(triad, 2))
        found["judged"] += 1
        found[("decided", "one_tie", "two_ties", "all_ties")[ties]] += 1
        turns = [(full[i, j], full[j, k], full[k, i]) for i, j, k in permutations(triad)]
        found["circular"] += (1, 1, 1) in turns
        found["broken_chains"] += (1, 1, 0) in turns
    return found


@given(st.integers(3, 7), st.data())
def test_counts_equal_loops(n, data):
    pairs = list(combinations(range(n), 2))
    marks = data.draw(st.lists(st.sampled_from([None, -1, 0, 1]), min_size=len(pairs), max_size=len(pairs)))
    sign = {pair: mark for pair, mark in zip(pairs, marks, strict=True) if mark is not None}
    a, b = (np.array([pair[k] for pair in sign], dtype=np.int64) for k in (0, 1))
    slow = slow_triads(sign, n)
    for limit in (1000, 0):  # dense and sparse matrices
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "DENSE_LIMIT", limit)
            found = count_triads(a, b, np.array(list(sign.values()), dtype=float), n)
        assert {name: getattr(found, name) for name in slow} == slow


def test_the_dog():
    found = circular_triads(pd.read_csv(TABLES / "kendall_babington_smith_1940.csv")).iloc[0]
    assert (found["n_items"], found["n_pairs"]) == (6, 15)
    assert found["triads"] == 5
    assert found["zeta"] == pytest.approx(0.375, abs=1e-9)
    assert found["expected_triads"] == 5
    assert found["reason"] == ""


def test_the_dog_of_the_file(data_dir):
    table = pd.read_csv(data_dir / "kbs1940_dog.csv", index_col=0)
    rows = [("dog", r, c, "A") for r in table.index for c in table.columns if table.loc[r, c] == 1]
    found = circular_triads(pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"]))
    assert found["triads"].tolist() == [5]
    assert found["zeta"].tolist() == [0.375]


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7])
def test_zeta_runs_from_0_to_1(n):
    # i beats the next (n - 1) / 2 items on a circle: as many cycles as there can be
    rows, order = [], []
    for i, j in combinations(range(n), 2):
        rows.append(("worst", str(i), str(j), "A" if (j - i) % n <= n // 2 else "B"))
        order.append(("best", str(i), str(j), "A"))
    found = circular_triads(pd.DataFrame(rows + order, columns=["rater", "item_a", "item_b", "outcome"]))
    assert found.set_index("rater")["zeta"].to_dict() == pytest.approx({"worst": 0, "best": 1})


def test_incomplete_and_tied_raters_get_reasons():
    rows = [
        ("tied", "x", "y", "TIE"), ("tied", "y", "z", "TIE"), ("tied", "x", "z", "A"),
        ("chain", "x", "y", "A"), ("chain", "y", "z", "A"), ("chain", "x", "z", "TIE"),
        ("few", "x", "y", "A"), ("few", "y", "z", "A"),
        ("one", "x", "y", "A"),
    ]  # fmt: skip
    found = circular_triads(pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"])).set_index("rater")
    assert found["indifference_violations"].to_dict() == {"tied": 1, "chain": 0, "few": 0, "one": 0}
    assert found["broken_chains"].to_dict() == {"tied": 0, "chain": 1, "few": 0, "one": 0}
    assert found["zeta"].isna().all()
    assert found["transitivity"].isna().all()
    assert found.loc[["tied", "chain"], "weak_order"].tolist() == [0, 0]
    assert "without ties" in found.loc["tied", "reason"]
    assert "all 3 pairs" in found.loc["few", "reason"]
    assert "needs 3 items" in found.loc["one", "reason"]


def test_repeats_count_as_their_majority():
    rows = [("r", "x", "y", o) for o in ("A", "A", "B")] + [("r", "y", "z", "A"), ("r", "x", "z", "B")]
    found = circular_triads(pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"])).iloc[0]
    assert found["triads"] == 1
    even = pd.DataFrame([*rows, ("r", "y", "x", "A")], columns=["rater", "item_a", "item_b", "outcome"])
    assert circular_triads(even)["decided_triads"].tolist() == [0]


def test_coins_have_the_expected_cycles():
    rng = np.random.default_rng(0)
    pairs = [pair for pair in combinations(range(40), 2) if rng.random() < 0.5]
    frame = pd.DataFrame(
        [(f"r{r}", f"i{i}", f"i{j}", rng.choice(["A", "B"])) for r in range(40) for i, j in pairs],
        columns=["rater", "item_a", "item_b", "outcome"],
    )
    z = circular_triads(frame)["z"]
    assert abs(z.mean()) < 4 / np.sqrt(40)
    assert 0.6 < z.std() < 1.4


def test_comparisons_without_raters_are_refused():
    with pytest.raises(DataError, match="no rater"):
        circular_triads(pd.DataFrame({"item_a": ["x"], "item_b": ["y"], "outcome": ["A"]}))
