"""The report on reliability: numbers against the functions behind it, any kind of study, and what is undefined."""

import json

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.reliability import (
    alpha_sym,
    assess_reliability,
    icc,
    kendall_w,
    krippendorff_alpha,
    order_agreement,
    split_half,
)
from ppaint_stats.reliability.assess import SUMMARY_COLUMNS
from ppaint_stats.reliability.checklist import COLUMNS as CHECKLIST_COLUMNS
from ppaint_stats.reliability.items import COLUMNS as ITEM_COLUMNS
from ppaint_stats.reliability.outliers import score_outliers
from ppaint_stats.reliability.raters import COLUMNS as RATER_COLUMNS
from ppaint_stats.reliability.raters import find_outliers, measure_severity

DESIGN = ps.PPaintDesign(n_categories=1, dimensions=("mood", "overall"), n_items=16, n_pairs=60, n_raters=4)
TABLES = ["summary", "verdicts", "raters", "items", "matched", "curves", "design", "checklist"]


@pytest.fixture(scope="module")
def study():
    return ps.simulate_study(DESIGN, random_seed=2).study


@pytest.fixture(scope="module")
def report(study):
    return ps.assess_reliability(study, n_boot=120, random_seed=1)


def find(report, protocol, statistic, dimension=None):
    table = report.tables["summary"]
    rows = table[(table["protocol"] == protocol) & (table["statistic"] == statistic)]
    rows = rows if dimension is None else rows[rows["dimension"] == dimension]
    assert len(rows) == 1, (protocol, statistic, len(rows))
    return rows.iloc[0]


def assert_reasons(report):
    """Nothing is missing without a reason."""
    summary = report.tables["summary"]
    lacking = summary[["estimate", "lower", "upper"]].isna().any(axis=1)
    assert (summary.loc[lacking, "reason"] != "").all(), summary[lacking & (summary["reason"] == "")]
    raters = report.tables["raters"]
    if len(raters):
        empty = raters[["leave_one_out", "influence_alpha", "influence_w", "self_agreement"]].isna().any(axis=1)
        assert (raters.loc[empty, "reason"] != "").all()
    assert report.text.strip()
    assert "nan" not in report.text
    assert len(report.tables["checklist"]) == 15


def rate(values, **more):
    raters, items = np.indices(np.shape(values))
    frame = pd.DataFrame({"rater": [f"r{r}" for r in raters.ravel()], "item": [f"i{i:02d}" for i in items.ravel()]})
    frame = frame.assign(rating=np.ravel(values), **more)
    return frame[frame["rating"].notna()]


def compare(n_raters, n_items, outcome, *, columns=("rater", "item_a", "item_b", "outcome")):
    rows = [
        (f"r{r}", f"i{a:02d}", f"i{b:02d}", outcome(r, a, b))
        for r in range(n_raters)
        for a in range(n_items)
        for b in range(a + 1, n_items)
    ]
    return pd.DataFrame(rows, columns=["rater", "item_a", "item_b", "outcome"])[list(columns)]


def test_tables(report, study):
    assert list(report.tables) == TABLES
    tables = report.tables
    assert tuple(tables["summary"].columns) == SUMMARY_COLUMNS
    assert tuple(tables["raters"].columns) == RATER_COLUMNS
    assert tuple(tables["items"].columns) == ITEM_COLUMNS
    assert tuple(tables["checklist"].columns) == CHECKLIST_COLUMNS
    assert len(tables["raters"]) == 2 * 2 * 4
    assert tables["verdicts"]["choice"].isin(["preferences", "ratings", "undecided"]).all()
    assert set(tables["curves"]["dimension"]) == {"mood", "overall"}
    assert tables["design"]["pairs"].tolist() == [60, 60]
    keys = ["category", "dimension", "protocol", "statistic"]
    assert not tables["summary"].duplicated(keys).any()
    assert_reasons(report)


