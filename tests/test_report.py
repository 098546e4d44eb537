"""Report: one content, shown as text, Markdown, JSON and HTML."""

import json
import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ppaint_stats.report import Report
from ppaint_stats.report.cells import format_cell, to_plain

TABLE = pd.DataFrame({"item": ["a|b", "[red]<x>"], "score": [0.123456, np.nan], "n": [45900, 2], "ok": [True, False]})


def make_report(**changes):
    content = {"title": "A <title>", "tables": {"scores": TABLE}, "text": "First.\n\nSecond & last.", "passed": False}
    return Report(**(content | {"settings": {"draws": 1000, "weights": [1, np.inf]}} | changes))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (1.0, "1"),
        (1 / 3, "0.3333"),
        (12345.678, "12,346"),
        (999.96, "1000"),
        (-1234.5, "-1,234"),
        (1e-9, "1e-09"),
        (1e20, "1e+20"),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (np.float32(0.5), "0.5"),
        (np.int64(-1000), "-1,000"),
        (None, ""),
        (pd.NA, ""),
        (np.bool_(False), "no"),
    ],
)
def test_format_cell(value, text):
    assert format_cell(value) == text


@given(st.floats(-1e300, 1e300))
def test_format_keeps_four_digits(x):
    assert float(format_cell(x).replace(",", "")) == pytest.approx(x, rel=5.1e-4)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


@given(json_values)
def test_plain_values_are_valid_json(value):
    assert json.loads(json.dumps(to_plain(value), allow_nan=False)) == to_plain(value)


def test_plain_values_of_other_types():
    given_value = {"a": np.array([1.5, np.nan]), "s": {3}, "p": pd.Timestamp("2026-01-01"), 1: np.float64(-np.inf)}
    assert to_plain(given_value) == {"a": [1.5, None], "s": [3], "p": "2026-01-01 00:00:00", "1": "-inf"}


def test_json():
    data = json.loads(make_report().to_json())
    assert list(data) == ["title", "passed", "text", "settings", "tables"]
    assert data["settings"] == {"draws": 1000, "weights": [1, "inf"]}
    assert data["tables"]["scores"][0] == {"item": "a|b", "score": 0.123456, "n": 45900, "ok": True}
    assert data["tables"]["scores"][1]["score"] is None


def test_markdown():
    text = make_report().to_markdown()
    assert "**Failed.** First." in text
    assert "| a\\|b | 0.1235 | 45,900 | yes |" in text
    assert "| [red]<x> |  | 2 | no |" in text
    assert "Settings: draws = 1,000" in text
    assert "... and 1 more row\n" in make_report().to_markdown(max_rows=1)
    assert "No rows." in make_report(tables={"none": TABLE.head(0)}).to_markdown()


def test_screen():
    console = Console(width=100)
    with console.capture() as captured:
        console.print(
            make_report(tables={"scores": TABLE, "long": pd.DataFrame({"x": range(99)}), "none": TABLE.head(0)})
        )
    text = captured.get()
    for part in ("A <title>", "Failed", "[red]<x>", "0.1235", "45,900", "... and 69 more rows", "none: no rows"):
        assert part in text
    assert "Passed" not in text


class Collector(HTMLParser):
    """Keeps open tags to see that they are closed, and the text."""

    void = frozenset({"meta", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html(tmp_path):
    svg = '<?xml version="1.0"?>\n<svg width="1" height="1"></svg>'
    report = make_report(figures={"curve": svg, "photo": b"\x89PNG"})
    page = report.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    parser = Collector()
    parser.feed(page)
    assert parser.open == []
    assert "[red]<x>" in parser.text
    assert "Second & last." in parser.text
    assert "prefers-color-scheme: dark" in page
    assert "<?xml" not in page
    assert ("img", {"alt": "photo", "src": "data:image/png;base64,iVBORw=="}) in parser.tags
    # Self-contained: nothing is fetched.
    assert not any(value.startswith(("http", "//")) for _, attrs in parser.tags for value in attrs.values() if value)
    assert "<script" not in page
    assert "<html" not in report._repr_html_()


def test_index_becomes_columns_and_reports_travel():
    report = Report("t", {"x": pd.DataFrame({"v": [1]}, index=pd.Index(["a"], name="item"))}, "")
    assert list(report.tables["x"].columns) == ["item", "v"]
    assert pickle.loads(pickle.dumps(report)).to_json() == report.to_json()
    assert repr(report) == "Report('t'; tables: x)"
    assert repr(make_report()) == "Report('A <title>', failed; tables: scores)"
    assert str(report).startswith("# t")
