"""check_study: the numbers against ones counted by hand, and what is pointed out."""

import json

import numpy as np
import pandas as pd
import pytest

from ppaint_stats.check import check_study
from ppaint_stats.io import read_study
from ppaint_stats.study import Study


def compare(rows, **more):
    return pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"]).assign(**more)


def rate(rows, **more):
    return pd.DataFrame(rows, columns=["rater", "item", "rating"]).assign(**more)


def findings(report):
    return "\n".join(report.tables["notes"]["finding"])


def test_cells_by_hand():
    study = Study(
        ratings=rate([("r1", "u", 1), ("r1", "v", 5), ("r2", "x", 3)]),
        preferences=compare([("r1", "u", "v", "A"), ("r1", "x", "y", "TIE"), ("r3", "u", "v", "B")], count=[3, 2, 1]),
        scale=(1, 5, 1),
    )
    cell = check_study(study).tables["cells"].loc[0]
    expected = {"items": 4, "rated": 3, "compared": 4, "raters": 3, "ratings": 3, "comparisons": 6}
    assert cell[list(expected)].to_dict() == expected
    # Two raters rate four known items: 8 places, 3 of them filled.
    assert cell["missing"] == pytest.approx(5 / 8)
    assert cell["ties"] == pytest.approx(2 / 6)
    assert cell["first"] == pytest.approx(3 / 4)
    # u - v and x - y; no rater rates in both.
    assert (cell["comparison_parts"], cell["joint_parts"]) == (2, 2)


def test_raters_by_hand():
    study = Study(
        ratings=rate([("r1", "u", 1), ("r1", "u", 3), ("r2", "v", 2)], trial=[1, 2, 1]),
        preferences=compare([("r1", "u", "v", "A"), ("r1", "v", "u", "B"), ("r3", "u", "v", "TIE")]),
        scale=(1, 5, 1),
    )
    raters = check_study(study).tables["raters"].set_index("rater")
    assert raters["protocols"].to_dict() == {"r1": "both", "r2": "ratings", "r3": "preferences"}
    # One repeated rating, and the same pair again with its items swapped.
    assert raters["repeats"].tolist() == [2, 0, 0]
    assert raters.loc["r1", ["ratings", "comparisons", "mean", "ties", "first"]].tolist() == [2, 2, 2.0, 0.0, 0.5]
    assert np.isnan(raters.loc["r3", "first"])
    assert raters.loc["r3", "ties"] == 1


@pytest.mark.parametrize(("scale", "n_rows"), [((1, 5, 1), 5), ((1, 5), 10), ((1, 5, 0.01), 10)])
def test_scale_table_counts_every_rating(scale, n_rows):
    study = Study(ratings=rate([("r", i, v) for i, v in enumerate([1, 2, 2, 5])], dimension="d"), scale=scale)
    table = check_study(study).tables["scale"]
    assert len(table) == n_rows
    assert table["ratings"].sum() == 4
    assert table["share"].sum() == pytest.approx(1)
    assert table["ratings"].iloc[-1] == 1


def test_disconnected_graphs_are_pointed_out():
    triples = compare([("r", "a", "b", "A"), ("r", "b", "c", "B"), ("r", "x", "y", "A")])
    alone = check_study(Study(preferences=triples))
    assert alone.passed is None
    assert "the comparisons fall into 2 separate parts" in findings(alone)
    ratings = rate([("s", item, 1 + n) for n, item in enumerate("abcxy")])
    linked = check_study(Study(ratings=ratings, preferences=triples, scale=(1, 5, 1)))
    assert "2 separate parts, linked by ratings alone" in findings(linked)
    assert linked.tables["cells"].loc[0, "joint_parts"] == 1
    split = rate([("s1", "a", 1), ("s1", "b", 2), ("s2", "x", 3), ("s2", "y", 5)])
    assert "the judgments fall into 2 separate parts" in findings(check_study(Study(ratings=split, scale=(1, 5))))


def test_odd_raters_are_pointed_out():
    pairs = [(f"i{k}", f"i{k + 1}") for k in range(25)]
    rows = [("first", a, b, "A") for a, b in pairs] + [("ties", a, b, "TIE") for a, b in pairs]
    rows += [("fair", a, b, "AB"[k % 2]) for k, (a, b) in enumerate(pairs)]
    ratings = rate([("flat", f"i{k}", 3) for k in range(6)] + [("fair", f"i{k}", 1 + k % 5) for k in range(6)])
    report = check_study(Study(ratings=ratings, preferences=compare(rows), scale=(1, 5, 1)))
    text = findings(report)
    assert "first 100%" in text
    assert "'ties' call every comparison a tie" in text
    assert "'flat' give the same rating to everything" in text
    assert "3 of 4 are in one protocol only" in text
    assert "20 items were never rated" in text
    assert "need a look" in report.text


def test_counts_without_raters_and_scale_hints():
    report = check_study(Study(preferences=compare([("r", "a", "b", "A")], count=10).drop(columns="rater")))
    assert "do not name their raters" in findings(report)
    assert "raters" not in report.tables
    report = check_study(Study(ratings=rate([("r1", "a", 1), ("r1", "b", 2), ("r2", "a", 2)]), scale=(1, 5)))
    assert "all whole" in findings(report)
    assert "ratings run from 1 to 2" in findings(report)


def test_nothing_to_look_at():
    ratings = rate([(r, i, v) for r in "rs" for i, v in zip("abcde", range(1, 6), strict=True)])
    report = check_study(Study(ratings=ratings, scale=(1, 5, 1)))
    assert report.passed is True
    assert report.tables["notes"].empty
    assert "Nothing needs a look." in report.text
    assert json.loads(report.to_json())["tables"]["cells"][0]["ties"] is None


def test_rankme(data_dir):
    study = read_study(
        ratings=data_dir / "rankme_ratings.csv",
        preferences=data_dir / "rankme_pairs.csv",
        scale=(1, 6, 1),
        columns={"winner": "outcome"},
        tie_margin=0,
    )
    report = check_study(study)
    assert report.tables["cells"]["comparison_parts"].tolist() == [100, 100, 100]
    assert report.tables["cells"]["joint_parts"].tolist() == [1, 1, 1]
    assert "100 separate parts, linked by ratings alone" in findings(report)