def test_summary_is_what_the_functions_give(report, study):
    one = study.select(dimensions="overall")
    table = icc(one.ratings)
    expected = {
        ("ratings", "krippendorff_alpha_ordinal"): krippendorff_alpha(one.ratings).estimate,
        ("ratings", "krippendorff_alpha_nominal"): krippendorff_alpha(one.ratings, level="nominal").estimate,
        ("ratings", "ICC(A,k)"): table.loc["ICC(A,k)", "estimate"],
        ("ratings", "kendall_w"): kendall_w(one.ratings).estimate,
        ("ratings", "split_half"): split_half(one.ratings).estimate,
        ("preferences", "alpha_sym"): alpha_sym(one.preferences).estimate,
        ("preferences", "rank_correlation"): order_agreement(one.preferences)["rank_correlation"].estimate,
    }
    for (protocol, statistic), value in expected.items():
        assert find(report, protocol, statistic, "overall")["estimate"] == pytest.approx(value), statistic
    row = find(report, "ratings", "ICC(A,k)", "overall")
    assert (row["lower"], row["upper"], row["interval_kind"]) == (*table.loc["ICC(A,k)", ["lower", "upper"]], "F")
    sides = [find(report, side, "alpha_sym", "overall")["estimate"] for side in ("ratings", "preferences")]
    assert find(report, "difference", "alpha_sym", "overall")["estimate"] == pytest.approx(sides[1] - sides[0])
    alpha = find(report, "ratings", "krippendorff_alpha_ordinal", "overall")
    assert 0 <= alpha["p_below_667"] <= alpha["p_below_800"] <= 1
    assert np.isnan(find(report, "ratings", "kendall_w", "overall")["p_below_667"])


def test_text_speaks_of_the_numbers(report, study):
    assert report.text.startswith("2 cells (1 category x 2 dimensions).")
    single = ps.assess_reliability(study.select(dimensions="mood"), n_boot=60, random_seed=1)
    alpha = find(single, "ratings", "krippendorff_alpha_ordinal")
    assert f"{alpha['estimate']:.2f} [{alpha['lower']:.2f}, {alpha['upper']:.2f}]" in single.text
    assert single.tables["verdicts"].loc[0, "text"] in single.text
    assert single.settings["random_seed"] == 1
    assert {"ppaint", "numpy", "scipy", "level", "scale"} <= set(single.settings)


def test_same_seed_same_report(study):
    one = study.select(dimensions="mood")
    reports = [ps.assess_reliability(one, n_boot=40, random_seed=seed).to_json() for seed in (3, 3, 4)]
    assert reports[0] == reports[1]
    assert reports[0] != reports[2]
    drawn = ps.assess_reliability(one, n_boot=40)
    again = ps.assess_reliability(one, n_boot=40, random_seed=drawn.settings["random_seed"])
    assert drawn.to_json() == again.to_json()


def test_round_trip(report):
    read = json.loads(report.to_json())
    rows = pd.DataFrame(read["tables"]["summary"])
    ours = report.tables["summary"]
    assert rows["statistic"].tolist() == ours["statistic"].tolist()
    finite = np.isfinite(ours["estimate"].to_numpy())
    given = rows["estimate"].to_numpy()[finite].astype(float)
    assert given == pytest.approx(ours["estimate"].to_numpy()[finite])
    assert report.to_markdown().startswith("# Reliability of the study")
    assert "GRRAS" not in report.to_html()[:100]


@pytest.mark.parametrize("kept", ["ratings", "preferences"])
def test_one_protocol(study, report, kept):
    other = {"ratings": "preferences", "preferences": "ratings"}[kept]
    alone = ps.assess_reliability(study.drop_protocol(other), n_boot=40, random_seed=1)
    assert set(alone.tables["summary"]["protocol"]) == {kept}
    assert set(alone.tables["raters"]["protocol"]) == {kept}
    assert alone.tables["matched"].empty
    assert alone.tables["verdicts"].empty
    for name in ("kendall_w", "rank_split_half"):
        here, there = (find(r, kept, name, "mood")["estimate"] for r in (alone, report))
        assert here == pytest.approx(there)
    assert_reasons(alone)


