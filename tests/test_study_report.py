"""The report of a study: verdicts from the tables, sections for every kind of study, names that stay text."""

import json
import pickle
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from bayes_helpers import fuse, simulate
from PIL import Image
from typer.testing import CliRunner

import ppaint_stats as ps
from ppaint_stats.cli import app
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.report import Report, load_report
from ppaint_stats.report.files import write_text
from ppaint_stats.report.tables import choose_decimals, find_ends, render_table, write_number
from ppaint_stats.study_report import Section, StudyReport, report_study
from ppaint_stats.study_report.reliability import count_raters, judge_panels
from ppaint_stats.study_report.scores import choose_main
from ppaint_stats.study_report.thumbnails import read_thumbnails

EVIL = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
ANCHORS = ["answer", "data", "reliability", "scores", "raters", "agreement", "convergence", "prediction", "methods"]


def make_evil(study):
    """The same study, with names that are code, formulas, quotes, lines and text from right to left."""

    def rename(frame):
        names = {
            study.items()[0]: EVIL,
            study.items()[1]: IMAGE,
            study.items()[2]: "$x_1$\n2",
        }
        frame = frame.copy()
        for column in frame.columns.intersection(["item", "item_a", "item_b"]):
            frame[column] = frame[column].replace(names)
        frame["category"] = f"category {EVIL}"
        frame["dimension"] = f"dimension {EVIL} " + frame["dimension"]
        frame["rater"] = frame["rater"].replace({study.raters[0]: f"rater {EVIL}", study.raters[1]: "שלום" * 60})
        return frame

    return ps.Study(ratings=rename(study.ratings), preferences=rename(study.preferences), scale=study.scale)


@pytest.fixture(scope="module")
def study():
    return simulate(n_items=9, n_raters=4, n_pairs=30, dimensions=("mood",))


@pytest.fixture(scope="module")
def reliability(study):
    return ps.assess_reliability(study, n_boot=60, n_subsets=1, random_seed=1)


@pytest.fixture(scope="module")
def fusions(study):
    return ps.fuse_davidson(study), ps.fuse_elo(study, n_orders=10, random_seed=1)


