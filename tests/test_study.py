"""Study: what it accepts, what it refuses and how it says so."""

import numpy as np
import pandas as pd
import pytest

from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.study import RatingScale, Study


def make_ratings(**changes):
    base = {"rater": ["r1", "r1", "r2", "r2"], "item": ["x", "y", "x", "y"], "rating": [4.0, 2.0, 5.0, 3.0]}
    return pd.DataFrame(base | changes)


def make_preferences(**changes):
    base = {"rater": ["r1", "r2"], "item_a": ["x", "y"], "item_b": ["y", "x"], "outcome": ["A", "TIE"]}
    return pd.DataFrame(base | changes)


def make_study(ratings=None, preferences=None, scale=(1, 5, 1)):
    return Study(ratings=ratings, preferences=preferences, scale=scale)


# What comes out.


def test_tables_are_canonical_and_copied():
    ratings = make_ratings(note=["a", "b", "c", "d"]).set_index(pd.Index([9, 8, 7, 6]))
    before = ratings.copy()
    study = make_study(ratings, make_preferences(outcome=["a", "Tie"], count=[2.0, 1.0]))
    pd.testing.assert_frame_equal(ratings, before)
    assert list(study.ratings.columns) == ["category", "dimension", "rater", "item", "rating", "note"]
    assert list(study.preferences.columns) == ["category", "dimension", "rater", "item_a", "item_b", "outcome", "count"]
    assert study.preferences["outcome"].tolist() == ["A", "TIE"]
    assert study.preferences["count"].dtype == np.int64
    assert study.ratings["rating"].dtype == np.float64
    assert isinstance(study.ratings.index, pd.RangeIndex)
    study.ratings.loc[0, "note"] = "changed"
    assert ratings["note"].tolist() == before["note"].tolist()
    assert study.n_preferences == 3


def test_properties():
    study = Study(
        ratings=make_ratings(category="c1", dimension=["d2", "d2", "d1", "d1"]),
        preferences=make_preferences(category=["c2", "c1"], dimension="d1", item_a=["u", "y"], item_b=["v", "x"]),
        scale=(1, 5),
    )
    assert study.categories == ("c1", "c2")
    assert study.dimensions == ("d2", "d1")
    assert study.raters == ("r1", "r2")
    assert study.items() == ("x", "y", "u", "v")
    assert study.items("c2") == ("u", "v")
    assert study.cells == (("c1", "d2"), ("c1", "d1"), ("c2", "d1"))
    assert study.coords["item"] == study.items()
    assert repr(study).startswith("Study(2 categories, 2 dimensions, 4 items, 2 raters; 4 ratings on 1 to 5")
    with pytest.raises(ArgumentError, match=r"category='c3'.*'c1', 'c2'"):
        study.items("c3")


def test_whole_numbers_become_text():
    ints = make_study(make_ratings(item=[1, 2, 1, 2]), make_preferences(item_a=[1.0, 2.0], item_b=["2", "1"]))
    assert ints.items() == ("1", "2")
    assert make_study(make_ratings(item=["007", "7", "007", "7"])).items() == ("007", "7")


def test_rater_may_be_missing_in_preferences_only():
    study = make_study(preferences=make_preferences().drop(columns="rater"), scale=None)
    assert study.raters == ()
    with pytest.raises(DataError, match="no column 'rater'"):
        make_study(make_ratings().drop(columns="rater"))
    both = make_study(make_ratings(), make_preferences().drop(columns="rater"))
    with pytest.raises(DataError, match="raters cannot be selected"):
        both.select(raters=["r1"])


def test_trials_allow_repeats():
    repeated = make_ratings(item=["x", "x", "x", "y"], trial=["1", "2", "1", "1"])
    assert make_study(repeated).ratings["trial"].tolist() == [1, 2, 1, 1]
    assert make_study(repeated.assign(trial=["01", "2", "1", "1"])).ratings["trial"].tolist() == ["01", "2", "1", "1"]
    twice = make_preferences(item_a=["x", "x"], item_b=["y", "y"], rater="r1")
    assert make_study(preferences=twice, scale=None).n_preferences == 2


