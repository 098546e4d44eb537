"""The gate that every sampled fusion passes or fails: did the chains find the posterior, and see enough of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ppaint_stats.errors import ArgumentError
from ppaint_stats.typing import FloatArray

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion
    from ppaint_stats.report import Report

MAX_R_HAT = 1.01
ESS_PER_CHAIN = 100
MIN_BFMI = 0.3
MAX_MCSE = 0.1
"""Monte Carlo error of a score's mean, as a share of its standard deviation."""

_ADVICE = {
    "r_hat": "run more draws and tuning steps; if it stays, look at the quantity named: two explanations may compete",
    "ess_bulk": "run more draws",
    "ess_tail": "run more draws",
    "divergences": "raise target_accept, to 0.95 or more; if they stay, look for raters with few judgments",
    "tree_depth": "run more tuning steps, or raise max_treedepth; the posterior has directions of very different width",
    "bfmi": "run more tuning steps; some spread is hardly determined: a tighter prior for it may be honest",
    "mcse": "run more draws",
}


def check_convergence(
    quantities: Mapping[str, FloatArray],
    labels: Mapping[str, list[str]],
    stats: Mapping[str, np.ndarray],
    *,
    scores: str = "score",
) -> pd.DataFrame:
    """Compute the checks of the gate.

    Parameters
    ----------
    quantities
        Reported quantities, each of shape (chain, draw, values).
    labels
        Name of each value.
    stats
        The sampler's ``diverging``, ``energy`` and ``reached_max_treedepth``, each of shape (chain, draw).
    scores
        Which quantity holds the scores, whose Monte Carlo error is checked.

    Returns
    -------
    DataFrame
        One row per check: ``check, value, threshold, passed, where, advice``. R-hat is rank-normalised and split,
        effective sample sizes are of the bulk and of the 5 % and 95 % quantiles (Vehtari et al. 2021).
    """
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    chains = next(iter(quantities.values())).shape[0]
    worst = {"r_hat": (1.0, ""), "ess_bulk": (np.inf, ""), "ess_tail": (np.inf, ""), "mcse": (0.0, "")}
    for name, values in quantities.items():
        moving = np.flatnonzero(np.ptp(values.reshape(-1, values.shape[2]), axis=0) != 0)  # nan is not 0 either
        if not len(moving):
            continue
        x = values[:, :, moving]
        half = x.shape[1] // 2
        halves = x if chains > 1 else x[0, : 2 * half].reshape(2, half, -1)  # one chain is held against itself
        found = {
            "r_hat": array_stats.rhat(halves, chain_axis=0, draw_axis=1),
            "ess_bulk": array_stats.ess(x, chain_axis=0, draw_axis=1, method="bulk"),
            "ess_tail": array_stats.ess(x, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)),
        }
        if name == scores:
            sd = x.reshape(-1, x.shape[2]).std(axis=0)
            found["mcse"] = array_stats.mcse(x, chain_axis=0, draw_axis=1, method="mean") / sd
        for check, values_found in found.items():
            column = np.atleast_1d(values_found)
            bad = ~np.isfinite(column)
            at = int(np.argmax(bad) if bad.any() else (np.argmin if check.startswith("ess") else np.argmax)(column))
            value = float(column[at])
            before = worst[check][0]
            if not np.isfinite(value) or (value < before if check.startswith("ess") else value > before):
                worst[check] = (value, labels[name][moving[at]])
    least = ESS_PER_CHAIN * chains
    energy = stats["energy"]
    bfmi = np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)
    divergences, deep = int(stats["diverging"].sum()), int(stats["reached_max_treedepth"].sum())
    rows = [
        ("r_hat", worst["r_hat"][0], MAX_R_HAT, worst["r_hat"][0] < MAX_R_HAT, worst["r_hat"][1]),
        ("ess_bulk", worst["ess_bulk"][0], least, worst["ess_bulk"][0] >= least, worst["ess_bulk"][1]),
        ("ess_tail", worst["ess_tail"][0], least, worst["ess_tail"][0] >= least, worst["ess_tail"][1]),
        ("divergences", divergences, 0, divergences == 0, ""),
        ("tree_depth", deep, 0, deep == 0, ""),
        ("bfmi", float(bfmi.min()), MIN_BFMI, float(bfmi.min()) > MIN_BFMI, f"chain {int(bfmi.argmin()) + 1}"),
        ("mcse", worst["mcse"][0], MAX_MCSE, worst["mcse"][0] < MAX_MCSE, worst["mcse"][1]),
    ]
    frame = pd.DataFrame(rows, columns=["check", "value", "threshold", "passed", "where"])
    frame["value"], frame["threshold"] = frame["value"].astype(float), frame["threshold"].astype(float)
    frame["passed"] = frame["passed"].astype(bool)
    frame["advice"] = [
        "" if passed else _ADVICE[check] for check, passed in zip(frame["check"], frame["passed"], strict=True)
    ]
    return frame


