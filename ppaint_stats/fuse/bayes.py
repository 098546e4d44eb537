"""The joint Bayesian fusion."""

import os
import warnings
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from ppaint_stats import __version__
from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.convergence import check_convergence, explain_failures
from ppaint_stats.errors import ArgumentError, ConvergenceWarning, IntervalWarning
from ppaint_stats.fuse.cells import Cell, build_cells
from ppaint_stats.fuse.engine import (
    check_connected,
    check_options,
    tabulate_scores,
    warn_of_latent_cells,
    warn_of_lost_items,
)
from ppaint_stats.fusion import Fusion
from ppaint_stats.joint.encoding import Encoding, encode_study
from ppaint_stats.joint.parameters import Layout, lay_out
from ppaint_stats.joint.posterior import build_posterior, list_quantities
from ppaint_stats.joint.tables import tabulate_dimensions, tabulate_parameters, tabulate_protocols, tabulate_raters
from ppaint_stats.priors import Priors
from ppaint_stats.seeds import describe_seed, split_seed
from ppaint_stats.spread import Spread
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, Protocols, RandomSeed, Target

if TYPE_CHECKING:
    from ppaint_stats.joint.draws import Draws
    from ppaint_stats.joint.laplace import Approximation
    from ppaint_stats.joint.sampling import Sample

type Sampler = Literal["nutpie", "pymc"]
type BayesMethod = Literal["nuts", "laplace"]