def test_select():
    study = make_study(make_ratings(dimension="d"), make_preferences(dimension="d"))
    assert study.select() == study
    one = study.select(raters="r1")
    assert (one.n_ratings, one.n_preferences, one.raters) == (2, 1, ("r1",))
    only_x = study.select(items=["x"])
    assert only_x.preferences is None
    assert only_x.items() == ("x",)
    assert study.drop_protocol("ratings").scale == RatingScale(1, 5, 1)
    with pytest.raises(ArgumentError, match=r"raters: the study does not hold 'r9'; it holds 'r1', 'r2'"):
        study.select(raters=["r9"])
    with pytest.raises(ArgumentError, match="'ratings' and 'preferences'"):
        study.drop_protocol("both")
    with pytest.raises(DataError, match="no judgment is left"):
        study.drop_protocol("ratings").drop_protocol("preferences")


def test_equality():
    study = make_study(make_ratings(), make_preferences())
    assert study == make_study(make_ratings(), make_preferences())
    assert study != make_study(make_ratings(), make_preferences(), scale=(1, 5))
    assert study != make_study(make_ratings(rating=[4.0, 2.0, 5.0, 4.0]), make_preferences())
    assert study != make_study(make_ratings())
    assert study != "study"
    with pytest.raises(TypeError, match="unhashable"):
        hash(study)


# What is refused.

BAD_RATINGS = [
    ({"rating": [4, 2, 6, 3]}, ["ratings, column 'rating', row 2:", "6.0 is off the scale", "1 to 5 in steps of 1"]),
    ({"rating": [4, 2.5, 5, 3]}, ["row 1:", "2.5 is off the step of the scale", "in steps of 1"]),
    ({"rating": ["4", "good", "5", "3"]}, ["row 1:", "'good' is not a number"]),
    ({"rating": [4, 2, np.inf, 3]}, ["row 2:", "inf is not finite"]),
    ({"rating": [4, np.nan, 5, None]}, ["column 'rating', rows 1, 3:", "2 missing", "missing='drop'"]),
    ({"rating": ["4", "NA", "", "3"]}, ["rows 1, 2:", "2 missing", "'NA', ''"]),
    ({"rating": [True, True, True, True]}, ["rows 0, 1, 2, 3: True is not a number"]),
    ({"rating": pd.Series([1, True, 2, 3], dtype=object)}, ["row 1: True is not a number"]),
    ({"rating": [1 + 2j, 1, 2, 3]}, ["rows 0, 1, 2, 3: (1+2j)"]),
    ({"rating": pd.to_datetime(["2020-01-01"] * 4)}, ["is not a number"]),
    ({"rating": ["1,5", "1", "2", "3"]}, ["row 0: '1,5' is not a number"]),
    ({"item": [["x"], "y", "x", "y"]}, ["column 'item', row 0: ['x'] is not a single value"]),
    ({"item": [10.0**17, 1, 2, 3]}, ["row 0: 1e+17 cannot be an id"]),
    ({"item": ["x", None, "x", "y"]}, ["column 'item', row 1:", "1 missing"]),
    ({"rater": ["r1", "r1", " ", "r2"]}, ["column 'rater', row 2:", "1 missing"]),
    ({"item": [1.5, 2, 1.5, 2]}, ["column 'item', rows 0, 2:", "1.5 cannot be an id", "text or whole numbers"]),
    ({"item": ["x", "x", "x", "y"]}, ["rows 0, 1:", "more than one rating", "rater 'r1', item 'x'", "'trial'"]),
    ({"item": ["x", "x", "x", "y"], "trial": 1}, ["rows 0, 1:", "trial 1", "differently"]),
    ({"item": ["x", "y", "x ", "y"]}, ["column 'item', row 2:", "'x ' and 'x' differ by spaces alone"]),
    ({"category": ["c", "d", "d", "d"]}, ["item 'x'", "'c' (ratings, row 0) and 'd' (ratings, row 2)", "one category"]),
]


@pytest.mark.parametrize(("changes", "fragments"), BAD_RATINGS)
def test_bad_ratings(changes, fragments):
    with pytest.raises(DataError) as caught:
        make_study(make_ratings(**changes))
    for fragment in fragments:
        assert fragment in str(caught.value)


BAD_PREFERENCES = [
    ({"outcome": ["A", "C"]}, ["preferences, column 'outcome', row 1:", "unknown outcome 'C'", "'A'", "'B'", "'TIE'"]),
    ({"outcome": [1, 0]}, ["rows 0, 1:", "unknown outcome 1, 0"]),
    ({"outcome": ["A", None]}, ["column 'outcome', row 1:", "1 missing"]),
    ({"item_b": ["x", "x"]}, ["column 'item_a', 'item_b', row 0:", "'x' is compared with itself", "must differ"]),
    ({"count": [1, 0]}, ["column 'count', row 1:", "at least 1"]),
    ({"count": [1.5, 1]}, ["column 'count', row 0:", "1.5", "whole numbers"]),
    ({"rater": ["r1", None]}, ["column 'rater', row 1:", "1 missing"]),
    (
        {"rater": "r1", "item_a": "x", "item_b": "y", "trial": 1},
        ["rows 0, 1:", "more than one comparison", "'trial'"],
    ),
]


