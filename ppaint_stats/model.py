"""The joint model of ratings and preferences as a PyMC model: its readable specification."""

# mypy: allow-untyped-calls

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from ppaint_stats.errors import ArgumentError
from ppaint_stats.joint.bases import helmert_basis, mean_basis, panel_basis
from ppaint_stats.joint.density import scale_item_prior, scale_taste_prior
from ppaint_stats.joint.encoding import Comparisons, Encoding, Ratings, encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.joint.tastes import list_tastes
from ppaint_stats.kernels.joint.data import NO_TIES
from ppaint_stats.model_parts import (
    BLUNT_TAILS,
    HEAVY_TAILS,
    Blocks,
    Tensor,
    Variables,
    davidson_logp,
    draw_davidson,
    draw_logit_normal,
    draw_ordinal,
    find_sharpness,
    logit_normal_logp,
    ordinal_logp,
    spread_tastes,
)
from ppaint_stats.priors import Priors
from ppaint_stats.study import Study
from ppaint_stats.typing import IntArray


def build_model(study: Study, priors: Priors | None = None, *, protocol_discrepancy: bool = False) -> pm.Model:
    r"""Build the joint model of a study's ratings and preferences.

    Parameters
    ----------
    study
        The study. Tables that it does not hold, and parameters that its judgments say nothing of, stay away.
    priors
        Priors, by default ``Priors()``.
    protocol_discrepancy
        Whether ratings and preferences may follow item utilities of their own, correlated by rho.

    Returns
    -------
    pymc.Model
        The model, without Potentials: prior and posterior predictive draws include every term of its density.

    Raises
    ------
    ArgumentError
        If ``protocol_discrepancy`` is asked of a study with one protocol.

    Notes
    -----
    For item i of category c, dimension d, rater r, with D dimensions. **Items**: the consensus
    :math:`\theta_i = (\theta_{i1}, \dots, \theta_{iD})` sums to zero over the items of a category in each dimension,

    .. math:: \theta = Q z, \quad z_k \sim N(0, \Sigma), \quad \Sigma = L L^\top,

    where the columns of Q are an orthonormal basis of the vectors that sum to zero, and :math:`\Sigma` has an LKJ
    correlation and log-normal spreads. **Raters**: where a rater compares each item in a dimension 2.5 times or more,
    or repeats ratings, they have utilities of their own, which feed both protocols,

    .. math:: u_{ri} = \theta_i + s_r\, t_{ri}, \quad t_r = Q w_r, \quad w_{rk} \sim N(0, T),

    with :math:`\log s_r` normal and summing to zero over raters; elsewhere :math:`u_{ri} = \theta_i`. With sharpness
    :math:`e_r` the parameters are :math:`v = e u`, the utilities on the scale of the rater's own preferences, or, where
    comparisons are few, t cell by cell, standardised: an item in a dimension that the rater judged. **Preferences**
    follow Davidson's model,

    .. math::

        P(A) : P(TIE) : P(B) = e^{\Delta/2} : \nu_{rd} : e^{-\Delta/2},
        \quad \Delta = e_r (u_{rAd} - u_{rBd}) + \delta_r,

    **ratings** a cumulative logit with thresholds :math:`\kappa`,

    .. math:: P(y \le k) = \sigma(\kappa_{dk} - \eta), \quad \eta = h_d\, a_r u_{rid} + \mu_{cd} - b_{rd},

    or, on a continuous scale, their logits are normal around :math:`\kappa_d + \eta` with a rater's own spread. The
    logarithms of e and a sum to zero over raters; those of e follow Gumbel's law of minima, those of a have t tails
    with 4 degrees of freedom. Severity b sums to zero over each panel of raters, levels :math:`\mu` over categories.
    With ratings alone h = 1, and the items' spread takes the prior of h times it. With a discrepancy ratings put
    :math:`\rho_d\theta + \sqrt{1 - \rho_d^2}\,\theta'` in place of :math:`\theta`, where :math:`\theta'` is
    distributed like it.

    **Lapses**: with probability :math:`\pi_r` a judgment of either protocol has nothing to do with the items, and all
    answers are equally likely (on a continuous scale, uniform). Scores are what attentive raters would say.

    Every hierarchy is centred (its values are the parameters) where judgments are many, non-centred (standardised
    deviations are) where they are few.

    | variable | dims | what it is |
    |---|---|---|
    | ``lapse`` | rater | logit of :math:`\pi` |
    | ``item_cov``, ``taste_cov`` | covariance | lower triangular factors L of :math:`\Sigma` and T, row by row |
    | ``consensus`` | contrast, dimension | z: items' utilities in the basis, or the normal draws behind them |
    | ``utility`` | utility_contrast, dimension | v of raters with many comparisons, in the basis |
    | ``taste`` | taste_cell | t of raters with few, for each item in each dimension judged, standardised |
    | ``log_taste_spread_sd``, ``taste_spread`` | -, taste_rater_contrast | log s, in a basis |
    | ``log_sharpness_sd``, ``sharpness`` | -, preference_rater_axis | log e, in a basis |
    | ``tie_mean``, ``log_tie_sd``, ``tie_rater`` | -, -, preference_rater | log nu of raters |
    | ``log_tie_dimension_sd``, ``log_nu`` | -, (preference_rater, dimension) | log nu, standardised within a rater |
    | ``position_mean``, ``log_position_sd``, ``position`` | -, -, preference_rater | delta |
    | ``log_slope`` | dimension | log h |
    | ``log_discrimination_sd``, ``discrimination`` | -, rating_rater_axis | log a, in a basis |
    | ``log_severity_sd``, ``severity_rater`` | -, severity_contrast | severity of raters, in a basis |
    | ``log_severity_dimension_sd``, ``severity`` | -, (severity_contrast, dimension) | b, in a basis |
    | ``category_level`` | category_contrast, dimension | mu, in a basis |
    | ``threshold_centre``, ``log_gap`` | dimension, (dimension, gap) | mean of kappa, logarithms of its steps |
    | ``log_noise_mean``, ``log_noise_sd``, ``log_noise`` | -, -, rating_rater | log spread on continuous scales |
    | ``protocol_correlation``, ``discrepancy`` | dimension, (contrast, dimension) | rho; theta', standardised |
    | ``item_utility``, ``threshold`` | (item, dimension), (dimension, cut) | theta and kappa, computed |
    | ``preference`` | comparison | outcomes: 0, 1, 2 for A, TIE, B |
    | ``rating`` | answer | ratings: levels from 0 or, on a continuous scale, logits (``squeeze_ratings``) |

    Comparisons and ratings stand in the order of the study's tables; a comparison with a count of n stands there n
    times.

    Examples
    --------
    >>> import pandas as pd
    >>> from ppaint_stats import Study
    >>> ratings = pd.DataFrame({"rater": ["r", "r", "s"], "item": ["x", "y", "x"], "rating": [1, 2, 2]})
    >>> model = build_model(Study(ratings=ratings, scale=(1, 3, 1)))
    >>> model.named_vars_to_dims["rating"]
    ('answer',)
    >>> model.potentials
    []
    """
    p = Priors() if priors is None else priors
    e = encode_study(study)
    if protocol_discrepancy and (e.comparisons is None or e.ratings is None):
        raise ArgumentError("protocol_discrepancy=True needs a study with both ratings and preferences")
    layout = lay_out(e, p, discrepancy=protocol_discrepancy)
    add = Variables(layout)
    n_comparisons = 0 if e.comparisons is None else int(e.comparisons.weight.sum())
    coords: dict[str, tuple[str, ...] | IntArray] = {
        **layout.coords,
        "cut": np.arange(max(e.levels - 1, 0)),
        "comparison": np.arange(n_comparisons),
        "answer": np.arange(0 if e.ratings is None else len(e.ratings.value)),
    }
    n_dims = len(e.dimensions)
    categories = Blocks.pad(np.split(np.arange(len(e.items)), e.item_start[1:-1]), e.category_bases)
    with pm.Model(coords={name: values for name, values in coords.items() if len(values)}) as model:
        lapse = add.add_normal("lapse")
        item_factor = add.add_factor("item_cov", n_dims, eta=p.correlation, spread=scale_item_prior(e, p))
        consensus = add.add_rows("consensus", item_factor)
        theta = pm.Deterministic("item_utility", categories.expand(consensus), dims=("item", "dimension"))
        n_raters = len(e.preference_raters)
        log_e = add.add_habit("sharpness", n_raters, mean_basis(n_raters), BLUNT_TAILS)
        own_log_e = pt.concatenate([log_e, [0.0]])  # its entry -1 serves those who do not compare
        v = _add_utilities(e, p, add, theta, own_log_e) if e.units else theta
        if len(e.plain_item):
            v = pt.concatenate([v, pt.exp(log_e[e.plain_rater])[:, None] * theta[e.plain_item]])
        if e.comparisons is not None:
            _add_preferences(e, e.comparisons, add, v, lapse[[e.raters.index(name) for name in e.preference_raters]])
        if e.ratings is not None:
            sharpness = pt.exp(own_log_e[find_sharpness(e)])
            u = v[e.ratings.row, e.ratings.dimension] / sharpness
            if protocol_discrepancy:
                rho = pm.Uniform("protocol_correlation", np.float64(-1.0), np.float64(1.0), dims="dimension")
                other = categories.expand(pt.dot(add.add_normal("discrepancy"), item_factor.T))
                shift = (rho - 1.0) * theta + pt.sqrt(1.0 - rho**2) * other
                u = u + shift[e.ratings.item, e.ratings.dimension]
            _add_ratings(e, e.ratings, add, u, lapse[[e.raters.index(name) for name in e.rating_raters]])
    return model