def test_without_resamples(study):
    report = ps.assess_reliability(study.select(dimensions="mood"), n_boot=0, n_subsets=0)
    assert_reasons(report)
    assert "no interval: n_boot=0" in find(report, "preferences", "alpha_sym")["reason"]
    assert report.tables["curves"].empty


def test_level_follows_the_scale(study):
    continuous = ps.Study(ratings=study.select(dimensions="mood").ratings, scale=(1, 5))
    names = set(ps.assess_reliability(continuous, n_boot=5).tables["summary"]["statistic"])
    assert "krippendorff_alpha_interval" in names
    assert "krippendorff_alpha_nominal" not in names
    only = ps.assess_reliability(continuous, n_boot=5, level="nominal").tables["summary"]["statistic"]
    assert [name for name in only if name.startswith("krippendorff")] == ["krippendorff_alpha_nominal"]


NOISE = np.random.default_rng(0).integers(1, 6, (4, 12)).astype(float)
HOLES = np.where(np.random.default_rng(1).random(NOISE.shape) < 0.3, np.nan, NOISE)
APART = np.where(np.kron(np.eye(4), np.ones((1, 3))) > 0, NOISE, np.nan)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (NOISE[:1], "one rater"),
        (np.full((3, 6), 2.0), "equal"),
        (NOISE[:, :1], "one item"),
        (APART, "no two raters"),
        (HOLES, "cells are missing"),
    ],
    ids=["one rater", "constant", "one item", "no overlap", "holes"],
)
def test_degenerate_ratings(values, reason):
    report = ps.assess_reliability(ps.Study(ratings=rate(values), scale=(1, 5, 1)), n_boot=20, random_seed=1)
    assert_reasons(report)
    assert report.tables["summary"]["reason"].str.contains(reason).any()
    json.loads(report.to_json())


@pytest.mark.parametrize(
    ("n_raters", "n_items", "outcome", "reason"),
    [
        (1, 5, lambda r, a, b: "A", "two raters"),
        (3, 5, lambda r, a, b: "TIE", "every judgment is a tie"),
        (3, 2, lambda r, a, b: "AB"[r % 2], "zeta needs 3 items"),
    ],
    ids=["one rater", "all ties", "one pair"],
)
def test_degenerate_preferences(n_raters, n_items, outcome, reason):
    votes = compare(n_raters, n_items, outcome)
    alone = ps.assess_reliability(ps.Study(preferences=votes), n_boot=20, random_seed=1)
    assert_reasons(alone)
    assert alone.tables["summary"]["reason"].str.contains(reason).any()
    both = ps.Study(preferences=votes, ratings=rate(NOISE[:, :n_items]), scale=(1, 5, 1))
    assert_reasons(ps.assess_reliability(both, n_boot=20, random_seed=1))


def test_pairs_without_overlap():
    votes = compare(3, 6, lambda r, a, b: "A")
    votes = votes[votes["item_a"].eq(votes["rater"].map({"r0": "i00", "r1": "i01", "r2": "i02"}))]
    report = ps.assess_reliability(ps.Study(preferences=votes), n_boot=20, random_seed=1)
    assert_reasons(report)
    assert "no item pair was judged by two raters" in find(report, "preferences", "alpha_sym")["reason"]


def test_text_warns_of_parts_and_of_other_raters():
    votes = compare(3, 6, lambda r, a, b: "AB"[(r + a) % 2])
    votes = votes[(votes["item_a"] < "i03") == (votes["item_b"] < "i03")]
    both = ps.Study(ratings=rate(NOISE[:, :6]), preferences=votes, scale=(1, 5, 1))
    assert "separate parts (up to 2)" in ps.assess_reliability(both, n_boot=20, random_seed=1).text
    others = votes.assign(rater=votes["rater"] + "x")
    apart = ps.Study(ratings=rate(NOISE[:, :6]), preferences=others, scale=(1, 5, 1))
    report = ps.assess_reliability(apart, n_boot=20, random_seed=1)
    assert "Nobody did both" in report.text
    assert_reasons(report)


