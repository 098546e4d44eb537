"""Cross-validation: the better method wins, links are fair, stopped runs go on, and nothing is lost in silence."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import ppaint_stats as ps
from ppaint_stats.errors import ArgumentError
from ppaint_stats.validation import fold_fits
from ppaint_stats.validation.cross_validate import cross_validate
from ppaint_stats.validation.fold_fits import FoldFit, fit_folds, hash_study, read_fit
from ppaint_stats.validation.folds import hold_out, split_study
from ppaint_stats.validation.held_out_tables import BASE, OWN
from ppaint_stats.validation.links import fit_comparison_link, fit_rating_link
from ppaint_stats.validation.new_raters import draw_new_raters
from ppaint_stats.validation.predictions import arrange_scores, predict_base
from ppaint_stats.validation.refits import fit_method, parse_method, refit_like
from ppaint_stats.validation.shared_inputs import permute_ratings

QUICK = ("ratings", "preferences", "davidson")
DESIGN = {"n_categories": 1, "n_items": 14, "n_raters": 6, "n_pairs": 40, "dimensions": ("overall",)}
BAYES = {"bayes": {"draws": 250, "tune": 250, "chains": 2}}


def simulate(seed=1, **changes):
    return ps.simulate_study(ps.PPaintDesign(**{**DESIGN, **changes}), random_seed=seed).study


@pytest.fixture(scope="module")
def study():
    return simulate()


@pytest.fixture(scope="module")
def report(study):
    return cross_validate(study, methods=QUICK)


def log_score(report, method, protocol="all"):
    scores = report.tables["scores"]
    return scores[(scores["method"] == method) & (scores["protocol"] == protocol)]["log_score"].item()


def same_tables(a, b):
    for name, table in a.tables.items():
        pd.testing.assert_frame_equal(
            table.drop(columns="seconds", errors="ignore"), b.tables[name].drop(columns="seconds", errors="ignore")
        )


def test_methods_are_parsed():
    assert parse_method("ratings") == ("davidson", "ratings")
    assert parse_method("bayes:preferences") == ("bayes", "preferences")
    for strange in ("glicko", "bayes:", "bayes:votes", "", None):
        with pytest.raises(ArgumentError, match="allowed are"):
            parse_method(strange)


@pytest.mark.parametrize("method", ["ratings", "preferences", "elo", "thurstone"])
def test_refits_repeat_a_fusion(study, method):
    fusion = fit_method(method, study, random_seed=3, options={"n_orders": 20} if method == "elo" else {})
    again = refit_like(fusion, study)
    pd.testing.assert_frame_equal(fusion.scores, again.scores)
    assert np.isnan(again.scores["sd"]).all()
    fewer = refit_like(fusion, study.select(raters=study.raters[1:]))
    assert fewer.method == fusion.method


def test_joint_fusions_predict_best(report):
    assert log_score(report, "davidson") > log_score(report, "preferences") > log_score(report, BASE)
    assert log_score(report, "davidson") > log_score(report, "ratings")
    assert report.tables["verdict"]["verdict"].iloc[-1] in ("not worse", "not decided")
    assert "log score" in report.text.lower()


def test_every_judgment_counts_once(study, report):
    scores = report.tables["scores"].set_index(["method", "protocol"])
    assert scores.loc[("davidson", "ratings"), "judgments"] == study.n_ratings
    assert scores.loc[("davidson", "preferences"), "judgments"] == study.n_preferences
    weighted = sum(scores.loc[("ratings", p), "log_score"] * scores.loc[("ratings", p), "judgments"]
                   for p in ("ratings", "preferences"))  # fmt: skip
    assert scores.loc[("ratings", "all"), "log_score"] == pytest.approx(
        weighted / (study.n_ratings + study.n_preferences)
    )
    raters = report.tables["raters"].query("method == 'davidson' and protocol == 'all'")
    assert raters["judgments"].sum() == study.n_ratings + study.n_preferences
    mean = (raters["log_score"] * raters["judgments"]).sum() / raters["judgments"].sum()
    assert mean == pytest.approx(scores.loc[("davidson", "all"), "log_score"])


def test_without_scores_answers_have_their_frequencies(study):
    folds = split_study(study, by="rater", n_folds=5, random_seed=0)
    held = hold_out(study, folds)
    base = predict_base(held)
    first = held.comparisons.fold == 0
    others = np.bincount(held.comparisons.outcome[~first], minlength=3) + 1 / 3
    np.testing.assert_allclose(base.comparisons.shares[first][0], others / others.sum(), atol=0.02)
    above = base.ratings.above[held.ratings.fold == 0][0]
    observed = (held.ratings.answer[held.ratings.fold != 0][:, None] > held.ratings.cuts).mean(axis=0)
    np.testing.assert_allclose(above, observed, atol=0.08)


def test_permuted_ratings_lose(study, report):
    permuted = cross_validate(permute_ratings(study, random_seed=2), methods=["ratings"])
    gains = permuted.tables["scores"].query("method == 'ratings'").set_index("protocol")["gain"]
    assert gains["preferences"] < 0.02
    true = report.tables["scores"].query("method == 'ratings'").set_index("protocol")["gain"]
    assert true["preferences"] > gains["preferences"] + 0.05


def test_each_protocol_predicts_the_other(report):
    table = report.tables["protocols"].set_index(["fused_on", "predicts"])
    assert table.loc[("preferences", "ratings"), "gain"].item() > 0
    assert table.loc[("ratings", "preferences"), "gain"].item() > 0
    assert table.loc[("both", "ratings"), "rank_correlation"].item() > 0.4
    assert table.loc[("ratings", "preferences"), "accuracy"].item() > 0.6


def test_calibration_is_near_one(report):
    slopes = report.tables["scores"].query("method == 'davidson' and protocol != 'all'")["calibration_slope"]
    assert slopes.between(0.6, 1.5).all()
    points = report.tables["calibration"].query("method == 'davidson' and protocol == 'preferences'")
    assert points["observed"].corr(points["predicted"]) > 0.8


def test_what_the_link_has_seen_of_a_rater_is_negligible(study, report):
    """Exact nested refits: the scores behind a fold's link are made without that fold's rater, too."""
    folds = split_study(study, by="rater", n_folds=5, random_seed=0)
    held = hold_out(study, folds)
    outer = fit_folds(study, folds, held, methods=("davidson",), options={}, with_own=False, n_jobs=None,
                      cache_dir=None, random_seed=0, progressbar=False)  # fmt: skip
    own = arrange_scores(held, [outer["davidson", k] for k in range(len(folds))])
    r, c, total = held.ratings, held.comparisons, 0.0
    for k, fold in enumerate(folds):
        inner = split_study(fold.train, by="rater", n_folds=5, random_seed=0)
        fits = [fit_method("davidson", part.train, random_seed=0) for part in inner]
        kept = [
            FoldFit(f.scores[["category", "dimension", "item"]].to_numpy().tolist(), f.scores["latent"].tolist())
            for f in fits
        ]
        scores = arrange_scores(held, kept)[:, :, 0]
        place = {held.raters.index(part.name): j for j, part in enumerate(inner)}
        train, test = r.fold != k, r.fold == k
        x = scores[[place[i] for i in r.rater[train]], r.item[train]]
        link = fit_rating_link(x, r.answer[train], r.rater[train], r.category[train], levels=5, n_categories=1)
        above = np.pad(link.above(own[k, r.item[test], 0], r.category[test], r.cuts), ((0, 0), (1, 1)),
                       constant_values=((0, 0), (1, 0)))  # fmt: skip
        level = r.answer[test].astype(int)
        rows = np.arange(len(level))
        total += np.log(above[rows, level] - above[rows, level + 1]).sum()
        train, test = c.fold != k, c.fold == k
        j = [place[i] for i in c.rater[train]]
        votes = fit_comparison_link(scores[j, c.a[train]] - scores[j, c.b[train]], c.outcome[train], c.weight[train],
                                    has_ties=True)  # fmt: skip
        shares = votes.shares(own[k, c.a[test], 0] - own[k, c.b[test], 0])
        total += np.log(shares[np.arange(test.sum()), c.outcome[test]]).sum()
    nested = total / (len(r) + len(c))
    assert log_score(report, "davidson") == pytest.approx(nested, abs=0.003)  # of six raters; the margin is 0.01


def test_a_stopped_run_goes_on_and_ends_in_the_same_numbers(study, report, tmp_path, monkeypatch):
    true_fit, calls = fold_fits.fit_fold, []

    def stop(*arguments):
        calls.append(arguments[0])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return true_fit(*arguments)

    monkeypatch.setattr(fold_fits, "fit_fold", stop)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(study, methods=QUICK, cache_dir=tmp_path)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == 3
    kept[0].write_text(kept[0].read_text()[:50])  # a torn file is a fit that was never made
    same_tables(cross_validate(study, methods=QUICK, cache_dir=tmp_path), report)
    assert len(calls) == 4 + 3 * len(study.raters) - 2
    cross_validate(study, methods=QUICK, cache_dir=tmp_path)
    assert len(calls) == 4 + 3 * len(study.raters) - 2
    cross_validate(study, methods=["ratings"], cache_dir=tmp_path, random_seed=5)  # another seed is another fit
    assert len(calls) == 4 + 4 * len(study.raters) - 2
    assert read_fit(tmp_path / "missing.json") is None
    with pytest.raises(ArgumentError, match="random_seed"):
        cross_validate(study, methods=QUICK, cache_dir=tmp_path, random_seed=None)


def test_studies_are_hashed_by_content(study):
    again = ps.Study(ratings=study.ratings, preferences=study.preferences, scale=study.scale)
    assert hash_study(study) == hash_study(again)
    assert hash_study(study) != hash_study(permute_ratings(study, random_seed=1))
    assert hash_study(study) != hash_study(study.drop_protocol("ratings"))


def test_items_are_held_out(study):
    report = cross_validate(study, methods=QUICK, by="item", n_folds=4)
    scores = report.tables["scores"].set_index("method")
    assert set(scores["protocol"]) == {"preferences"}
    assert scores.loc["davidson", "judgments"] == pytest.approx(study.n_preferences)
    assert scores.loc["ratings", "gain"] > 0.05
    assert scores.loc["preferences", "log_score"] == pytest.approx(scores.loc[BASE, "log_score"])  # knows no such item
    lost = report.tables["folds"].query("method == 'preferences'")["comparisons_without_score"]
    assert (lost > 0).all()
    assert "had no score" in report.text
    held = hold_out(study, split_study(study, by="item", n_folds=4, random_seed=0)).comparisons
    assert np.bincount(held.row, held.weight) == pytest.approx(1)


def test_counts_without_raters_are_refused_by_rater_but_not_by_item(study):
    keys = ["category", "dimension", "item_a", "item_b", "outcome"]
    counted = study.preferences.groupby(keys).size().rename("count").reset_index()
    anonymous = ps.Study(ratings=study.ratings, preferences=counted, scale=study.scale)
    with pytest.raises(ArgumentError, match="rater of every comparison"):
        cross_validate(anonymous, methods=QUICK)
    report = cross_validate(anonymous, methods=["ratings"], by="item", n_folds=4)
    assert report.tables["raters"]["fold"].nunique() == 4
    assert report.tables["scores"]["judgments"].iloc[0] == pytest.approx(study.n_preferences)


def test_one_protocol_is_enough(study):
    rated = cross_validate(study.drop_protocol("preferences"), methods=["ratings", "thurstone"])
    assert set(rated.tables["scores"]["protocol"]) == {"ratings"}
    assert rated.passed is None
    assert "verdict" not in rated.tables
    assert set(rated.tables["protocols"]["fused_on"]) == {"ratings"}
    with pytest.raises(ArgumentError, match="needs preferences"):
        cross_validate(study.drop_protocol("preferences"), methods=QUICK)
    with pytest.raises(ArgumentError, match="needs both"):
        cross_validate(study.drop_protocol("preferences"), methods=["ratings"], by="item")
    compared = cross_validate(study.drop_protocol("ratings"), methods="preferences")
    assert compared.tables["scores"].set_index("method").loc["preferences", "accuracy"] > 0.6


def test_panels_of_their_own_and_a_continuous_scale():
    study = simulate(n_categories=2, n_raters=4, n_items=10, dimensions=("mood", "overall"), scale=(0, 100))
    report = cross_validate(study, methods=("ratings", "davidson"))
    cells = report.tables["cells"].query("method == 'davidson'")
    assert len(cells) == 2 * 2 * 3
    assert (cells["log_score"].notna()).all()
    assert len(report.tables["folds"]) == 2 * 8
    assert report.tables["scores"].query("method == 'davidson' and protocol == 'ratings'")["gain"].item() > 0.05


def test_a_graph_that_falls_apart_is_said_and_predicted_without_scores(study):
    linked = study.preferences["rater"] == study.raters[0]  # the only one who links both halves of the items
    half = dict(zip(study.items(), np.arange(len(study.items())) % 2, strict=True))
    within = study.preferences["item_a"].map(half) == study.preferences["item_b"].map(half)
    torn = ps.Study(ratings=study.ratings, preferences=study.preferences[linked | within], scale=study.scale)
    report = cross_validate(torn, methods=QUICK)
    lost = report.tables["folds"].query("not fitted")
    assert lost[["method", "fold"]].to_numpy().tolist() == [["preferences", study.raters[0]]]
    assert "components" in lost["reason"].item()
    assert "could not be fitted in 1 of 6 folds" in report.text
    raters = report.tables["raters"].set_index(["rater", "method", "protocol"])["log_score"]
    one = study.raters[0]
    assert raters[one, "preferences", "all"] == pytest.approx(raters[one, BASE, "all"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": []}, "methods is empty"),
        ({"methods": ["glicko"]}, "glicko"),
        ({"by": "category"}, "by='category'"),
        ({"options": {"bayes": {"draws": 5}}}, "not among the methods"),
        ({"options": {"davidson": {"protocols": "both"}}}, "may not set"),
        ({"by": "item", "n_folds": 8}, "need 16 items"),
        ({"margin": 0}, "margin"),
        ({"interval_prob": 2}, "interval_prob"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"random_seed": -1}, "random_seed"),
    ],
)
def test_arguments_are_checked(study, changes, words):
    with pytest.raises(ArgumentError, match=words):
        cross_validate(study, **{"methods": QUICK, **changes})
    with pytest.raises(ArgumentError, match="not a Study"):
        cross_validate(study.ratings)
    with pytest.raises(ArgumentError, match="3 raters"):
        cross_validate(study.select(raters=study.raters[:2]), methods=QUICK)


@pytest.fixture(scope="module")
def posterior():
    study = simulate(n_items=8, n_raters=4, n_pairs=24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return study, ps.fuse_bayes(study, **BAYES["bayes"], random_seed=1, progressbar=False)


@pytest.mark.filterwarnings("ignore::ppaint_stats.errors.PPaintWarning")
def test_new_raters_are_expected_to_give_the_population_score(posterior):
    study, fusion = posterior
    new = draw_new_raters(fusion, study, random_seed=1)
    codes = np.array([new.encoding.items.index(item) for item in fusion.scores["item"]])
    zero = np.zeros(len(codes), dtype=int)
    expected = 1 + new.rate(zero, zero, codes, np.zeros(4)).sum(axis=1)
    lapse = new.lapse.mean()  # scores are about those who attend
    np.testing.assert_allclose((expected - 3 * lapse) / (1 - lapse), fusion.scores["score"], atol=0.05)
    shares = new.compare(zero, codes, codes[::-1])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    back = new.compare(zero, codes[::-1], codes)
    assert (np.sign(shares[:, 0] - shares[:, 2])[[0, 1]] == np.sign(back[:, 2] - back[:, 0])[[0, 1]]).any()
    assert refit_like(fusion, study, draws=20, tune=50).settings["draws"] == 20


@pytest.mark.filterwarnings("ignore::ppaint_stats.errors.PPaintWarning")
def test_the_joint_model_predicts_by_itself(posterior):
    study, _ = posterior
    report = cross_validate(study, methods=["ratings", "bayes"], options=BAYES)
    assert log_score(report, "bayes" + OWN) > log_score(report, BASE)
    assert log_score(report, "bayes" + OWN) == pytest.approx(log_score(report, "bayes"), abs=0.1)
    assert set(report.tables["verdict"]["method"]) == {"bayes", "bayes" + OWN}
    assert json.loads(report.to_json())["settings"]["options"]["bayes"]["draws"] == "250"
    folds = report.tables["folds"].query("method == 'bayes'")
    assert folds["fitted"].all()
    assert folds.loc[~folds["converged"], "reason"].str.contains("did not converge").all()


def test_fits_run_on_a_cluster(study, report):
    distributed = pytest.importorskip("distributed")
    joblib = pytest.importorskip("joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cluster's own
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            found = cross_validate(study, methods=QUICK)
    same_tables(found, report)
