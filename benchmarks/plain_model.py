"""The same likelihoods in the way that first comes to mind: utilities on the scale of the ratings, all non-centred.

It is what the sampling benchmark is measured against, no part of the package.
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

import ppaint_stats as ps
from ppaint_stats.joint.bases import helmert_basis
from ppaint_stats.joint.encoding import encode_study
from ppaint_stats.model_parts import davidson_logp, ordinal_logp


def build_plain(study: ps.Study) -> pm.Model:
    """One category, every rater comparing and rating every item, so that raters have one number in both protocols."""
    e = encode_study(study)
    c, y, n_dims, n_raters = e.comparisons, e.ratings, len(e.dimensions), len(e.rating_raters)
    basis = helmert_basis(len(e.items))
    with pm.Model() as model:
        spread = pm.HalfNormal.dist(np.float64(3.0))
        item_factor, _, _ = pm.LKJCholeskyCov("item_cov", n=n_dims, eta=np.float64(1.5), sd_dist=spread)
        taste_factor, _, _ = pm.LKJCholeskyCov("taste_cov", n=n_dims, eta=np.float64(1.5), sd_dist=spread)
        theta = basis @ pt.dot(pm.Normal("consensus", 0, 1, shape=(len(e.items) - 1, n_dims)), item_factor.T)
        raw = pm.Normal("taste", 0, 1, shape=(n_raters, len(e.items) - 1, n_dims))
        u = theta[None] + pt.matmul(basis, pt.dot(raw, taste_factor.T))
        u = u.reshape((-1, n_dims))
        log_e = pm.Normal("sharpness", 0, 1) + pm.HalfNormal("sharpness_sd", 0.5) * pm.Normal(
            "sharpness_rater", 0, 1, shape=n_raters
        )
        log_nu = pm.Normal("tie_mean", 0, 1) + pm.HalfNormal("tie_sd", 0.5) * pm.Normal(
            "log_nu", 0, 1, shape=(n_raters, n_dims)
        )
        position = pm.Normal("position_mean", 0, 0.3) + pm.HalfNormal("position_sd", 0.3) * pm.Normal(
            "position", 0, 1, shape=n_raters
        )
        lapse = pm.Normal("lapse", np.float64(-4.5), np.float64(1.5), shape=n_raters)
        difference = u[c.row_a, c.dimension] - u[c.row_b, c.dimension]
        pm.CustomDist(
            "preference",
            pt.exp(log_e)[c.rater] * difference + position[c.rater],
            log_nu[c.rater, c.dimension],
            lapse[c.rater],
            logp=davidson_logp,
            dtype="int64",
            observed=c.outcome,
        )
        log_a = pm.HalfNormal("discrimination_sd", 0.5) * pm.Normal("discrimination", 0, 1, shape=n_raters)
        severity = pm.HalfNormal("severity_sd", 1.0) * pm.Normal("severity", 0, 1, shape=(n_raters, n_dims))
        gaps = pt.exp(pm.Normal("log_gap", np.log(8 / (e.levels - 2)), 0.8, shape=(n_dims, e.levels - 2)))
        steps = pt.concatenate([pt.zeros((n_dims, 1)), gaps.cumsum(axis=1)], axis=1)
        kappa = steps - steps.mean(axis=1, keepdims=True) + pm.Normal("threshold_centre", 0, 3, shape=n_dims)[:, None]
        pm.CustomDist(
            "rating",
            pt.exp(log_a)[y.rater] * u[y.row, y.dimension] - severity[y.rater, y.dimension],
            kappa[y.dimension],
            lapse[y.rater],
            logp=ordinal_logp,
            signature="(),(k),()->()",
            dtype="int64",
            observed=y.answer.astype(np.int64),
        )
    return model