def test_counts_without_raters():
    votes = compare(3, 5, lambda r, a, b: "AB"[(r + a) % 2], columns=("item_a", "item_b", "outcome")).assign(count=2)
    study = ps.Study(preferences=votes, ratings=rate(NOISE[:, :5]), scale=(1, 5, 1))
    report = ps.assess_reliability(study, n_boot=20, random_seed=1)
    assert_reasons(report)
    assert "no rater" in find(report, "difference", "alpha_sym")["reason"]
    assert np.isfinite(find(report, "preferences", "separation_reliability")["estimate"])
    assert report.tables["verdicts"].empty
    assert report.tables["design"].loc[0, "pairs"] == 10


def test_protocols_on_other_items():
    votes = compare(3, 6, lambda r, a, b: "A")
    votes[["item_a", "item_b"]] = votes[["item_a", "item_b"]] + "x"
    shared = compare(3, 3, lambda r, a, b: "A")
    both = ps.Study(ratings=rate(NOISE), preferences=pd.concat([votes, shared]), scale=(1, 5, 1))
    report = ps.assess_reliability(both, n_boot=20, random_seed=1)
    assert_reasons(report)
    assert find(report, "difference", "alpha_sym")["n_items"] == 3
    assert find(report, "preferences", "alpha_sym")["n_items"] == 9
    assert find(report, "ratings", "rank_correlation")["n_items"] == 12


def test_repeated_ratings():
    again = NOISE.copy()
    again[0] = 6 - again[0]
    ratings = pd.concat([rate(again, trial=2), rate(NOISE, trial=1)])
    once = ps.assess_reliability(ps.Study(ratings=rate(NOISE), scale=(1, 5, 1)), n_boot=20, random_seed=1)
    twice = ps.assess_reliability(ps.Study(ratings=ratings, scale=(1, 5, 1)), n_boot=20, random_seed=1)
    name = "krippendorff_alpha_ordinal"
    assert find(twice, "ratings", name)["estimate"] == pytest.approx(find(once, "ratings", name)["estimate"])
    assert "first of the repeated ratings, 48 times" in find(twice, "ratings", name)["reason"]
    assert "48 ratings repeat an earlier one" in twice.text
    raters = twice.tables["raters"].set_index("rater")
    assert raters["n_repeated"].tolist() == [12] * 4
    assert raters.loc["r1", ["self_agreement", "self_alpha"]].tolist() == [1, 1]
    assert raters.loc["r0", "self_alpha"] < 0
    assert raters.loc["r0", "self_agreement"] == pytest.approx((NOISE[0] == 3).mean())
    assert twice.tables["design"].loc[0, "repeated_ratings"] == 48


def test_rater_table_by_hand(report, study):
    one = study.select(dimensions="mood")
    table = report.tables["raters"]
    table = table[(table["dimension"] == "mood")].set_index(["protocol", "rater"])
    matrix = one.ratings.pivot_table(index="rater", columns="item", values="rating")
    deviation = matrix - matrix.mean()
    for rater in one.raters:
        row = table.loc[("ratings", rater)]
        assert row["severity"] == pytest.approx(-deviation.loc[rater].mean())
        assert row["severity_se"] == pytest.approx(deviation.loc[rater].sem())
        rest = one.select(raters=[other for other in one.raters if other != rater])
        gap = krippendorff_alpha(rest.ratings).estimate - krippendorff_alpha(one.ratings).estimate
        assert row["influence_alpha"] == pytest.approx(gap)
        others = matrix.drop(index=rater).mean()
        assert row["leave_one_out"] == pytest.approx(matrix.loc[rater].corr(others, method="spearman"))
        pairs = table.loc[("preferences", rater)]
        gap = alpha_sym(rest.preferences).estimate - alpha_sym(one.preferences).estimate
        assert pairs["influence_alpha"] == pytest.approx(gap)


def test_severity_is_positive_for_strict_raters_here_and_in_fusions(report, study):
    mine = (
        report.tables["raters"].query("protocol == 'ratings'").set_index(["category", "dimension", "rater"])["severity"]
    )
    theirs = ps.fuse_davidson(study).raters.set_index(["category", "dimension", "rater"])["severity"]
    np.testing.assert_allclose(mine, theirs.loc[mine.index], atol=1e-10)
    strict = study.ratings.groupby("rater")["rating"].mean().idxmin()
    assert mine.groupby("rater").mean().idxmax() == strict


