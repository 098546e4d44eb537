"""Published score tables: columns become dimensions, file names items, votes means; and the command that reads them."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ppaint_distill.cli import app
from ppaint_distill.evaluate import evaluate_scores
from ppaint_distill.score_tables import find_vote_columns, name_item, tidy_scores
from ppaint_stats.errors import ArgumentError, DataError

COLUMNS = {"Total aesthetic score": "overall", "Color": "coloration", "Mood": "mood"}
STYLES = ("Oil painting", "Sketching")


def make_published(n: int = 40) -> pd.DataFrame:
    """A table in the form of APDDv2's: a row an image, text beside numbers, gaps among the attributes."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"filename": [f"{i:04d}.JPG" for i in range(n)]})
    table["Artistic Categories"] = [STYLES[i % 2] for i in range(n)]
    table["Total aesthetic score"] = rng.integers(20, 95, n)
    table["Color"] = np.where(np.arange(n) % 5 == 0, np.nan, rng.integers(1, 11, n))
    table["Mood"] = rng.integers(1, 11, n).astype(float)
    return table.assign(**{"Language Comment": "très beau"})


def predict(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions by the names that the models use, without categories."""
    rng = np.random.default_rng(2)
    parts = [
        pd.DataFrame(
            {
                "item": table["filename"].map(lambda text: Path(text).stem),
                "dimension": dimension,
                "score": table[column].fillna(5).astype(float) + 3 * rng.standard_normal(len(table)),
            }
        )
        for column, dimension in COLUMNS.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_wide_columns_become_dimensions_and_gaps_are_left_out() -> None:
    table = make_published()
    tidy = tidy_scores(table, item="filename", category="Artistic Categories", dimensions=COLUMNS)
    assert list(tidy) == ["category", "dimension", "item", "score"]
    assert tidy["dimension"].value_counts().to_dict() == {"overall": 40, "mood": 40, "coloration": 32}
    for column, dimension in COLUMNS.items():
        part = tidy[tidy["dimension"] == dimension].set_index("item")["score"]
        known = table.assign(item=table["filename"].str.removesuffix(".JPG")).set_index("item")[column].dropna()
        pd.testing.assert_series_equal(part, known.astype(float), check_names=False)
    assert tidy.loc[tidy["item"] == "0001", "category"].unique().tolist() == ["Sketching"]


def test_each_category_and_attribute_is_evaluated_on_its_own_rows() -> None:
    table = make_published()
    tidy = tidy_scores(table, item="filename", category="Artistic Categories", dimensions=COLUMNS)
    scores = evaluate_scores({"m": predict(table)}, tidy, n_boot=0).tables["scores"]
    cells = scores.set_index(["category", "dimension"])["n_items"].to_dict()
    assert cells["Oil painting", "coloration"] == 16
    assert cells["Sketching", "mood"] == 20
    assert cells["all categories", "mean"] == 40
    # By hand: the rank correlation of one cell.
    own = table[table["Artistic Categories"] == "Sketching"]
    guess = predict(table).query("dimension == 'mood'").set_index("item")["score"]
    expected = own["Mood"].corr(guess.loc[own["filename"].str.removesuffix(".JPG")].set_axis(own.index), "spearman")
    row = scores.query("category == 'Sketching' and dimension == 'mood'").iloc[0]
    assert row["srcc"] == pytest.approx(expected)


def test_categories_of_two_images_are_left_out_and_named() -> None:
    table = make_published()
    table.loc[:1, "Artistic Categories"] = "Pastel"
    tidy = tidy_scores(table, item="filename", category="Artistic Categories", dimensions=COLUMNS)
    report = evaluate_scores({"m": predict(table)}, tidy, n_boot=20)
    assert "Pastel" not in set(report.tables["scores"]["category"])
    assert np.isfinite(report.tables["scores"].query("dimension == 'mean'")["srcc"]).all()
    assert report.tables["small"].values.tolist() == [
        ["Pastel", "overall", 2],
        ["Pastel", "coloration", 1],
        ["Pastel", "mood", 2],
    ]
    assert "fewer than 3 items: overall of Pastel (2)" in report.text


def test_votes_become_a_mean_and_its_standard_error() -> None:
    rng = np.random.default_rng(3)
    votes = [rng.integers(1, 11, size=rng.integers(2, 200)) for _ in range(20)]
    counts = {f"count_{k}": [int((own == k).sum()) for own in votes] for k in range(10, 0, -1)}
    table = pd.DataFrame({"image_id": np.arange(20) + 953_000, **counts})
    columns = find_vote_columns(table, "count_*")
    assert list(columns.values()) == [float(k) for k in range(1, 11)]
    tidy = tidy_scores(table, item="image_id", votes=columns)
    assert tidy["item"].tolist() == [str(953_000 + i) for i in range(20)]
    np.testing.assert_allclose(tidy["score"], [own.mean() for own in votes])
    np.testing.assert_allclose(tidy["sd"], [own.std(ddof=1) / np.sqrt(len(own)) for own in votes])
    report = evaluate_scores({"m": tidy[["item", "dimension", "score"]]}, tidy, n_boot=0).tables["scores"]
    assert report["srcc"].iloc[0] == pytest.approx(1)
    assert 0.5 < report["noise_ceiling"].iloc[0] < 1


def test_one_vote_has_no_standard_error() -> None:
    table = pd.DataFrame({"item": ["x", "y"], "1": [1, 3], "2": [0, 3]})
    tidy = tidy_scores(table, votes={"1": 1, "2": 2})
    assert np.isnan(tidy["sd"].iloc[0])
    assert tidy["sd"].iloc[1] == pytest.approx(np.std([1] * 3 + [2] * 3, ddof=1) / np.sqrt(6))


def test_scores_move_to_the_scale_of_the_models() -> None:
    table = pd.DataFrame({"item": ["x", "y", "z"], "s": [0, 50, 100]})
    tidy = tidy_scores(table, dimensions={"s": "overall"}, scale=(0, 100), to_scale=(1, 5))
    assert tidy["score"].tolist() == [1, 3, 5]


@pytest.mark.parametrize(
    ("text", "item"),
    [("a.jpg", "a"), ("oil/b.PNG", "b"), ("no.7", "no.7"), ("x.y.jpeg", "x.y"), ("d\\e.webp", "e"), (" 12 ", "12")],
)
def test_items_are_those_of_files(text: str, item: str) -> None:
    assert name_item(text) == item


def make_bad() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "file": ["a.jpg", "b.jpg", "a.png"],
            "s": [1, "good", 3],
            "g": [None, None, None],
            "1": [1, 0, 2],
            "2": [2, 0, -1],
        }
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"item": "name", "dimensions": {"s": "s"}}, ["t.csv", "lacks the columns ['name']", "'file'"]),
        ({"item": "file", "dimensions": {"q": "s"}}, ["lacks the columns ['q']"]),
        ({"item": "file", "dimensions": {"s": "s"}}, ["'file'", "rows [0, 2]", "'a'"]),
        ({"item": "1", "dimensions": {"s": "s"}}, ["'s'", "rows [1]", "good", "a number or nothing"]),
        ({"item": "1", "dimensions": {"g": "s"}}, ["'g'", "no score at all"]),
        ({"item": "1", "votes": {"1": 1, "2": 2}}, ["'2'", "rows [2]", "a count"]),
        ({"item": "g", "dimensions": {"1": "s"}}, ["'g'", "rows [0, 1, 2]", "a name is needed"]),
        ({"item": "1", "category": "g", "dimensions": {"1": "s"}}, ["'g'", "a category is needed"]),
        ({"item": "1", "dimensions": {"2": "s"}, "scale": (0, 5)}, ["'2'", "rows [2]", "0 to 5"]),
    ],
)
def test_what_is_not_allowed_is_named(options: dict, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        tidy_scores(make_bad(), name="t.csv", **options)
    for word in words:
        assert word in str(caught.value)


def test_an_image_without_votes_is_named() -> None:
    with pytest.raises(DataError, match=r"rows \[1\]: an image needs a vote"):
        tidy_scores(make_bad().iloc[:2], item="file", votes={"1": 1, "2": 2})


def test_choices_that_make_no_sense_are_refused() -> None:
    table = make_bad()
    with pytest.raises(ArgumentError, match="name a column of scores"):
        tidy_scores(table, item="file")
    with pytest.raises(ArgumentError, match="one column a dimension"):
        tidy_scores(table, item="1", dimensions={"1": "s", "2": "s"})
    with pytest.raises(ArgumentError, match="two or more"):
        tidy_scores(table, item="1", votes={"1": 1})
    with pytest.raises(ArgumentError, match="to_scale needs scale"):
        tidy_scores(table, item="1", dimensions={"1": "s"}, to_scale=(1, 5))
    with pytest.raises(ArgumentError, match=r"one \*"):
        find_vote_columns(table, "count")
    with pytest.raises(DataError, match="two or more"):
        find_vote_columns(table, "count_*")


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = make_published()
    table.to_csv("APDDv2-10023.csv", index=False, encoding="latin-1")
    predict(table).to_csv("mine.csv", index=False)
    rng = np.random.default_rng(4)
    rows = [[i + 1, 900_000 + i, *rng.integers(0, 9, 10).tolist(), 1, 22, 1396] for i in range(5)]
    Path("AVA.txt").write_text("\n".join(" ".join(map(str, row)) for row in rows), encoding="utf-8")
    page = Path(__file__).parents[1] / "docs/how-to/published-scores.md"
    names: dict = {}
    for body in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(body, str(page), "exec"), names)
    assert set(names["report"].tables["scores"]["category"]) == {"Oil painting"}
    votes = np.array(rows[0][2:12])
    assert names["means"]["score"].iloc[0] == pytest.approx((votes * np.arange(1, 11)).sum() / votes.sum())


def run(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_reads_a_table_like_apdd(tmp_path: Path) -> None:
    table = make_published()
    table.to_csv(tmp_path / "table.csv", index=False, encoding="latin-1")
    predict(table).to_csv(tmp_path / "mine.csv", index=False)
    pairs = [word for column, dimension in COLUMNS.items() for word in ("--dimension", f"{column}={dimension}")]
    words = ["evaluate", f"mine={tmp_path / 'mine.csv'}", "--truth", tmp_path / "table.csv", "--item", "filename"]
    words += ["--category", "Artistic Categories", *pairs]
    code, _, error = run(*words)
    assert code == 2
    assert "--encoding" in error
    code, out, error = run(*words, "--encoding", "latin-1", "--json")
    assert code == 0, error
    scores = pd.DataFrame(json.loads(out)["tables"]["scores"])
    assert set(scores["dimension"]) == {*COLUMNS.values(), "mean"}
    assert set(scores["category"]) == {*STYLES, "all categories"}


def test_the_command_reads_votes(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    counts = {str(k): rng.integers(0, 50, 30) for k in range(1, 11)}
    table = pd.DataFrame({"image_id": [f"{i:05d}" for i in range(30)], **counts})
    table.to_csv(tmp_path / "ava.csv", index=False)
    mean = sum(int(k) * v for k, v in counts.items()) / sum(counts.values())
    mine = pd.DataFrame({"item": table["image_id"], "dimension": "beauty", "score": 1 + 4 * (mean - 1) / 9})
    mine.to_csv(tmp_path / "mine.csv", index=False)
    words = ["evaluate", tmp_path / "mine.csv", "--truth", tmp_path / "ava.csv", "--item", "image_id"]
    words += ["--votes", "*=beauty"]
    code, out, error = run(*words, "--truth-scale", "1:10", "--scale", "1", "5", "--json")
    assert code == 0, error
    row = json.loads(out)["tables"]["scores"][0]
    assert row["srcc"] == pytest.approx(1)
    assert row["mae"] == pytest.approx(0, abs=1e-9)
    code, _, error = run(*words, "--scale", "1", "5")
    assert code == 2
    assert "belong together" in error
    code, _, error = run(*words[:4], "--truth-scale", "1:10", "--scale", "1", "5")
    assert code == 2
    assert "name the columns of the truth" in error
