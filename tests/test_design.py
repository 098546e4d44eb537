"""Locally dense pairs and balanced presentation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppaint_stats.design import (
    balanced_presentation,
    count_local_pairs,
    locally_dense_pairs,
    plan_comparisons,
    resolve_window,
)
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.seeds import split_seed


def count_components(pairs: pd.DataFrame, items: list[str]) -> int:
    """Count components by union-find, independent of any graph library."""
    root = {item: item for item in items}

    def find(item: str) -> str:
        while root[item] != item:
            item = root[item]
        return item

    for a, b in zip(pairs["item_a"], pairs["item_b"], strict=True):
        root[find(a)] = find(b)
    return len({find(item) for item in items})


@st.composite
def budgets(draw: st.DrawFn) -> tuple[int, int, int | None]:
    n_items = draw(st.integers(2, 40))
    n_pairs = draw(st.integers(n_items - 1, n_items * (n_items - 1) // 2))
    largest = resolve_window(n_items, n_pairs=n_pairs)
    return n_items, n_pairs, draw(st.none() | st.integers(1, largest))


@given(budgets(), st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_pairs_are_distinct_connected_and_balanced(budget: tuple[int, int, int | None], seed: int) -> None:
    n_items, n_pairs, window = budget
    items = [f"i{k}" for k in range(n_items)]
    pairs = locally_dense_pairs(items, n_pairs=n_pairs, window=window, random_seed=seed)
    used = resolve_window(n_items, n_pairs=n_pairs, window=window)
    a, b = (pairs[name].str[1:].astype(int).to_numpy() for name in ("item_a", "item_b"))
    assert len(pairs) == n_pairs
    assert not pairs.duplicated().any()
    assert (a < b).all()
    assert count_components(pairs, items) == 1
    assert ((b - a) <= used).sum() == count_local_pairs(n_items, window=used)
    degrees = np.bincount(np.concatenate([a, b]), minlength=n_items)
    assert degrees.max() - degrees.min() <= max(used, 2)
    assert degrees.max() <= max(2 * used, -(-2 * n_pairs // n_items)) + 1


def test_paper_design() -> None:
    pairs = locally_dense_pairs([f"{k:02d}" for k in range(50)], n_pairs=612, random_seed=3)
    gap = pairs["item_b"].astype(int) - pairs["item_a"].astype(int)
    assert (gap <= 14).sum() == 595
    assert (gap > 14).sum() == 17
    ends = pd.concat([pairs["item_a"], pairs["item_b"]]).value_counts()
    assert ends.min() >= 19  # without long-range pairs the end items have 14


def test_seed_decides() -> None:
    items = [f"{k:02d}" for k in range(50)]
    same = [locally_dense_pairs(items, n_pairs=612, random_seed=5) for _ in range(2)]
    pd.testing.assert_frame_equal(*same)
    assert not same[0].equals(locally_dense_pairs(items, n_pairs=612, random_seed=6))


@pytest.mark.parametrize(
    ("n_items", "n_pairs", "window", "message"),
    [
        (1, 1, None, "at least 2 items"),
        (10, 8, None, "minimum is 9"),
        (10, 46, None, "45 different pairs .* maximum"),
        (10, 20, 10, "from 1 to 9"),
        (10, 20, 0, "from 1 to 9"),
        (10, 20, 5, "largest window that fits is 2"),
    ],
)
def test_impossible_budgets(n_items: int, n_pairs: int, window: int | None, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        locally_dense_pairs([str(k) for k in range(n_items)], n_pairs=n_pairs, window=window)


def test_items_must_differ() -> None:
    with pytest.raises(ArgumentError, match="more than once: b"):
        locally_dense_pairs("abcb", n_pairs=4)


def test_large_design_is_fast() -> None:
    pairs = locally_dense_pairs([str(k) for k in range(10_000)], n_pairs=200_000, random_seed=1)
    assert len(pairs) == 200_000
    assert not pairs.duplicated().any()


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]), max_size=60),
    st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_presentation_is_balanced(edges: list[tuple[int, int]], seed: int) -> None:
    pairs = pd.DataFrame(edges, columns=["item_a", "item_b"], dtype="int64").assign(row=range(len(edges)))
    shown = balanced_presentation(pairs, random_seed=seed)
    first = np.bincount(shown["item_a"], minlength=10)
    second = np.bincount(shown["item_b"], minlength=10)
    assert np.abs(first - second).max() <= 1
    back = shown.sort_values("row")
    assert [set(p) for p in edges] == [set(p) for p in zip(back["item_a"], back["item_b"], strict=True)]


def test_presentation_is_random() -> None:
    pairs = locally_dense_pairs([f"{k:02d}" for k in range(12)], n_pairs=40, random_seed=1).assign(row=range(40))
    shown = [balanced_presentation(pairs, random_seed=seed).set_index("row").sort_index() for seed in range(400)]
    kept = np.array([(s["item_a"] == pairs["item_a"]).to_numpy() for s in shown])
    assert np.abs(kept.mean(axis=0) - 0.5).max() < 0.1  # four standard errors
    agreement = np.corrcoef(kept.T)[np.triu_indices(40, 1)]
    assert np.abs(agreement).max() < 0.75  # pairs do not turn round together


def test_presentation_refuses() -> None:
    with pytest.raises(DataError, match="lack the column item_b"):
        balanced_presentation(pd.DataFrame({"item_a": ["x"]}))
    with pytest.raises(DataError, match="itself in rows 1 "):
        balanced_presentation(pd.DataFrame({"item_a": ["x", "y"], "item_b": ["y", "y"]}))


def test_plan_gives_raters_the_same_pairs_in_other_orders() -> None:
    plan = plan_comparisons([f"{k:02d}" for k in range(20)], raters=["Ann", "Bo"], n_pairs=60, random_seed=2)
    assert plan["position"].tolist() == [*range(1, 61)] * 2
    ann, bo = (g.reset_index(drop=True) for _, g in plan.groupby("rater"))
    sets = [{frozenset(p) for p in zip(g["item_a"], g["item_b"], strict=True)} for g in (ann, bo)]
    assert sets[0] == sets[1]
    assert not ann["item_a"].equals(bo["item_a"])
    with pytest.raises(ArgumentError, match="different names"):
        plan_comparisons("abc", raters=["Ann", "Ann"], n_pairs=2)


def test_split_seed_repeats_itself() -> None:
    parent = np.random.SeedSequence(7)
    states = [[int(s.generate_state(1)[0]) for s in split_seed(p, 3)] for p in (parent, parent, 7)]
    assert states[0] == states[1] == states[2]
    assert len(set(states[0])) == 3
    with pytest.raises(ArgumentError, match="non-negative"):
        split_seed(-1, 2)
