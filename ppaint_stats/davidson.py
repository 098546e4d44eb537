"""Plain maximum likelihood of Davidson's model, for any table of comparisons."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_positive
from ppaint_stats.columns import CATEGORY, COUNT, DIMENSION, ITEM, ITEM_A, ITEM_B, OUTCOME, OUTCOMES
from ppaint_stats.errors import ArgumentError, ConvergenceWarning, DataError, DisconnectedWarning, SeparationWarning
from ppaint_stats.io.files import to_pandas
from ppaint_stats.kernels.davidson import PairCounts, count_pairs
from ppaint_stats.kernels.graphs import find_separation, fits_order_alone, link_components
from ppaint_stats.kernels.laplacian import EXACT_LIMIT
from ppaint_stats.kernels.newton import FLAT_VARIANCE, MaximumLikelihood, fit_maximum_likelihood
from ppaint_stats.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class DavidsonFit:
    """Strengths of items by maximum likelihood.

    Parameters
    ----------
    strengths, se
        Log-worths and their standard errors, indexed by item; against ``reference`` if one was given, otherwise
        around the mean of each component.
    log_nu, log_nu_se
        Logarithm of the tie parameter (-inf without ties, inf with nothing but ties) and its standard error.
    order_effect, order_effect_se
        Advantage delta of the item shown first; 0 where it was not estimated.
    loglik
        Sum of counts times log probabilities, without multinomial constant.
    components
        Component of each item in the comparison graph, numbered from 0, indexed by item.
    reference, penalty
        What the fit was asked for.
    iterations, converged
        Newton steps, and whether they met the tolerance.
    se_exact
        Whether standard errors are exact; otherwise a Monte Carlo estimate (see :func:`fit_davidson`).

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("mood", "overall"))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> mood = study.preferences[study.preferences["dimension"] == "mood"]
    >>> fit = ps.fit_davidson(mood)
    >>> fit.converged, len(fit.strengths)
    (True, 8)
    """

    strengths: pd.Series
    se: pd.Series
    log_nu: float
    log_nu_se: float
    order_effect: float
    order_effect_se: float
    loglik: float
    components: pd.Series
    reference: str | None
    penalty: float | None
    iterations: int
    converged: bool
    se_exact: bool

    def __repr__(self) -> str:
        """One line with size, tie parameter and likelihood."""
        state = "" if self.converged else ", NOT CONVERGED"
        return (
            f"DavidsonFit({len(self.strengths)} items, {self.components.nunique()} component(s), "
            f"log nu {self.log_nu:.4f}, order effect {self.order_effect:.4f}, log-likelihood {self.loglik:.4f}{state})"
        )


def fit_davidson(
    preferences: pd.DataFrame,
    *,
    order_effect: bool = False,
    reference: object | None = None,
    penalty: float | None = None,
    standard_errors: bool = True,
    max_iter: int = 100,
) -> DavidsonFit:
    r"""Fit Davidson's model to comparisons with ties.

    Parameters
    ----------
    preferences
        Columns ``item_a, item_b, outcome`` (A, B or TIE) and perhaps ``count``; other columns are ignored, but more
        than one category or dimension is an error. Raters are taken as alike.
    order_effect
        Whether an advantage of the item shown first (``item_a``) is estimated.
    reference
        Item whose strength is 0 and against which standard errors are measured. By default strengths sum to zero in
        each component of the comparison graph.
    penalty
        Subtracts ``penalty / 2 * sum(strengths**2)`` from the log-likelihood: all strengths become finite and
        components share one origin.
    standard_errors
        Whether they are computed.
    max_iter
        Largest number of Newton steps.

    Returns
    -------
    DavidsonFit
        Strengths with standard errors.

    Raises
    ------
    DataError
        If a column lacks, an outcome is unknown, an item meets itself, a count is not positive, or more than one
        category or dimension is in the table.
    ArgumentError
        If the reference does not occur, the penalty is not positive, or an order effect is asked for that the
        comparisons cannot tell from the strengths (say, every pair was shown in one order only).

    Warns
    -----
    DisconnectedWarning
        If the graph falls into components: each is fitted around its own mean, nu and delta are shared.
    SeparationWarning
        If items were always or never preferred to the others: their strengths are +-inf (nan where not even that is
        known), the rest is fitted. Also if log nu or the order effect has no finite estimate (say, the item shown first
        always won; or pairs know ties and wins of one side only, so that strengths and nu grow together): it is +-inf,
        and strengths that go with it are nan.
    ConvergenceWarning
        If ``max_iter`` steps do not suffice.

    Notes
    -----
    With :math:`d = \lambda_A - \lambda_B + \delta`, P(A) : P(TIE) : P(B) = exp(d/2) : nu : exp(-d/2)
    (Davidson 1970; Davidson & Beaver 1977, the tie term at the geometric mean of the shifted strengths: a source that
    leaves the shift out of it has a nu larger by a factor exp(delta / 2)). Other conventions: prefmod's lambda is half
    of this one, and BradleyTerry2's ``tie.max`` gives nu = 2 exp(tie.max).

    Standard errors are exact up to 2,500 items. Beyond, each is a Rao-Blackwellised Monte Carlo estimate from 64
    solves (Sidén et al. 2018): the part from an item's own comparisons is exact, the part from its opponents'
    uncertainty is estimated.

    Examples
    --------
    >>> import pandas as pd
    >>> games = pd.DataFrame(
    ...     [("x", "y", "A", 8), ("x", "y", "TIE", 4), ("x", "y", "B", 3), ("y", "z", "A", 6), ("y", "z", "B", 2)],
    ...     columns=["item_a", "item_b", "outcome", "count"],
    ... )
    >>> fit = fit_davidson(games, reference="z")
    >>> fit.strengths.round(3).to_dict()
    {'x': 2.239, 'y': 1.376, 'z': 0.0}
    """
    if penalty is not None:
        check_positive("penalty", penalty)
    items, a, b, outcome, weight = _encode(preferences)
    pairs = count_pairs(a, b, outcome, weight, len(items), keep_order=order_effect)
    origin = None
    if reference is not None:
        if str(reference) not in items:
            raise ArgumentError(f"reference={reference!r} is not among the items; some are {list(items[:10])}")
        origin = int(np.flatnonzero(items == str(reference))[0])
    weak = link_components(pairs.a, pairs.b, len(items))
    groups, limit = weak, np.zeros(len(items))
    if penalty is None:
        if weak.max() > 0:
            _warn_of_components(items, weak)
        separation = find_separation(pairs, weak)
        groups, limit = separation.component, separation.limit
        if (limit != 0).any():
            _warn_of_separation(items, limit)
            pairs = pairs.keep(groups[pairs.a] == groups[pairs.b])
    if order_effect and penalty is None and len(pairs.a) and fits_order_alone(pairs.a, pairs.b, pairs.n_items):
        raise ArgumentError(
            "order_effect=True, but these comparisons cannot tell an effect of the first position from differences in "
            "strength: no pair was shown in both orders; leave it out, or give a penalty="
        )
    fit = _fit(
        pairs, groups, order_effect=order_effect, penalty=penalty, origin=origin, standard_errors=standard_errors,
        max_iter=max_iter,
    )  # fmt: skip
    if not fit.converged:
        warnings.warn(f"the fit did not converge in {max_iter} Newton steps", ConvergenceWarning, stacklevel=2)
    strength = fit.strength + limit
    log_nu, delta = fit.log_nu, fit.order_effect
    if any(fit.unbounded):
        log_nu, delta = (
            float(np.copysign(np.inf, value)) if flat else value
            for value, flat in zip((log_nu, delta), fit.unbounded, strict=True)
        )
        lost = np.zeros(len(items), dtype=bool)
        if penalty is None:
            around = _fit(
                pairs, groups, order_effect=order_effect, penalty=None, origin=None, standard_errors=True,
                max_iter=max_iter,
            )  # fmt: skip
            lost = around.strength_se**2 > FLAT_VARIANCE
            strength[lost & np.isfinite(strength)] = np.nan
        names = [name for name, flat in zip(("log nu", "the order effect"), fit.unbounded, strict=True) if flat]
        _warn_of_slope(items, names, lost)
    if origin is not None:
        strength = _against(strength, limit, origin, None if penalty else weak)
    se = np.where(np.isfinite(strength), fit.strength_se, np.nan)
    return DavidsonFit(
        strengths=pd.Series(strength, index=items, name="strength"),
        se=pd.Series(se, index=items, name="se"),
        log_nu=log_nu,
        log_nu_se=fit.log_nu_se if np.isfinite(log_nu) else float("nan"),
        order_effect=delta,
        order_effect_se=fit.order_effect_se if np.isfinite(delta) else float("nan"),
        loglik=fit.loglik,
        components=pd.Series(weak, index=items, name="component"),
        reference=None if reference is None else str(reference),
        penalty=penalty,
        iterations=fit.iterations,
        converged=fit.converged,
        se_exact=len(items) <= EXACT_LIMIT,
    )


def _encode(frame: pd.DataFrame) -> tuple[pd.Index, IntArray, IntArray, IntArray, FloatArray | None]:
    """Item index and code arrays of a table, with every check of the table."""
    frame = to_pandas(frame, name="preferences")
    missing = [name for name in (ITEM_A, ITEM_B, OUTCOME) if name not in frame]
    if missing:
        raise DataError(f"preferences lack the columns {missing}; they have {[str(c) for c in frame.columns]}")
    if not len(frame):
        raise DataError("preferences are empty")
    for name in (CATEGORY, DIMENSION):
        values = frame[name].unique().tolist() if name in frame else []
        if len(values) > 1:
            raise DataError(f"preferences hold {len(values)} values of {name}, {values[:5]} ...; fit one at a time")
    ids = pd.concat([frame[ITEM_A], frame[ITEM_B]], ignore_index=True)
    if not isinstance(ids.dtype, pd.StringDtype):  # 1 and "1" are one item, as in a study
        ids = ids.where(ids.isna(), ids.astype(str))
    codes, items = pd.factorize(ids, sort=True)
    _refuse(codes[: len(frame)] < 0, ITEM_A, frame[ITEM_A], "it is missing")
    _refuse(codes[len(frame) :] < 0, ITEM_B, frame[ITEM_B], "it is missing")
    a, b = codes[: len(frame)].astype(np.int64), codes[len(frame) :].astype(np.int64)
    _refuse(a == b, ITEM_B, frame[ITEM_B], "an item cannot meet itself")
    outcome = np.asarray(pd.Index(OUTCOMES).get_indexer(pd.Index(frame[OUTCOME])), dtype=np.int64)
    _refuse(outcome < 0, OUTCOME, frame[OUTCOME], f"allowed are {', '.join(OUTCOMES)}")
    weight = None
    if COUNT in frame:
        weight = pd.to_numeric(frame[COUNT], errors="coerce").to_numpy(float)
        _refuse(~(np.isfinite(weight) & (weight > 0)), COUNT, frame[COUNT], "counts are positive numbers")
    return pd.Index(items.astype(str), name=ITEM), a, b, outcome, weight


def _refuse(bad: np.ndarray, column: str, values: pd.Series, allowed: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        shown = values.iloc[rows[:10]].tolist()
        raise DataError(f"preferences, column {column!r}, rows {rows[:10].tolist()}: {shown}; {allowed}")


def _fit(
    pairs: PairCounts,
    groups: IntArray,
    *,
    order_effect: bool,
    penalty: float | None,
    origin: int | None,
    standard_errors: bool,
    max_iter: int,
) -> MaximumLikelihood:
    if pairs.wins_a.sum() + pairs.wins_b.sum() == 0:  # nothing but ties, or no comparison inside any group at all
        n, nan, log_nu = pairs.n_items, float("nan"), np.inf if pairs.ties.sum() > 0 else -np.inf
        se = np.full(n, penalty**-0.5 if penalty else nan)
        return MaximumLikelihood(np.zeros(n), se, log_nu, nan, 0.0, nan, 0.0, 0, converged=True)
    return fit_maximum_likelihood(
        pairs, groups, order_effect=order_effect, penalty=penalty or 0.0, reference=origin,
        standard_errors=standard_errors, max_iter=max_iter,
    )  # fmt: skip


def _against(strength: FloatArray, limit: FloatArray, origin: int, component: IntArray | None) -> FloatArray:
    """Contrasts with the item ``origin``; nan where no comparison links the two."""
    with np.errstate(invalid="ignore"):
        contrast = strength - strength[origin] if np.isfinite(limit[origin]) else limit - limit[origin]
    if component is not None:
        contrast[component != component[origin]] = np.nan
    contrast[origin] = 0.0
    return np.asarray(contrast)


def _warn_of_components(items: pd.Index, component: IntArray) -> None:
    sizes = np.bincount(component)
    first = [str(items[np.flatnonzero(component == k)[0]]) for k in np.argsort(-sizes)[:5]]
    warnings.warn(
        f"the comparison graph has {len(sizes)} components (largest {sizes.max()} items; they hold e.g. {first}): "
        "strengths compare within a component only",
        DisconnectedWarning,
        stacklevel=3,
    )


def _warn_of_separation(items: pd.Index, limit: FloatArray) -> None:
    parts = []
    for value, words in ((np.inf, "above all others (+inf)"), (-np.inf, "below all others (-inf)")):
        names = [str(item) for item in items[limit == value]]
        if names:
            parts.append(f"{len(names)} item(s) {words}: {names[:10]}")
    unknown = [str(item) for item in items[np.isnan(limit)]]
    if unknown:
        parts.append(f"{len(unknown)} item(s) in no order with the rest (nan): {unknown[:10]}")
    warnings.warn(
        "some strengths have no finite maximum-likelihood estimate: "
        + "; ".join(parts)
        + "; penalty= gives finite ones",
        SeparationWarning,
        stacklevel=3,
    )


def _warn_of_slope(items: pd.Index, names: list[str], lost: np.ndarray) -> None:
    gone = [str(item) for item in items[lost]]
    with_it = f"; the strengths of {len(gone)} item(s) go with it (nan): {gone[:10]}" if gone else ""
    warnings.warn(
        f"no finite maximum-likelihood estimate of {' and '.join(names)}: the likelihood rises for ever{with_it}",
        SeparationWarning,
        stacklevel=3,
    )