def _add_utilities(e: Encoding, p: Priors, add: Variables, theta: Tensor, own_log_e: Tensor) -> Tensor:
    """Utilities on the scale of each rater's preferences, one row per rater and item, then the consensus."""
    factor = add.add_factor("taste_cov", len(e.dimensions), eta=p.correlation, spread=scale_taste_prior(e, p))
    log_spread = pt.zeros(len(e.taste_raters))
    if "taste_spread" in add:
        contrasts = add.add_hierarchy("taste_spread", 0.0, add.add_spread("taste_spread_sd"))
        log_spread = pt.dot(helmert_basis(len(e.taste_raters)), contrasts)
    rows = []
    rich, poor = ([unit for unit in e.units if unit.rich == kind] for kind in (True, False))
    if rich:
        blocks = Blocks.pad([unit.items for unit in rich], [unit.basis for unit in rich])
        sharpness = pt.exp(own_log_e[[unit.preference_rater for unit in rich]])[:, None]
        spread = pt.exp(log_spread[[unit.taste_rater for unit in rich]])[:, None]
        of_row, of_contrast = blocks.row_block, blocks.column_block
        own = pm.MvNormal(
            "utility",
            sharpness[of_contrast] * blocks.contract(theta),
            chol=(sharpness * spread)[of_contrast, :, None] * factor,
            dims=("utility_contrast", "dimension"),
        )
        # Taste sums to zero over the items judged, so that their mean is the consensus'.
        rows.append(blocks.expand(own) + (sharpness * blocks.average(theta))[of_row])
    if poor:
        sizes = [len(unit.items) for unit in poor]
        sharpness = pt.exp(own_log_e[np.repeat([unit.preference_rater for unit in poor], sizes)])[:, None]
        spread = pt.exp(log_spread[np.repeat([unit.taste_rater for unit in poor], sizes)])[:, None]
        taste = spread_tastes(add.add_normal("taste"), factor, list_tastes(e))
        rows.append(sharpness * (theta[np.concatenate([unit.items for unit in poor])] + spread * taste))
    return pt.concatenate([*rows, theta])