@pytest.mark.parametrize(("changes", "fragments"), BAD_PREFERENCES)
def test_bad_preferences(changes, fragments):
    with pytest.raises(DataError) as caught:
        make_study(preferences=make_preferences(**changes))
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_at_most_ten_rows_are_named():
    ratings = pd.DataFrame({"rater": "r", "item": range(30), "rating": 9})
    with pytest.raises(DataError, match=r"rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more: 9\.0 are off"):
        make_study(ratings)


def test_tables_that_do_not_match():
    apart = make_preferences(item_a=["u", "v"], item_b=["v", "u"])
    with pytest.raises(DataError, match=r"share no item in category 'all'.*'x', 'y'.*'u', 'v'"):
        make_study(make_ratings(), apart)
    with pytest.raises(DataError, match="share no item: the ratings are of the categories 'c'"):
        make_study(make_ratings(category="c"), apart.assign(category="d"))
    with pytest.raises(DataError, match=r"preferences: no column 'category'.*'c'.*cannot be matched"):
        make_study(make_ratings(category="c"), make_preferences())
    with pytest.raises(DataError, match=r"ratings: no column 'dimension'.*'d'"):
        make_study(make_ratings(), make_preferences(dimension="d"))
    with pytest.raises(DataError, match=r"'c' \(ratings, row 0\) and 'd' \(preferences, row 0\)"):
        make_study(make_ratings(category="c"), make_preferences(category="d"))
    with pytest.raises(DataError, match="column 'rater', row 0: 'r1 ' and 'r1'"):
        make_study(make_ratings(), make_preferences(rater=["r1 ", "r2"]))
    # A canonical table goes with one that leaves the defaults out.
    assert make_study(make_study(make_ratings()).ratings, make_preferences()).n_preferences == 2


def test_missing_tables_columns_and_scale():
    with pytest.raises(ArgumentError, match="both are None"):
        Study()
    with pytest.raises(ArgumentError, match="scale is None, but there are ratings"):
        Study(ratings=make_ratings())
    with pytest.raises(ArgumentError, match="preferences is a list"):
        Study(preferences=[1])
    with pytest.raises(DataError, match="ratings: the table has no rows"):
        make_study(make_ratings().head(0))
    with pytest.raises(DataError, match=r"no column 'item', 'rating'; found are 'rater'.*columns="):
        make_study(make_ratings()[["rater"]])
    doubled = make_ratings().set_axis(["rater", "item", "item"], axis=1)
    with pytest.raises(DataError, match="more than one column is called 'item'"):
        make_study(doubled)


# The scale.


def test_scale_contains_levels_and_codes():
    scale = RatingScale(0, 1, 0.1)
    assert scale.contains(np.float32(scale.levels)).all()
    assert not scale.contains([-0.1, 0.05, 1.1, np.nan]).any()
    assert scale.codes(scale.levels).tolist() == list(range(11))
    assert RatingScale(0, 100).levels is None
    assert RatingScale(0, 100).contains([0, 33.3, 100, 100.1]).tolist() == [True, True, True, False]
    with pytest.raises(ArgumentError, match="continuous"):
        RatingScale(0, 100).codes([1])
    with pytest.raises(ArgumentError, match="no levels"):
        RatingScale(1, 5, 1).codes([1.5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 1), "low=5 must be less than high=1"),
        ((1, 1), "must be less"),
        ((1, 5, 0.3), r"step=0\.3 does not divide"),
        ((1, 5, 8), "does not divide"),
        ((1, 5, 0), "must be positive"),
        ((1, np.inf), "high=inf is not finite"),
        (("1", 5), "low='1' is not a number"),
    ],
)
def test_bad_scale(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        RatingScale(*arguments)


def test_parse_scale():
    assert RatingScale.parse([1, 5, 1]) == RatingScale(1, 5, 1)
    for bad in ("15", (1,), (1, 2, 3, 4), 5):
        with pytest.raises(ArgumentError, match="is not a scale"):
            RatingScale.parse(bad)