@pytest.fixture(scope="module")
def report(study, fusions, reliability):
    return report_study(study, fusions=fusions, reliability=reliability, random_seed=1, progressbar=False)


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    void = frozenset({"meta", "img", "br", "path", "use", "rect", "image"})

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not (self.open and self.open[-1] in {"script", "style"}):
            self.text.append(data)

    def find(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_sections_are_in_order_and_say_what_is_missing(report):
    assert [s.anchor for s in report.sections] == ANCHORS
    by_name = {s.anchor: s for s in report.sections}
    assert "ppaint fuse" in by_name["convergence"].missing[0]
    assert "ppaint validate" in by_name["prediction"].missing[0]
    assert any("--nulls" in line for line in by_name["agreement"].missing)
    assert repr(report).startswith("StudyReport('Report of a study'; sections: The short answer")
    assert str(report).startswith("Report of a study\n\n")
    assert isinstance(by_name["scores"], Section)
    assert repr(by_name["scores"]).startswith("Section('Fused scores'")


def test_verdicts_are_written_from_the_tables(report, reliability):
    summary = reliability.tables["summary"].set_index(["protocol", "statistic"])
    row = summary.loc[("ratings", "ICC(C,k)")]
    found = [f for f in report.findings if f.topic == "ratings"]
    assert len(found) == 1
    assert found[0].value == row["estimate"]
    assert f"{row['estimate']:.2f} [{row['lower']:.2f}, {row['upper']:.2f}]" in found[0].text
    table = report.sections[0].tables["verdicts"]
    assert table["text"].tolist() == [f.text for f in report.findings]
    assert table["status"].map({"bad": 0, "look": 1, "open": 2, "good": 3}).is_monotonic_increasing


@pytest.mark.parametrize(
    ("value", "lower", "upper", "status", "action"),
    [
        (0.62, 0.48, 0.71, "bad", "Add 8 raters for 0.8 (13 in all, by Spearman-Brown)."),
        (0.84, 0.76, 0.90, "look", "Add 2 raters for 0.8 even at the lower end (7 in all, by Spearman-Brown)."),
        (0.92, 0.85, 0.95, "good", ""),
        (0.0, 0.0, 0.2, "bad", "No number of raters up to 200 is sure to reach it"),
        (np.nan, np.nan, np.nan, "open", ""),
        (0.92, np.nan, np.nan, "look", "Assess it with resamples (n_boot)"),  # no interval is no evidence
        (0.62, np.nan, np.nan, "bad", "Add 8 raters"),
    ],
)
def test_what_follows_from_a_reliability(value, lower, upper, status, action):
    row = {
        "category": "portrait",
        "dimension": "mood",
        "protocol": "ratings",
        "statistic": "ICC(C,k)",
        "estimate": value,
    }
    summary = pd.DataFrame([row | {"lower": lower, "upper": upper, "n_raters": 5, "reason": "few"}])
    (finding,) = judge_panels(summary, "ratings")
    assert finding.status == status
    assert finding.action.startswith(action)
    assert "mood in portrait" in finding.text
    assert judge_panels(summary, "preferences") == []


def test_spearman_brown():
    for reliability in (0.3, 0.62, 0.79):
        n = count_raters(reliability, 5)
        one = reliability / (5 - 4 * reliability)
        assert n * one / (1 + (n - 1) * one) >= 0.8 > (n - 1) * one / (1 + (n - 2) * one)


def test_the_page_is_accessible_and_loads_nothing(report):
    page = report.to_html()
    parsed = Page(page)
    assert len(parsed.find("h1")) == 1
    levels = [int(tag[1]) for tag, _ in parsed.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(attrs.get("scope") in {"col", "row"} for attrs in parsed.find("th"))
    assert len(parsed.find("caption")) == len(parsed.find("table")) > 5
    drawings = [attrs for attrs in parsed.find("svg") if attrs.get("role") == "img"]
    assert drawings
    assert all(attrs["aria-label"] for attrs in drawings)
    assert len(parsed.find("figcaption")) == len(parsed.find("figure")) == len(drawings)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for attrs in parsed.find("a")]
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    policy = next(a["content"] for a in parsed.find("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    fetched = [v for _, attrs in parsed.tags for k, v in attrs.items() if k in {"src", "href", "xlink:href"}]
    assert all(v.startswith(("#", "data:")) for v in fetched)
    assert "url(http" not in page


def test_methods_cite_what_was_used_and_no_more(report, study, fusions, reliability):
    methods = report.sections[-1]
    sources = " ".join(methods.tables["references"]["source"])
    for name in ("Davidson, R. R.", "Elo, A. E.", "Krippendorff", "McGraw", "Bradley"):
        assert name in sources
    assert "Vehtari" not in sources
    assert ps.__version__ in methods.text
    assert "seed" in methods.text
    alone = report_study(study, fusions=fusions[0], reliability=reliability, random_seed=1, progressbar=False)
    assert "Elo, A. E." not in " ".join(alone.sections[-1].tables["references"]["source"])
    assert "one fusion" in alone.sections[5].missing[0]


def test_names_stay_text_everywhere(study):
    evil = make_evil(study)
    fusion = ps.fuse_davidson(evil)
    rel = ps.assess_reliability(evil, n_boot=40, n_subsets=1, random_seed=1)
    made = report_study(evil, fusions=fusion, reliability=rel, random_seed=1, title=EVIL, progressbar=False)
    page = made.to_html()
    parsed = Page(page)
    assert page.count("<script") == 1
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    assert parsed.find("img") == []
    text = "".join(parsed.text)
    for name in (
        EVIL,
        f"category {EVIL}",
        f"dimension {EVIL}",
        f"rater {EVIL}",
        '"><img src=x onerror=alert(2)>',
        "$x_1$",
    ):
        assert name in text
    assert json.loads(made.to_json())["sections"][3]["tables"]["scores"]
    assert EVIL not in made._repr_html_()


def test_other_forms_and_files(report, tmp_path):
    path = tmp_path / "deep" / "report.html"
    page = report.to_html(path)
    assert path.read_text(encoding="utf-8") == page
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    content = json.loads(report.to_json())
    assert [s["name"] for s in content["sections"]] == ANCHORS
    scores = content["sections"][3]["tables"]["scores"]
    assert {"item", "score", "lower", "upper", "rank", "by elo"} <= set(scores[0])
    markdown = report.to_markdown(max_rows=3)
    assert markdown.startswith("# Report of a study\n\n## The short answer")
    assert "\n### scores\n" in markdown
    assert pickle.loads(pickle.dumps(report)).to_json() == report.to_json()
    assert "<h1>" in report._repr_html_()
    with pytest.raises(ArgumentError, match="is a folder"):
        report.to_html(tmp_path)


def test_studies_of_one_protocol_without_raters_and_without_intervals(study):
    rated = study.drop_protocol("preferences")
    made = report_study(rated, random_seed=1, progressbar=False,
                        reliability=ps.assess_reliability(rated, n_boot=0, random_seed=1))  # fmt: skip
    assert [s.anchor for s in made.sections] == ANCHORS
    assert "<h1>" in made.to_html()
    assert "ratings alone gave" in made.sections[-1].text
    assert "Davidson" not in made.sections[-1].text
    assert "Not drawn: Reliability against cost, since" in " ".join(made.sections[2].missing)
    compared = study.drop_protocol("ratings")
    unnamed = ps.Study(preferences=compared.preferences.drop(columns="rater"))
    made = report_study(
        unnamed, fusions=ps.fuse_davidson(unnamed, interval="none"), random_seed=1, progressbar=False,
        reliability=ps.assess_reliability(unnamed, n_boot=0, random_seed=1),
    )  # fmt: skip
    assert "no intervals" in " ".join(f.text for f in made.findings)
    assert "latent" in made.sections[3].captions["scores"]
    assert "sigmoid" not in made.sections[-1].text
    made.to_html()


def test_joint_fusion_nulls_and_validation_have_their_sections(study, fusions, reliability, tmp_path):
    joint = fuse(study, protocol_discrepancy=True)
    verdicts = {"fusion_a": "bayes", "fusion_b": "elo", "observed": 0.99, "cross_half": 0.8, "p_value": 0.002,
                "verdict": "real"}  # fmt: skip
    compared = ps.compare_fusions(joint, fusions[1], n_boot=10)
    compared = replace(compared, tables={**compared.tables, "verdicts": pd.DataFrame([verdicts])})
    held = ps.cross_validate(study, methods=["ratings", "preferences", "davidson"], progressbar=False)
    write_text(tmp_path / "validation.json", held.to_json())
    made = report_study(
        study, fusions=[joint, fusions[1]], reliability=reliability, comparison=compared, validation=tmp_path,
        random_seed=1, progressbar=False,
    )  # fmt: skip
    by_name = {s.anchor: s for s in made.sections}
    assert by_name["convergence"].missing == ()
    assert by_name["prediction"].text == held.text
    assert "protocol correlation" in by_name["agreement"].tables
    topics = {f.topic for f in made.findings}
    assert {"convergence", "prediction", "agreement", "protocols"} <= topics
    assert "Vehtari" in " ".join(by_name["methods"].tables["references"]["source"])
    assert choose_main([joint, *fusions]) is fusions[0]  # a fusion that did not converge does not lead
    assert choose_main([*fusions, replace(joint, converged=True)]).method == "bayes"
    assert "Fused scores of 9 items by elo" in made.to_html()


def test_thumbnails_are_small_named_and_missing_ones_are_listed(study, fusions, reliability, tmp_path):
    items = study.items()
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (3000, 2000), "teal").save(tmp_path / "deep" / f"{items[0]}.png")
    Image.new("RGBA", (30, 40), (9, 9, 9, 90)).save(tmp_path / f"{items[1]}.webp")
    (tmp_path / f"{items[2]}.jpg").write_bytes(b"no picture")
    found = read_thumbnails(tmp_path, [(study.categories[0], item) for item in items])
    assert {item for _, item in found.pictures} == set(items[:2])
    assert all(uri.startswith("data:image/jpeg;base64,") and len(uri) < 9000 for uri in found.pictures.values())
    assert "6 items have no image" in found.missing[0]
    assert "1 item has an image that cannot be read" in found.missing[1]
    assert read_thumbnails(tmp_path, [(study.categories[0], items[0])], largest=10).pictures == {}
    made = report_study(study, fusions=fusions, reliability=reliability, images=tmp_path, progressbar=False)
    page = made.to_html()
    assert f'aria-label="Image of {items[0]}"' in page
    assert page.count("data:image/jpeg") == 2
    with pytest.raises(DataError, match="no folder"):
        read_thumbnails(tmp_path / "nowhere", [])


def test_what_is_refused(study, fusions, reliability):
    with pytest.raises(ArgumentError, match="not a Study"):
        report_study("folder")
    with pytest.raises(ArgumentError, match="not a Fusion"):
        report_study(study, fusions=["davidson.nc"])
    other = simulate(n_items=5, n_raters=3, n_pairs=8, dimensions=("mood",), seed=3)
    with pytest.raises(ArgumentError, match="does not hold"):
        report_study(other, fusions=fusions, reliability=reliability)


def test_reports_are_read_again(reliability, tmp_path):
    path = write_text(tmp_path / "r.json", reliability.to_json())
    again = load_report(path)
    assert again.text == reliability.text
    for name, table in reliability.tables.items():
        if len(table):
            pd.testing.assert_frame_equal(
                again.tables[name], table, check_dtype=False, check_column_type=False, check_names=False
            )
    endless = Report("t", {"x": pd.DataFrame({"n": [1.0, np.inf, np.nan], "k": [1, 2, 3]})}, "")
    table = load_report(write_text(tmp_path / "e.json", endless.to_json())).tables["x"]
    assert table["n"].tolist()[:2] == [1.0, np.inf]
    assert table["k"].dtype == "int64"
    for content in ("", "[]", '{"title": "t"}', '{"title": "t", "text": "", "settings": {}, "tables": {"x": 3}}'):
        with pytest.raises(DataError, match="no report"):
            load_report(write_text(tmp_path / "bad.json", content))
    with pytest.raises(DataError, match="there is no file"):
        load_report(tmp_path / "nowhere.json")


def test_tables_of_the_page():
    table = pd.DataFrame({"item": ["a", "b"], "score": [2.0, np.nan], "lower": [1.0, np.nan], "upper": [np.inf, np.nan],
                          "n": [1200, 3], "ok": [True, False]})  # fmt: skip
    markup = render_table(table, merge=True, heads=("item",), words={"n": "number"})
    assert '<th scope="row">a</th><td class="number" data-v="2">2 [1, inf]</td>' in markup
    assert '<td class="number"></td>' in markup
    assert ">number</th>" in markup
    assert "1,200" in markup
    assert find_ends(["x", "lower", "upper"]) == {}
    assert [choose_decimals(np.array(x)) for x in ([1.5, 2000], [150.5], [0.5, 0.2], [0.01, 0.02], [])] == [
        0,
        1,
        2,
        3,
        0,
    ]
    assert write_number(-0.001, 2) == "0.00"


def test_the_command_writes_each_form(study, tmp_path):
    study.save(tmp_path / "study")

    def run(*words, status=0):
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["report", *map(str, words)])
        assert done.exit_code == status, done.output
        return done

    rel, html = tmp_path / "rel.json", tmp_path / "report.html"
    words = (tmp_path / "study", "--method", "davidson")
    done = run(*words, "--n-boot", 40, "--out", html, "--title", "Mine")
    assert "Written: " in done.stdout
    assert "<h1>Mine</h1>" in html.read_text(encoding="utf-8")
    write_text(rel, ps.assess_reliability(study, n_boot=20, random_seed=1).to_json())
    done = run(*words, "--reliability", rel, "--out", tmp_path / "r.json", "--json")
    assert json.loads(done.stdout)["sections"][0]["name"] == "answer"
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == json.loads(done.stdout)
    assert run(*words, "--reliability", rel, "--out", tmp_path / "r.md", "--quiet").stdout == ""
    assert (tmp_path / "r.md").read_text(encoding="utf-8").startswith("# Report of a study")
    assert "Example: ppaint report" in run("--help").output
    assert "allowed are" in run(tmp_path / "study", "--out", "r.pdf", status=2).stderr
    assert "names of elo" in run(tmp_path / "study", "--method", "magic", "--out", html, status=2).stderr
    assert "there is no file" in run(*words, "--validation", "no.json", "--out", html, status=2).stderr


def test_reports_without_sections_can_be_shown():
    assert "<h1>Empty</h1>" in StudyReport("Empty", ()).to_html()
