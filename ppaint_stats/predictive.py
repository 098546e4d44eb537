"""What a Bayesian fusion says of single judgments: their log-likelihood, and replicates of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ppaint_stats.arguments import check_count
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.priors import Priors
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, RandomSeed

if TYPE_CHECKING:
    import xarray as xr

    from ppaint_stats.joint.draws import Draws
    from ppaint_stats.joint.encoding import Encoding
    from ppaint_stats.joint.predict import Preferences, Ratings

DIM = {"rating": "answer", "preference": "comparison"}
"""Dim of each protocol's judgments, as in :func:`ppaint_stats.build_model`."""


def log_likelihood(fusion: Fusion, study: Study, *, draws: int | None = None, max_gb: float = 1.0) -> "xr.Dataset":
    """Log-likelihood of every judgment under every draw, by protocol.

    Parameters
    ----------
    fusion
        A fusion by :func:`ppaint_stats.fuse_bayes`.
    study
        The study that it was made of.
    draws
        Draws of each chain, evenly spaced; None takes all.
    max_gb
        Size of the result, in gigabytes, above which it is refused.

    Returns
    -------
    xarray.Dataset
        ``rating`` (chain, draw, answer) and ``preference`` (chain, draw, comparison), in single precision, as far as
        the fusion uses them. Judgments stand in the order of the study's tables; a comparison with a count of n stands
        there n times. On a continuous scale the density is that of the rating's logit.

    Raises
    ------
    ArgumentError
        If the fusion is not Bayesian or of another study, or the result would be larger than ``max_gb``.

    Notes
    -----
    The likelihood is that of the rater at hand, whose taste and habits the draws hold, so that leaving one judgment
    out (ArviZ's ``loo``) asks about another judgment by the same rater, not about another rater.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=3, dimensions=("overall",), n_pairs=20)
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_bayes(study, draws=2000, tune=1000, random_seed=1, progressbar=False)
    >>> found = log_likelihood(fusion, study, draws=50)
    >>> dict(found.sizes)
    {'chain': 4, 'draw': 50, 'answer': 24, 'comparison': 60}
    """

    def evaluate(judged: "Ratings | Preferences", found: "Draws", utility: FloatArray) -> FloatArray:
        return judged.log_likelihood(found, utility)

    return _evaluate(fusion, study, evaluate, draws=draws, max_gb=max_gb, kind={"rating": "f4", "preference": "f4"})


def posterior_predictive(
    fusion: Fusion, study: Study, *, draws: int | None = None, random_seed: RandomSeed = None, max_gb: float = 1.0
) -> "xr.Dataset":
    """Draw replicates of a study's judgments: what the same raters might say of the same items once more.

    Parameters
    ----------
    fusion, study, draws, max_gb
        As for :func:`log_likelihood`.
    random_seed
        Seed.

    Returns
    -------
    xarray.Dataset
        ``rating`` on the study's scale and ``preference`` (0, 1, 2 for A, TIE, B), dims and order as there.

    Raises
    ------
    ArgumentError
        As there.

    Notes
    -----
    Draws from the prior instead: ``pymc.sample_prior_predictive(model=ppaint_stats.build_model(study))``.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> fusion = ps.fuse_bayes(study, random_seed=1)  # doctest: +SKIP
    >>> again = ps.posterior_predictive(fusion, study, draws=250, random_seed=1)  # doctest: +SKIP
    >>> (again["preference"] == 1).mean()  # doctest: +SKIP
    0.16
    """
    rng = np.random.default_rng(split_seed(random_seed, 1)[0])

    def evaluate(judged: "Ratings | Preferences", found: "Draws", utility: FloatArray) -> Any:
        return judged.replicate(found, utility, rng)

    return _evaluate(fusion, study, evaluate, draws=draws, max_gb=max_gb, kind={"rating": "f4", "preference": "i1"})


def _evaluate(
    fusion: Fusion,
    study: Study,
    evaluate: Callable[["Ratings | Preferences", "Draws", FloatArray], Any],
    *,
    draws: int | None,
    max_gb: float,
    kind: dict[str, str],
) -> "xr.Dataset":
    """Evaluate something of every judgment under every draw."""
    import xarray as xr

    from ppaint_stats.fuse.bayes import restrict_study
    from ppaint_stats.joint.encoding import encode_study
    from ppaint_stats.joint.parameters import lay_out
    from ppaint_stats.joint.predict import Preferences, Ratings, split_draws

    if fusion.posterior is None or "unconstrained_posterior" not in fusion.posterior:
        raise ArgumentError(f"a fusion by fuse_bayes is needed, with its posterior; this one is by {fusion.method!r}")
    encoding = encode_study(restrict_study(study, fusion.settings["protocols"]))
    layout = lay_out(encoding, Priors(), discrepancy=bool(fusion.settings["protocol_discrepancy"]))
    flat = fusion.posterior["unconstrained_posterior"]["flat"]
    if flat.shape[-1] != layout.starts[-1] or not _same_names(fusion, encoding):
        raise ArgumentError("the fusion is of another study: its items, raters or judgments differ from this one's")
    kept = np.arange(flat.shape[1])
    if draws is not None:
        check_count("draws", draws, 1)
        kept = np.unique(np.linspace(0, flat.shape[1] - 1, min(draws, flat.shape[1])).round().astype(np.int64))
    values = flat.to_numpy()[:, kept]
    judged: dict[str, Ratings | Preferences] = {}
    if encoding.ratings is not None:
        judged["rating"] = Ratings(encoding)
    if encoding.comparisons is not None:
        judged["preference"] = Preferences(encoding)
    sizes = {"rating": study.n_ratings, "preference": _count(encoding)}
    n = values.shape[0] * values.shape[1]
    size = sum(n * sizes[name] * np.dtype(kind[name]).itemsize for name in judged) / 1e9
    if size > max_gb:
        fitting = max(int(max_gb / size * len(kept)), 1)
        raise ArgumentError(
            f"the result takes {size:.2g} GB, more than max_gb={max_gb:g}: give draws={fitting} or a larger max_gb"
        )
    out = {name: np.zeros((n, sizes[name]), dtype=kind[name]) for name in judged}
    for place, found, utility in split_draws(values.reshape(n, -1), encoding, layout):
        for name, judgments in judged.items():
            out[name][place] = evaluate(judgments, found, utility)
    coords = {"chain": flat["chain"].to_numpy(), "draw": flat["draw"].to_numpy()[kept]}
    return xr.Dataset(
        {name: (("chain", "draw", DIM[name]), array.reshape(*values.shape[:2], -1)) for name, array in out.items()},
        coords=coords,
    )


def _same_names(fusion: Fusion, encoding: "Encoding") -> bool:
    """Whether the posterior's items and raters are the study's."""
    posterior = fusion.posterior["posterior"]  # type: ignore[index]  # checked by the caller
    return _equal(posterior["item"].to_numpy(), encoding.items) and _equal(
        posterior["rater"].to_numpy(), encoding.raters
    )


def _equal(found: Iterable[object], expected: Iterable[str]) -> bool:
    return [str(x) for x in found] == list(expected)


def _count(encoding: "Encoding") -> int:
    return 0 if encoding.comparisons is None else int(encoding.comparisons.weight.sum())
