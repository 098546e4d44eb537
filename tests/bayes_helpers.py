"""What the tests of the joint Bayesian fusion share: brief fits, small studies, and what any fusion must satisfy."""

import warnings

import numpy as np

import ppaint_stats as ps
from ppaint_stats.errors import ConvergenceWarning

SMALL = {"n_categories": 1, "n_items": 7, "n_raters": 3, "n_pairs": 12, "dimensions": ("a", "b")}


def fuse(study, **options):
    """Enough draws to look at, too few for the gate, whose verdict is no subject here."""
    given = {"draws": 100, "tune": 200, "chains": 2, "random_seed": 1, "progressbar": False} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ps.fuse_bayes(study, **given)


def glance(study, **options):
    """Hardly any draws: what is looked at is that the study can be fused at all."""
    return fuse(study, **({"draws": 30, "tune": 60, "chains": 1} | options))


def simulate(seed=1, **changes):
    return ps.simulate_study(ps.PPaintDesign(**(SMALL | changes)), random_seed=seed).study


def remake(study, *, ratings="same", preferences="same"):
    return ps.Study(
        ratings=study.ratings if isinstance(ratings, str) else ratings,
        preferences=study.preferences if isinstance(preferences, str) else preferences,
        scale=study.scale,
    )


def assert_sound(fusion, study, *, low=1, high=5):
    """Finite scores of every cell's items, in their intervals, on the scale."""
    table = fusion.scores
    assert sorted(table["item"].unique()) == sorted(study.items())
    assert list(table[["category", "dimension"]].drop_duplicates().itertuples(index=False, name=None)) == list(
        study.cells
    )
    assert np.isfinite(table[["score", "sd", "lower", "upper", "latent", "rank_lower", "rank_upper"]]).all(axis=None)
    assert table[["score", "lower", "upper"]].apply(lambda column: column.between(low, high)).all(axis=None)
    assert (table["lower"] < table["upper"]).all()
    assert (table["sd"] > 0).all()