def _add_preferences(e: Encoding, c: Comparisons, add: Variables, v: Tensor, lapse: Tensor) -> None:
    """Comparisons of utilities v, ties, and the advantage of the first position."""
    n_raters, n_dims = len(e.preference_raters), len(e.dimensions)
    position = add.add_hierarchy("position", add.add_normal("position_mean"), add.add_spread("position_sd"))
    log_nu: Tensor = pt.constant(np.full((n_raters, n_dims), NO_TIES))
    if e.has_ties:
        tie_rater = add.add_hierarchy("tie_rater", add.add_normal("tie_mean"), add.add_spread("tie_sd"))
        log_nu = tie_rater[:, None]
        if "log_nu" in add:
            log_nu = add.add_hierarchy("log_nu", log_nu, add.add_spread("tie_dimension_sd"))
        else:
            log_nu = pt.repeat(log_nu, n_dims, axis=1)
    order = np.argsort(c.source)
    rows = np.repeat(order, c.weight[order].astype(np.int64))
    r, d = c.rater[rows], c.dimension[rows]
    pm.CustomDist(
        "preference",
        v[c.row_a[rows], d] - v[c.row_b[rows], d] + position[r],
        log_nu[r, d],
        lapse[r],
        logp=davidson_logp,
        random=draw_davidson,
        class_name="Davidson",
        dtype="int64",
        observed=c.outcome[rows],
        dims="comparison",
    )