def test_outlier_is_found():
    rng = np.random.default_rng(0)
    item = rng.normal(0, 1, 40)
    values = item + rng.normal(0, 0.5, (6, 40))
    values[2] = rng.permutation(values[2])
    own, expected, probability, reason = score_outliers(values, rng)
    assert reason == ""
    assert probability[2] > 0.999
    assert own[2] < expected[2]
    ratings = rate(np.clip(np.round(values + 3), 1, 5))
    report = ps.assess_reliability(ps.Study(ratings=ratings, scale=(1, 5, 1)), n_boot=20, random_seed=1)
    assert find_outliers(report.tables["raters"])["rater"].tolist() == ["r2"]
    assert "r2 agrees clearly less" in report.text
    assert score_outliers(values[:2], rng)[3] == "the outlier probability needs 3 raters"


def test_severity_with_missing_ratings():
    item, severe = np.arange(6.0), np.array([-1.0, 0.0, 1.0])
    values = item - severe[:, None]
    values[0, :2] = values[2, 4:] = np.nan
    severity, error = measure_severity(values)
    assert severity == pytest.approx(severe)
    assert error == pytest.approx(0, abs=1e-9)


def test_disputed_items_lead():
    rng = np.random.default_rng(3)
    item = np.linspace(1.5, 4.5, 12)
    values = item + rng.normal(0, 0.2, (6, 12))
    values[:, 4] = [1, 1, 1, 5, 5, 5]
    pairs = compare(6, 12, lambda r, a, b: "A" if values[r, a] > values[r, b] else "B")
    study = ps.Study(ratings=rate(np.clip(values, 1, 5)), preferences=pairs, scale=(1, 5))
    table = ps.assess_reliability(study, n_boot=0, n_subsets=0).tables["items"]
    first = table[table["rank"] == 1].set_index("protocol")["item"]
    assert first.to_dict() == {"ratings": "i04", "preferences": "i04"}
    assert (table.groupby("protocol")["z"].diff().dropna() <= 0).all()


def test_real_voices(data_dir):
    with pytest.warns(ps.errors.DiscardedDataWarning):
        study = ps.read_study(
            ratings=data_dir / "voicelik_ratings.csv",
            preferences=data_dir / "voicelik_pairs.csv",
            scale=(0, 100),
            columns={"winner": "outcome"},
            missing="drop",
        )
    report = ps.assess_reliability(study, n_boot=60, random_seed=1, n_subsets=0)
    assert find(report, "preferences", "alpha_sym")["estimate"] == pytest.approx(0.18925518925518925, abs=1e-9)
    assert find(report, "preferences", "kendall_u")["estimate"] == pytest.approx(0.18925518925518925, abs=1e-9)
    assert find(report, "ratings", "alpha_sym")["estimate"] == pytest.approx(0.1290511871445337, abs=1e-9)
    assert find(report, "preferences", "kendall_u_p")["estimate"] < 1e-6
    assert find(report, "preferences", "mean_zeta")["estimate"] == pytest.approx(
        report.tables["raters"].query("protocol == 'preferences'")["zeta"].mean()
    )
    assert_reasons(report)


def test_what_is_refused(study):
    for options in (
        {"n_boot": -1},
        {"interval_prob": 1.5},
        {"resample": "raters"},
        {"level": "cardinal"},
        {"n_subsets": -1},
        {"random_seed": -3},
    ):
        with pytest.raises(ArgumentError, match=next(iter(options))):
            assess_reliability(study, **options)
    with pytest.raises(ArgumentError, match=r"takes a Study, not a DataFrame; read_study"):
        assess_reliability(study.ratings)
    below = ps.Study(ratings=rate(NOISE - 3), scale=(-2, 2, 1))
    with pytest.raises(DataError, match="ratio level"):
        assess_reliability(below, level="ratio", n_boot=0)