def fuse_bayes(
    study: Study,
    *,
    draws: int = 2000,
    tune: int = 500,
    chains: int = 4,
    cores: int | None = None,
    random_seed: RandomSeed = None,
    progressbar: bool = True,
    interval_prob: float = 0.9,
    target: Target = "population",
    protocols: Protocols = "both",
    protocol_discrepancy: bool = False,
    priors: Priors | None = None,
    sampler: Sampler = "nutpie",
    target_accept: float | None = None,
    max_treedepth: int = 10,
    method: BayesMethod = "nuts",
) -> Fusion:
    r"""Fuse ratings and preferences by one joint Bayesian model.

    Each rater has one utility per item and dimension, a consensus plus the rater's own taste, and it feeds both
    protocols: comparisons through Davidson's model with ties, ratings through ordered thresholds (or, on a continuous
    scale, a logit-normal). The model is that of :func:`ppaint_stats.build_model`.

    Parameters
    ----------
    study
        The study.
    draws, tune, chains
        Draws kept per chain, tuning steps before them, and chains.
    cores
        Chains that run side by side; None takes the machine's cores, at most one per chain. The draws do not depend
        on it.
    random_seed
        Seed; the same seed gives the same result.
    progressbar
        Whether to show chains, divergences and the time left, if standard error is a terminal.
    interval_prob
        Probability of the equal-tailed intervals.
    target
        Whose score it is. "population": the expected rating by a new rater of this kind, whose taste, severity and
        discrimination are integrated out; "panel": the mean over these raters of what each is expected to say;
        "relative": the population's score minus the mean of the category's items.
    protocols
        Which judgments are used. With preferences alone the scores are latent.
    protocol_discrepancy
        Whether ratings and preferences may follow consensus utilities of their own, with a correlation per dimension
        that ``fusion.protocols`` reports. The score is then that of the ratings.
    priors
        Priors; None takes the defaults.
    sampler
        "nutpie" runs nutpie's NUTS on the compiled density; "pymc" runs PyMC's NUTS on the model graph, which gives the
        same posterior and takes many times as long.
    target_accept
        Acceptance rate that the step size is tuned to. None takes 0.8 where every rater's comparisons determine the
        rater's utilities well, as in PPaint's design (0.65 with ``method="laplace"``), 0.95 elsewhere, and 0.98 with a
        protocol discrepancy.
    max_treedepth
        Doublings after which a trajectory ends. A trajectory that ends so fails the gate.
    method
        "nuts" samples. "laplace" is for quick looks and large studies: a short NUTS run, and given its draws a normal
        approximation of utilities and consensus, from which ``draws`` draws are made; the fusion says that it is
        approximate, and warns where its checks fail. ``tune``, ``chains``, ``sampler`` and ``max_treedepth`` have
        no meaning for it.

    Returns
    -------
    Fusion
        Scores with posterior means, sds and intervals. ``converged`` is the verdict of :func:`ppaint_stats.diagnose`;
        ``raters``, ``dimensions`` and ``protocols`` hold the other estimates with their intervals, ``posterior`` the
        draws as a DataTree.

    Raises
    ------
    ArgumentError
        If an argument is not allowed, or ``target="panel"`` is asked for where tastes cannot be known.
    DisconnectedGraphError
        If nothing links some items to the others.

    Warns
    -----
    ConvergenceWarning
        If the sampler fails the gate.
    IntervalWarning
        If comparisons bear no rater: intervals then speak of these judgments only.

    Notes
    -----
    Shapes: items i, raters r, dimensions d. :math:`u_{rid} = \theta_{id} + t_{rid}`, sums over items being zero;
    preferences :math:`P(A):P(TIE):P(B) = e^{x/2} : \nu_{rd} : e^{-x/2}` with
    :math:`x = e_r (u_{rAd} - u_{rBd}) + \delta_r` (Davidson 1970; Davidson & Beaver 1977); ratings
    :math:`P(y \le k) = \sigma(\kappa_{dk} - \mu_{cd} - h_d a_r u_{rid} + b_{rd})`.

    Where categories have panels of their own, a category's level and its panel's severity cannot be told apart:
    compare items within categories.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=3, dimensions=("overall",), n_pairs=20)
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> fusion = ps.fuse_bayes(study, draws=2000, tune=1000, random_seed=1, progressbar=False)
    >>> fusion.converged, fusion.scores["score"].between(1, 5).all().item()
    (True, True)
    """
    check_options(
        study, interval="auto", interval_prob=interval_prob, target=target, protocols=protocols, n_boot=2,
        random_seed=random_seed,
    )  # fmt: skip
    for name, value, least in (
        ("draws", draws, 10), ("tune", tune, 10), ("chains", chains, 1), ("max_treedepth", max_treedepth, 1),
    ):  # fmt: skip
        check_count(name, value, least)
    if target_accept is not None:
        check_probability("target_accept", target_accept)
    if cores is not None:
        check_count("cores", cores, 1)
    _check_engine(method, sampler, discrepancy=protocol_discrepancy)
    priors = Priors() if priors is None else priors
    used = restrict_study(study, protocols)
    cells = build_cells(used, protocols=protocols, random_seed=random_seed)
    warn_of_lost_items(study, cells, protocols)
    for cell in cells:
        check_connected(cell)
    encoding = encode_study(used)
    check_request(encoding, target=target, discrepancy=protocol_discrepancy)
    layout = lay_out(encoding, priors, discrepancy=protocol_discrepancy)
    if target_accept is None:
        target_accept = choose_target_accept(encoding, method, discrepancy=protocol_discrepancy)
    most = os.cpu_count() or 1
    cores = (most if method == "laplace" else min(most, chains)) if cores is None else cores
    sampler_seed, draw_seed, rank_seed = split_seed(random_seed, 3)
    chosen = int(sampler_seed.generate_state(1)[0])
    approximation: Approximation | None = None
    engine: dict[str, object]
    if method == "laplace":
        sample, approximation, engine = run_laplace(
            encoding, layout, priors, draws=draws, cores=cores, seed=chosen, target_accept=target_accept,
            progressbar=progressbar,
        )  # fmt: skip
    else:
        sample = run_sampler(
            used, encoding, layout, priors, sampler=sampler, draws=draws, tune=tune, chains=chains, cores=cores,
            seed=chosen, target_accept=target_accept, max_treedepth=max_treedepth, progressbar=progressbar,
            discrepancy=protocol_discrepancy,
        )  # fmt: skip
        engine = {
            "sampler": sampler, "draws": draws, "tune": tune, "chains": chains, "target_accept": target_accept,
            "max_treedepth": max_treedepth,
            "sampling_seconds": round(sample.seconds, 3), "leapfrog_steps": float(sample.stats["n_steps"].mean()),
            "sampler_version": version(sampler),
        }  # fmt: skip
    found = build_posterior(
        sample, encoding, layout, target=target, seed=draw_seed, cores=cores, progressbar=progressbar
    )
    rows = _score_rows(cells, encoding)
    columns, latent_columns, labels = _gather(cells, found.scores, found.consensus, rows)
    spread = Spread(draws=columns)
    on_scale = [cell.has_ratings for cell in cells]
    warn_of_latent_cells(cells, on_scale)
    sizes = np.cumsum([cell.n_items for cell in cells])[:-1]
    scores = tabulate_scores(
        cells, np.split(columns.mean(axis=0), sizes), np.split(latent_columns.mean(axis=0), sizes), spread,
        prob=interval_prob, bounded=target != "relative", seed=rank_seed,
    )  # fmt: skip
    if approximation is None:
        checks = _check_chains(sample, found.draws, encoding, columns, latent_columns, labels)
    else:
        from ppaint_stats.joint.laplace import check_approximation

        checks = check_approximation(approximation, layout, columns, labels)
    reasons = explain_failures(checks)
    if reasons:
        warnings.warn(
            f"the {'approximation' if method == 'laplace' else 'sampler'} did not converge: {'; '.join(reasons)}. "
            "diagnose(fusion) says what to try",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Fusion(
        method="laplace" if method == "laplace" else "bayes",
        scores=scores,
        spread=spread,
        scale=study.scale,
        settings={
            "interval_prob": interval_prob,
            "interval_kind": "posterior",
            "target": target,
            "protocols": protocols,
            "calibrated": all(on_scale),
            "uncalibrated_reason": None if all(on_scale) else "no ratings were used: the scores are latent",
            "protocol_discrepancy": protocol_discrepancy,
            "approximate": method == "laplace",
            **engine,
            "failed_checks": reasons,
            "categories_comparable": len(set(encoding.rating_panel.tolist())) <= 1,
            "priors": asdict(priors),
            "random_seed": describe_seed(random_seed),
            "ppaint_version": __version__,
        },
        parameters=tabulate_parameters(found.draws, encoding, [(cell.category, cell.dimension) for cell in cells]),
        calibration=pd.DataFrame(),
        raters=tabulate_raters(found.draws, encoding, prob=interval_prob),
        dimensions=tabulate_dimensions(found.draws, encoding, prob=interval_prob),
        protocols=tabulate_protocols(found.draws, encoding, prob=interval_prob),
        convergence=checks,
        converged=not reasons,
        posterior=found.tree,
    )


def choose_target_accept(encoding: Encoding, method: BayesMethod, *, discrepancy: bool) -> float:
    """Acceptance rate that suits how a study's utilities are sampled; see :func:`fuse_bayes`."""
    if discrepancy:
        return 0.98
    if not encoding.units or not all(unit.rich for unit in encoding.units):
        return 0.95
    from ppaint_stats.joint.laplace import TARGET_ACCEPT

    return TARGET_ACCEPT if method == "laplace" else 0.8


def restrict_study(study: Study, protocols: Protocols) -> Study:
    """Leave out the judgments that are not to be used."""
    if protocols == "ratings" and study.preferences is not None:
        return study.drop_protocol("preferences")
    if protocols == "preferences" and study.ratings is not None:
        return study.drop_protocol("ratings")
    return study


def check_request(encoding: Encoding, *, target: Target, discrepancy: bool) -> None:
    """Refuse what these judgments cannot tell, and warn of what their intervals leave out."""
    from ppaint_stats.joint.scores import check_panel

    if target == "panel":
        check_panel(encoding)
    if discrepancy and (encoding.comparisons is None or encoding.ratings is None):
        raise ArgumentError("protocol_discrepancy=True needs both ratings and preferences")
    if encoding.anonymous:
        warnings.warn(
            "the comparisons bear no rater: tastes cannot be told from consensus, so that the intervals speak of these "
            "judgments only, not of other raters",
            IntervalWarning,
            stacklevel=3,
        )


def run_sampler(
    study: Study,
    encoding: Encoding,
    layout: Layout,
    priors: Priors,
    *,
    sampler: Sampler,
    discrepancy: bool,
    **options: Any,
) -> "Sample":
    """Sample with the engine asked for."""
    from ppaint_stats.joint import sampling
    from ppaint_stats.joint.density import prepare_data

    if sampler == "nutpie":
        return sampling.sample_density(prepare_data(encoding, layout, priors), layout, **options)
    from ppaint_stats.model import build_model

    return sampling.sample_model(build_model(study, priors, protocol_discrepancy=discrepancy), layout, **options)


def run_laplace(
    encoding: Encoding, layout: Layout, priors: Priors, *, target_accept: float, **options: Any
) -> tuple["Sample", "Approximation", dict[str, object]]:
    """Draw from the Laplace approximation; what its checks judge, and what settings say of it."""
    from ppaint_stats.joint import laplace
    from ppaint_stats.joint.density import prepare_data

    sample, found = laplace.sample_laplace(
        encoding, prepare_data(encoding, layout, priors), layout, target_accept=target_accept, **options
    )
    engine = {"approximation": "short NUTS run and Laplace", "sampler": "laplace", "draws": options["draws"], "tune": 0,
              "chains": 1, "target_accept": target_accept, "run_chains": laplace.CHAINS, "run_tune": laplace.TUNE,
              "run_draws": laplace.DRAWS, "leapfrog_steps": float(found.run.stats["n_steps"].mean()),
              "sampling_seconds": round(sample.seconds, 3)}  # fmt: skip
    return sample, found, engine


def _check_engine(method: str, sampler: str, *, discrepancy: bool) -> None:
    """Refuse engines that there are not, and what an engine cannot do."""
    if method not in get_args(BayesMethod.__value__):
        raise ArgumentError(f"method={method!r} is not one of {list(get_args(BayesMethod.__value__))}")
    if method == "laplace" and discrepancy:
        raise ArgumentError(
            "method='laplace' does not go with protocol_discrepancy=True: how the utilities bend depends too much on "
            "the correlation; use method='nuts'"
        )
    if sampler not in get_args(Sampler.__value__):
        raise ArgumentError(f"sampler={sampler!r} is not one of {list(get_args(Sampler.__value__))}")


def _check_chains(
    sample: "Sample",
    draws: "Draws",
    encoding: Encoding,
    scores: FloatArray,
    latents: FloatArray,
    labels: list[str],
) -> pd.DataFrame:
    """Check the sampler's chains, quantity by quantity."""
    shape = sample.flat.shape[:2]
    quantities, names = list_quantities(draws, encoding)
    quantities = {name: values.reshape(*shape, -1) for name, values in quantities.items()}
    quantities |= {"score": scores.reshape(*shape, -1), "latent": latents.reshape(*shape, -1)}
    names |= {"score": [f"score of {x}" for x in labels], "latent": [f"latent of {x}" for x in labels]}
    return check_convergence(quantities, names, sample.stats)


def _score_rows(cells: list[Cell], encoding: Encoding) -> list[tuple[np.ndarray, int]]:
    """Items of each cell among the encoding's, and its dimension."""
    rows = []
    for cell in cells:
        c = encoding.categories.index(cell.category)
        start, end = encoding.item_start[c], encoding.item_start[c + 1]
        codes = pd.Index(encoding.items[start:end]).get_indexer(pd.Index(cell.items)) + start
        rows.append((codes, encoding.dimensions.index(cell.dimension)))
    return rows


def _gather(
    cells: list[Cell],
    scores: FloatArray | None,
    consensus: FloatArray,
    rows: list[tuple[np.ndarray, int]],
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Draws of the scores and of the latents in the order of the table's rows, and the rows' names."""
    latent = [consensus[:, items, d] for items, d in rows]
    parts = [
        scores[:, items, d] if scores is not None and cell.has_ratings else own
        for cell, (items, d), own in zip(cells, rows, latent, strict=True)
    ]
    labels = [f"{item} ({cell.category}, {cell.dimension})" for cell in cells for item in cell.items]
    return np.concatenate(parts, axis=1), np.concatenate(latent, axis=1), labels