def explain_failures(checks: pd.DataFrame) -> list[str]:
    """Say in words which checks failed; an empty list where all passed."""
    words = {
        "r_hat": "R-hat is {value:.4f} ({where}), not below {threshold:g}",
        "ess_bulk": "the bulk effective sample size is {value:.0f} ({where}), not {threshold:.0f}",
        "ess_tail": "the tail effective sample size is {value:.0f} ({where}), not {threshold:.0f}",
        "divergences": "{value:.0f} transitions diverged",
        "tree_depth": "{value:.0f} transitions reached the largest tree depth",
        "bfmi": "E-BFMI is {value:.2f} ({where}), not above {threshold:g}",
        "mcse": "the Monte Carlo error of a score is {value:.2f} of its sd ({where}), not below {threshold:g}",
        "score_error": "chains of the short run disagree by so much that scores may be off by {value:.2f} of their sd, "
        "not {threshold:g}",
        "run_r_hat": "R-hat of the short run is {value:.2f} ({where}), not {threshold:g}",
        "run_divergences": "{value:.0%} of the short run's transitions diverged, more than {threshold:.0%}",
        "definite": "the curvature is not positive definite",
        "width": "the posterior's widths differ by {value:.0%} from the approximation's ({where}), more than "
        "{threshold:.0%}",
    }
    failed = checks[~checks["passed"]]
    return [
        words[str(row["check"])].format(value=row["value"], threshold=row["threshold"], where=row["where"])
        for row in failed.to_dict("records")
    ]


def diagnose(fusion: "Fusion") -> "Report":
    """Judge whether the sampler of a Bayesian fusion has converged, or its Laplace approximation was found.

    Parameters
    ----------
    fusion
        What :func:`ppaint_stats.fuse_bayes` returned, or a saved one.

    Returns
    -------
    Report
        One verdict, ``passed``, with its reasons and what to try; the table ``checks`` holds every number with its
        threshold, and the quantity where it is worst.

    Raises
    ------
    ArgumentError
        If the fusion was not sampled.

    Notes
    -----
    Passed means: rank-normalised split R-hat below 1.01 and bulk and tail effective sample sizes of at least 100 per
    chain for every reported quantity, no divergence, no transition at the largest tree depth, E-BFMI above 0.3 in every
    chain, and a Monte Carlo error of every score below a tenth of its standard deviation (Vehtari et al. 2021;
    Betancourt 2016).

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> fusion = ps.fuse_bayes(study, random_seed=1)  # doctest: +SKIP
    >>> ps.diagnose(fusion).passed  # doctest: +SKIP
    True
    """
    from ppaint_stats.report import Report

    checks = fusion.convergence
    if not len(checks):
        raise ArgumentError(f"diagnose judges a sampler, and this fusion ({fusion.method}) was not sampled")
    reasons = explain_failures(checks)
    s = fusion.settings
    if s.get("approximate"):
        return _describe_approximation(fusion, reasons)
    size = f"{s['chains']} chains of {s['draws']} draws after {s['tune']} tuning steps ({s['sampler']})"
    if reasons:
        advice = list(dict.fromkeys(checks.loc[~checks["passed"], "advice"]))
        text = f"{size}: {'; '.join(reasons)}.\n\nWhat to try: {'; '.join(advice)}."
    else:
        row = checks.set_index("check")["value"]
        text = (
            f"{size}: worst R-hat {row['r_hat']:.4f}, smallest effective sample size {row['ess_bulk']:.0f} (bulk) and "
            f"{row['ess_tail']:.0f} (tail), no divergence."
        )
    return Report(
        title="Convergence of the sampler",
        tables={"checks": checks},
        text=text,
        settings={name: s[name] for name in ("sampler", "chains", "draws", "tune", "target_accept", "random_seed")},
        passed=not reasons,
    )


def _describe_approximation(fusion: "Fusion", reasons: list[str]) -> "Report":
    """What the checks of a Laplace approximation say."""
    from ppaint_stats.report import Report

    checks, s = fusion.convergence, fusion.settings
    text = (
        f"Approximate (Laplace): {s['draws']} draws, utilities and consensus from a normal approximation, all else "
        f"from a short NUTS run of {s['run_chains']} chains with {s['run_draws']} draws after "
        f"{s['run_tune']} tuning steps"
    )
    if reasons:
        advice = list(dict.fromkeys(checks.loc[~checks["passed"], "advice"]))
        text += f": {'; '.join(reasons)}.\n\nWhat to try: {'; '.join(advice)}."
    else:
        row = checks.set_index("check")["value"]
        text += (
            f"; its chains agree within {row['score_error']:.2f} sds of the scores' means, and its widths are "
            f"those of the run within {row['width']:.0%} in every block. Spreads and habits rest on the short run "
            "alone: for these take method='nuts'."
        )
    return Report(
        title="Laplace approximation",
        tables={"checks": checks},
        text=text,
        settings={
            name: s[name] for name in ("approximation", "draws", "run_chains", "run_tune", "run_draws", "random_seed")
        },
        passed=not reasons,
    )