def _add_ratings(e: Encoding, y: Ratings, add: Variables, u: Tensor, lapse: Tensor) -> None:
    """Ratings of utilities u, one per rating: severity, discrimination, levels, thresholds or noise."""
    n_raters, n_dims, n_categories = len(e.rating_raters), len(e.dimensions), len(e.categories)
    log_h = add.add_normal("log_slope") if "log_slope" in add else pt.zeros(n_dims)
    log_a = add.add_habit("discrimination", n_raters, mean_basis(n_raters), HEAVY_TAILS)
    severity_sd = add.add_spread("severity_sd")
    severity_dimension_sd = None
    if "log_severity_dimension_sd" in add:
        severity_dimension_sd = add.add_spread("severity_dimension_sd")
    severity = pt.zeros((n_raters, n_dims))
    if "severity_rater" in add:
        contrasts = add.add_hierarchy("severity_rater", 0.0, severity_sd)[:, None]
        if severity_dimension_sd is not None:
            contrasts = add.add_hierarchy("severity", contrasts, severity_dimension_sd)
        severity = severity + pt.dot(panel_basis(e.rating_panel), contrasts)
    mu = pt.zeros((n_categories, n_dims))
    if n_categories > 1:
        mu = pt.dot(helmert_basis(n_categories), add.add_normal("category_level"))
    slope = pt.exp(log_h[y.dimension] + log_a[y.rater])
    eta = slope * u + mu[y.category, y.dimension] - severity[y.rater, y.dimension]
    centre = add.add_normal("threshold_centre")
    if not e.levels:
        log_noise = add.add_hierarchy("log_noise", add.add_normal("log_noise_mean"), add.add_spread("noise_sd"))
        noise = pt.exp(log_noise[y.rater])
        pm.CustomDist(
            "rating",
            centre[y.dimension] + eta,
            noise,
            lapse[y.rater],
            logp=logit_normal_logp,
            random=draw_logit_normal,
            class_name="LogitNormal",
            observed=y.answer,
            dims="answer",
        )
        return
    steps = pt.zeros((n_dims, 1))
    if "log_gap" in add:
        steps = pt.concatenate([steps, pt.exp(add.add_normal("log_gap")).cumsum(axis=1)], axis=1)
    kappa = centre[:, None] + steps - steps.mean(axis=1, keepdims=True)
    kappa = pm.Deterministic("threshold", kappa, dims=("dimension", "cut"))
    pm.CustomDist(
        "rating",
        eta,
        kappa[y.dimension],
        lapse[y.rater],
        logp=ordinal_logp,
        random=draw_ordinal,
        signature="(),(k),()->()",
        class_name="CumulativeLogit",
        dtype="int64",
        observed=y.answer.astype(np.int64),
        dims="answer",
    )
