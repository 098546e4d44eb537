"""read_study: files, dataframes, folders, margins, counts, and errors that point at the place."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppaint_stats.errors import ArgumentError, DataError, DiscardedDataWarning
from ppaint_stats.io import counts_to_preferences, melt_ratings, read_study
from ppaint_stats.study import RatingScale, Study

RATINGS = pd.DataFrame({"rater": ["01", "NA"], "item": ["x", "y"], "rating": [4.5, 2.0]})
PREFERENCES = pd.DataFrame({"rater": ["01", "NA"], "item_a": ["x", "y"], "item_b": ["y", "x"], "outcome": ["A", "tie"]})
EXPECTED = Study(ratings=RATINGS, preferences=PREFERENCES, scale=(1, 5))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


# Laws: what is written comes back, whatever the file type.

names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=4)


@st.composite
def studies(draw):
    items = draw(st.lists(names, min_size=2, max_size=5, unique=True))
    raters = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    scale = draw(st.sampled_from([RatingScale(1, 5, 1), RatingScale(0, 1, 0.1), RatingScale(-1, 1)]))
    value = st.floats(-1, 1) if scale.levels is None else st.sampled_from(scale.levels.tolist())
    ratings = pd.DataFrame([(r, i, draw(value)) for r in raters for i in items], columns=["rater", "item", "rating"])
    pairs = st.tuples(st.sampled_from(raters), st.permutations(items), st.sampled_from(["A", "B", "TIE"]))
    rows = [(r, order[0], order[1], o, n) for n, (r, order, o) in enumerate(draw(st.lists(pairs, min_size=1)), start=1)]
    preferences = pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome", "count"])
    kept = draw(st.sampled_from(["both", "ratings", "preferences"]))
    return Study(
        ratings if kept != "preferences" else None,
        preferences if kept != "ratings" else None,
        scale if kept != "preferences" else None,
    )


@settings(max_examples=25)
@given(study=studies(), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", "folder"]))
def test_round_trip(study, suffix):
    with tempfile.TemporaryDirectory() as folder:
        if suffix == "folder":
            assert read_study(study.save(Path(folder) / "study")) == study
            return
        paths = {}
        for name in ("ratings", "preferences"):
            table, path = getattr(study, name), Path(folder) / f"{name}{suffix}"
            if table is None:
                continue
            if suffix == ".parquet":
                table.to_parquet(path)
            elif "json" in suffix:
                # One record at a time, because pandas rounds to ten decimals.
                lines = [json.dumps(record) for record in table.to_dict("records")]
                path.write_text("\n".join(lines), encoding="utf-8")
            else:
                table.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
            paths[name] = path
        assert read_study(**paths, scale=study.scale) == study


def test_other_dataframes():
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    for convert in (polars.from_pandas, pyarrow.Table.from_pandas):
        assert read_study(ratings=convert(RATINGS), preferences=convert(PREFERENCES), scale=(1, 5)) == EXPECTED
    for wrong in (3, polars.from_pandas(RATINGS).lazy()):
        with pytest.raises(ArgumentError, match="ratings is a"):
            read_study(ratings=wrong, scale=(1, 5))


def test_csv_keeps_ids_and_extras(tmp_path):
    ratings = write(tmp_path / "r.csv", "\ufeffrater,item,rating,age,note\n01,x,4.5,31,NA\nNA,y,2,,ok\n")
    study = read_study(ratings=ratings, scale=(1, 5))
    assert study.raters == ("01", "NA")
    assert study.ratings["age"].tolist()[0] == 31
    assert study.ratings[["age", "note"]].isna().to_numpy().tolist() == [[False, True], [True, False]]


def test_columns_mapping():
    ratings = RATINGS.rename(columns={"item": "image", "rating": "score"})
    preferences = PREFERENCES.rename(columns={"outcome": "winner", "rater": "who"})
    flat = {"image": "item", "score": "rating", "winner": "outcome", "who": "rater"}
    nested = {"ratings": {"image": "item", "score": "rating"}, "preferences": {"winner": "outcome", "who": "rater"}}
    for columns in (flat, nested):
        assert read_study(ratings=ratings, preferences=preferences, scale=(1, 5), columns=columns) == EXPECTED
    bad = [
        ({"picture": "item"}, ArgumentError, r"no column 'picture'.*ratings has 'image'"),
        ({"image": "thing"}, ArgumentError, r"'image' cannot become 'thing'; allowed are category"),
        ({"item": "image"}, ArgumentError, "not these to yours"),
        ({"votes": {"image": "item"}}, ArgumentError, "'votes' is no table"),
        ({"image": "item", "score": "item"}, DataError, "would both be called 'item'"),
        ({"image": "item"}, DataError, r"ratings: no column 'rating'; found are 'rater', 'item', 'score'"),
    ]
    for columns, error, message in bad:
        with pytest.raises(error, match=message):
            read_study(ratings=ratings, scale=(1, 5), columns=columns)


# Errors name file, column, row, line, value and what is allowed.


def test_error_names_file_row_and_line(tmp_path):
    path = write(tmp_path / "r.csv", "rater,item,rating\nr1,x,4\nr1,y,9\n")
    with pytest.raises(DataError) as caught:
        read_study(ratings=path, scale=(1, 5, 1))
    for part in (str(path), "column 'rating'", "row 1 (line 3)", "9.0 is off the scale", "1 to 5 in steps of 1"):
        assert part in str(caught.value)
    # With a blank line in between, rows and lines part ways: only the row is named.
    write(path, "rater,item,rating\n\nr1,x,4\nr1,y,9\n")
    with pytest.raises(DataError, match="row 1: 9"):
        read_study(ratings=path, scale=(1, 5, 1))
    lines = write(
        tmp_path / "r.jsonl", '{"rater": 1, "item": "x", "rating": 4}\n{"rater": 1, "item": "y", "rating": 9}\n'
    )
    with pytest.raises(DataError, match=r"row 1 \(line 2\)"):
        read_study(ratings=lines, scale=(1, 5, 1))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", b"rater,item,rating\nr1,caf\xe9,4\n", r"byte 24 \(line 2\) is 0xe9, which is not utf-8.*encoding="),
        ("r.csv", b"r1,x,4\nr1,y,3\n", r"no column 'rater', 'item', 'rating'; found are 'r1', 'x', '4'.*header"),
        ("r.csv", b"rater;item;rating\nr1;x;4\n", "not to be separated by ','"),
        ("r.csv", b"rater,item,item,rating\n", "more than one column is called 'item'"),
        ("r.csv", b"rater,item,rating\nr1,x,4,5\n", "cannot be read as a table"),
        ("r.csv", b"rater,item,rating\nr1,x,4\nr1,y,4,5\n", "cannot be read as a table.*line 3"),
        ("r.csv", b"rater,item,rating\nr1,x\n", r"column 'rating', row 0 \(line 2\): 1 missing"),
        ("r.csv", b"rater,item,rating\n", "has no rows"),
        ("r.csv", b"", "the file is empty"),
        ("r.jsonl", b'{"rater": 1}\n{oops\n', "line 2: not valid JSON"),
        ("r.jsonl", b"[1, 2]\n", "line 1: each line must be an object"),
        ("r.parquet", b"PAR0", "cannot be read as Parquet"),
    ],
)
def test_broken_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_study(ratings=path, scale=(1, 5))
    assert str(path) in str(caught.value)


def test_encoding(tmp_path):
    for encoding in ("latin-1", "utf-16"):
        path = write(tmp_path / "r.csv", "rater,item,rating\nr1,café,4\n", encoding)
        assert read_study(ratings=path, scale=(1, 5), encoding=encoding).items() == ("café",)
    with pytest.raises(ArgumentError, match="encoding='klingon'"):
        read_study(ratings=path, scale=(1, 5), encoding="klingon")


def test_wrong_arguments(tmp_path):
    file = write(tmp_path / "r.csv", "a")
    cases = [
        ({}, "give a study folder"),
        ({"source": tmp_path, "scale": (1, 5)}, "'scale' cannot be given with it"),
        ({"source": file}, "is a file"),
        ({"ratings": tmp_path / "r.xlsx", "scale": (1, 5)}, r"allowed are \.csv"),
        ({"ratings": RATINGS, "scale": (1, 5), "tie_margin": 1}, "there are none"),
        ({"ratings": RATINGS, "scale": (1, 5), "missing": "mean"}, "'error' and 'drop'"),
    ]
    for arguments, message in cases:
        with pytest.raises(ArgumentError, match=message):
            read_study(**arguments)
    with pytest.raises(DataError, match="there is no file"):
        read_study(ratings=tmp_path / "none.csv", scale=(1, 5))
    with pytest.raises(DataError, match=r"is no study folder: it has no study\.json"):
        read_study(tmp_path)


def test_missing_rows_can_be_left_out_loudly(tmp_path):
    path = write(tmp_path / "r.csv", "rater,item,rating\nr1,x,\nr1,y,NA\nr1,z,4\nr1,w,9\n")
    with pytest.raises(DataError, match=r"rows 0, 1 \(lines 2, 3\): 2 missing \(the table holds '', 'NA'\)"):
        read_study(ratings=path, scale=(1, 9))
    with pytest.warns(DiscardedDataWarning, match=r"2 of 4 rows left out .* 'rating' \(2\): rows 0, 1 \(lines 2, 3\)"):
        assert read_study(ratings=path, scale=(1, 9), missing="drop").items() == ("z", "w")
    # Rows keep their place in the file, whatever was left out before them.
    with (
        pytest.warns(DiscardedDataWarning, match="2 of 4"),
        pytest.raises(DataError, match=r"row 3 \(line 5\): 9\.0 is off"),
    ):
        read_study(ratings=path, scale=(1, 5), missing="drop")
    write(path, "rater,item,rating\nr1,x,\n")
    with pytest.raises(DataError, match="every row lacks a value"):
        read_study(ratings=path, scale=(1, 9), missing="drop")


# Margins.


def read_margins(margin, k, outcome=None):
    frame = pd.DataFrame({"item_a": "x", "item_b": "y", "margin": margin})
    if outcome is not None:
        frame["outcome"] = outcome
    return read_study(preferences=frame, tie_margin=k).preferences["outcome"].tolist()


def test_margins_become_outcomes():
    assert read_margins([5, -5, 1, -1, 0], 1) == ["A", "B", "TIE", "TIE", "TIE"]
    assert read_margins([5, 5, 1], 1, ["A", "B", "B"]) == ["A", "B", "TIE"]
    assert read_margins([5, -5, 0], 0, ["a", "b", "tie"]) == ["A", "B", "TIE"]


@given(st.lists(st.integers(-20, 20), min_size=1), st.integers(0, 20))
def test_margins_mirror(margin, k):
    mirror = {"A": "B", "B": "A", "TIE": "TIE"}
    assert read_margins([-m for m in margin], k) == [mirror[o] for o in read_margins(margin, k)]


def test_margins_that_contradict():
    with pytest.raises(DataError, match=r"column 'outcome', row 1: outcome 'A' contradicts margin -5"):
        read_margins([5, -5], 1, ["A", "A"])
    with pytest.raises(DataError, match="outcome 'TIE' contradicts margin 5"):
        read_margins([5, 5], 1, ["A", "TIE"])
    with pytest.raises(DataError, match=r"column 'margin', row 1: 1 missing"):
        read_margins([5, np.nan], 1)
    with pytest.raises(DataError, match="needs a column 'margin'"):
        read_study(preferences=PREFERENCES, tie_margin=1)
    with pytest.raises(DataError, match="tie_margin= turns the column 'margin' into outcomes"):
        read_study(preferences=pd.DataFrame({"item_a": ["x"], "item_b": ["y"], "margin": [1]}))
    for bad in (-1, np.nan, True):
        with pytest.raises(ArgumentError, match="at least 0"):
            read_margins([1], bad)


# Wide tables.


def test_counts_to_preferences():
    wide = pd.DataFrame({"l": ["x", "x"], "r": ["y", "z"], "a": [3, 0], "t": [1, 0], "b": [0, 2], "week": [1, 2]})
    long = counts_to_preferences(wide, item_a="l", item_b="r", win_a="a", win_b="b", tie="t")
    assert long.to_numpy().tolist() == [["x", "y", "A", 3, 1], ["x", "y", "TIE", 1, 1], ["x", "z", "B", 2, 2]]
    with pytest.raises(ArgumentError, match="no column 'win_a', 'win_b'"):
        counts_to_preferences(wide, item_a="l", item_b="r")
    with pytest.raises(DataError, match=r"column 'a', row 0: -1 is no such count"):
        counts_to_preferences(wide.assign(a=[-1, 0]), item_a="l", item_b="r", win_a="a", win_b="b")
    with pytest.raises(DataError, match="every count is 0"):
        counts_to_preferences(wide.assign(a=0, b=0), item_a="l", item_b="r", win_a="a", win_b="b")


def test_melt_ratings():
    wide = pd.DataFrame({"image": ["x", "y"], "s1": ["1", "NA"], "s2": ["2", "3"], "set": ["p", "q"]})
    long = melt_ratings(wide, item="image", raters={"s1": "Ann", "s2": "Bob"})
    assert long.to_numpy().tolist() == [["Ann", "x", "1", "p"], ["Bob", "x", "2", "p"], ["Bob", "y", "3", "q"]]
    with pytest.raises(ArgumentError, match="no column 's3'"):
        melt_ratings(wide, item="image", raters=["s3"])


# Study folders.


def test_folder_is_written_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "deep" / "study"
    assert EXPECTED.save(folder) == folder
    assert sorted(p.name for p in folder.iterdir()) == ["preferences.parquet", "ratings.parquet", "study.json"]
    with pytest.raises(ArgumentError, match="overwrite=True"):
        EXPECTED.save(folder)
    smaller = EXPECTED.drop_protocol("preferences")
    assert read_study(smaller.save(folder, overwrite=True)) == smaller
    # A table that cannot be written leaves the old study as it was.
    broken = Study(ratings=RATINGS.assign(extra=[1, "one"]), scale=(1, 5))
    with pytest.raises(DataError, match="cannot be written as Parquet"):
        broken.save(folder, overwrite=True)
    assert read_study(folder) == smaller
    assert [p.name for p in folder.parent.iterdir()] == ["study"]


def test_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("words")
    with pytest.raises(ArgumentError, match="holds no study"):
        EXPECTED.save(tmp_path, overwrite=True)
    folder = EXPECTED.save(tmp_path / "study")
    (folder / "notes.txt").write_text("words")
    with pytest.raises(ArgumentError, match=r"more than a study \('notes\.txt'\)"):
        EXPECTED.save(folder, overwrite=True)
    with pytest.raises(ArgumentError, match="is a file"):
        EXPECTED.save(tmp_path / "thesis.txt")


def test_damaged_folders(tmp_path):
    folder = EXPECTED.save(tmp_path / "study")
    meta = json.loads((folder / "study.json").read_text())
    cases = [
        ("{", "not valid JSON"),
        (json.dumps(meta | {"format": "x"}), "'format' must be 'ppaint study'"),
        (json.dumps(meta | {"version": 9}), "version 9"),
        (json.dumps(meta | {"scale": {"low": 1}}), "'scale' must hold"),
        (json.dumps(meta | {"rows": {"ratings": 7, "preferences": 2}}), "has 2 rows, but study.json says 7"),
        (json.dumps(meta | {"rows": {"ratings": 2}}), "says that the study has no preferences"),
    ]
    for text, message in cases:
        (folder / "study.json").write_text(text)
        with pytest.raises(DataError, match=message):
            read_study(folder)
    (folder / "study.json").write_text(json.dumps(meta))
    (folder / "ratings.parquet").unlink()
    with pytest.raises(DataError, match=r"ratings\.parquet is lacking"):
        read_study(folder)


# Real data, with the columns of their sources.


def test_voicelik(data_dir):
    files = {"ratings": data_dir / "voicelik_ratings.csv", "preferences": data_dir / "voicelik_pairs.csv"}
    arguments = {**files, "scale": (0, 100), "columns": {"winner": "outcome"}}
    with pytest.raises(DataError, match=r"voicelik_ratings\.csv\), column 'rating', row 71 \(line 73\): 1 missing"):
        read_study(**arguments)
    with pytest.warns(DiscardedDataWarning, match="1 of 195 rows"):
        study = read_study(**arguments, missing="drop", tie_margin=10)
    assert (study.n_ratings, study.n_preferences, len(study.raters), len(study.items())) == (194, 1365, 13, 15)
    assert (study.preferences["outcome"] == "TIE").sum() == (study.preferences["margin"] <= 10).sum() == 181


def test_rankme(data_dir):
    study = read_study(
        ratings=data_dir / "rankme_ratings.csv",
        preferences=data_dir / "rankme_pairs.csv",
        scale=(1, 6, 1),
        columns={"winner": "outcome"},
        tie_margin=0,
    )
    assert (study.n_ratings, study.n_preferences, len(study.items())) == (2700, 2700, 300)
    ties = study.preferences["outcome"].eq("TIE").groupby(study.preferences["dimension"]).mean().round(2)
    assert ties.to_dict() == {"informativeness": 0.43, "naturalness": 0.7, "quality": 0.63}


def test_cems(data_dir):
    study = read_study(preferences=counts_to_preferences(pd.read_csv(data_dir / "cems_counts.csv"), tie="tie"))
    assert len(study.items()) == 6
    assert study.n_preferences == 4454


def test_sigir(data_dir):
    pairs = pd.read_csv(data_dir / "sigir2020_image_pairs.csv").melt(
        id_vars=["query", "left", "right"], var_name="rater", value_name="margin"
    )
    study = read_study(
        ratings=pd.read_csv(data_dir / "sigir2020_image_relevance.csv").assign(rater="mean of three"),
        preferences=pairs,
        scale=(0, 100),
        columns={
            "query": "category",
            "left": "item_a",
            "right": "item_b",
            "image": "item",
            "mean_relevance": "rating",
        },
        tie_margin=0,
    )
    assert (len(study.categories), len(study.items()), study.n_preferences) == (102, 2919, 3 * 41538)


def test_cadb_and_repeats(data_dir):
    wide = pd.read_csv(data_dir / "cadb_ratings.csv")
    study = read_study(ratings=melt_ratings(wide, item="image", raters=[f"s{i}" for i in range(1, 6)]), scale=(1, 5, 1))
    assert study.n_ratings == 5 * 9497
    with pytest.raises(DataError, match=r"rows 0, 1, 4, .* and 950 more: more than one rating of .*'trial'"):
        read_study(ratings=data_dir / "pixelpattern_complexity_ratings.csv", scale=(0, 100, 1))
