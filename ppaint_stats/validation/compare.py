"""Convergence between constructions: whether fusions agree, and by more than their common input."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.kernels.concordance import measure_agreement
from ppaint_stats.progress import track
from ppaint_stats.report import Report
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, RandomSeed
from ppaint_stats.validation.agreement_refits import Refit, run_refits
from ppaint_stats.validation.agreement_words import describe_agreement
from ppaint_stats.validation.refits import METHODS
from ppaint_stats.validation.shared_inputs import list_variants
from ppaint_stats.validation.shared_parts import (
    INTERVALS,
    PARTS,
    Exchange,
    PairScores,
    average_cells,
    exchange_items,
    judge,
    measure_parts,
)

KEYS = [CATEGORY, DIMENSION, ITEM]
CORRELATIONS = ("srcc", "plcc", "tau")
DIFFERENCES = ("mean_difference", "max_difference", "ccc", "bias")


def compare_fusions(
    *fusions: Fusion,
    study: Study | None = None,
    interval_prob: float = 0.9,
    n_boot: int = 500,
    n_splits: int = 3,
    n_permutations: int = 2,
    refit_options: Mapping[str, Mapping[str, object]] | None = None,
    folder: str | Path | None = None,
    n_jobs: int = 1,
    random_seed: RandomSeed = 0,
    progressbar: bool = False,
) -> Report:
    r"""Compare fusions of the same items, and with the study also against what shared inputs give by themselves.

    Parameters
    ----------
    *fusions
        Two or more fusions.
    study
        The study that they were made from: refits then tell agreement from common input.
    interval_prob
        Probability of the bootstrap intervals (items resampled, and with the study also splits).
    n_boot
        Bootstrap samples; 0 gives no intervals.
    n_splits, n_permutations
        Numbers of splits of the raters into halves, and of repetitions of whatever is permuted or shuffled.
    refit_options
        By method, arguments in which refits differ from the fusions. Joint models are fitted again with 300 draws after
        300 tuning steps in 2 chains unless told otherwise; ``{"bayes": {"method": "laplace"}}`` makes the
        refits approximate and quick. All else, priors among it, is as in the fusion.
    folder
        Folder in which finished refits are kept: a run that was interrupted goes on from there.
    n_jobs
        Refits that run side by side, through joblib; -1 takes all cores.
    random_seed
        Seed.
    progressbar
        Whether a bar shows the refits, then the comparisons, and the time left.

    Returns
    -------
    Report
        Tables "agreement" (a row per pair of fusions, category and dimension: Spearman's, Pearson's and Kendall's
        correlation, mean and largest absolute difference, Lin's concordance, Bland-Altman bias and limits, with
        intervals; ``difference_over_sd`` is the mean difference in mean standard errors), "summary" (medians over
        categories and dimensions), and with ``study`` "shared_inputs" (see Notes) and "verdicts" (its means over
        categories and dimensions).

    Raises
    ------
    ArgumentError
        If fewer than two fusions are given, or two share no item.

    Notes
    -----
    "shared_inputs" holds Spearman correlations of the pair: ``observed``; ``permuted``, both fitted to
    ratings permuted over the items; ``preferences_only``, both without ratings; ``same_half`` and ``cross_half``,
    within and across disjoint halves of the raters; ``within_a`` and ``within_b``, each method with itself across
    halves; ``same_permuted`` and ``cross_permuted``, likewise after the ratings of each half were permuted by
    themselves; ``same_emptied`` and ``cross_emptied``, after each rater's answers were shuffled. From them:

    - ``ratio`` = cross_half / sqrt(within_a within_b), near 1 where both measure one thing;
    - ``shared_part`` = same_half - cross_half, the agreement that comes from the same judgments and not from the items;
    - ``excess`` = cross_half - cross_emptied, what the items add to what the design gives by itself;
    - ``ratings_part`` = cross_half - cross_permuted, what the ratings add to what the comparisons carry across halves.

    ``p_value`` tests ``cross_half`` against exchanges of the items in one half, which give ``null_lower`` to
    ``null_upper``, an interval of probability ``interval_prob``; ``verdict`` is "real" (p below .05),
    "mostly common input" (likewise, but surely less than half of observed), "artificial" (p above, and surely less
    than half), "undecided", or "no agreement". Halves show what raters who share no judgment agree on. An error that
    all raters share, such as ratings filed under wrong items, agrees across halves as well:
    :func:`ppaint_stats.compare_protocols` looks for that. Differences in rating units are missing where a fusion has
    latent scores only.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> sim = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1)
    >>> elo, dav = ps.fuse_elo(sim.study, n_orders=20), ps.fuse_davidson(sim.study)
    >>> report = ps.compare_fusions(elo, dav)
    >>> bool(report.tables["summary"]["srcc"][0] > 0.9)
    True
    """
    if len(fusions) < 2:
        raise ArgumentError(f"comparing needs at least 2 fusions, got {len(fusions)}")
    for fusion in fusions:
        if not isinstance(fusion, Fusion):
            raise ArgumentError(f"compare_fusions takes fusions, not a {type(fusion).__name__}")
    check_probability("interval_prob", interval_prob)
    check_count("n_boot", n_boot, 0)
    check_count("n_splits", n_splits, 1)
    check_count("n_permutations", n_permutations, 1)
    if study is not None:
        _check_same_study(fusions, study)
    for method in refit_options or {}:
        if method not in METHODS:
            raise ArgumentError(f"refit_options names {method!r}, and the methods are {list(METHODS)}")
    names = _name(fusions)
    *pair_seeds, study_seed = split_seed(random_seed, len(fusions) * len(fusions) + 1)
    seeds = iter(pair_seeds)
    agreement, shared, verdicts, notes = [], [], [], []
    if study is not None:
        permute = any(fusion.settings["protocols"] != "preferences" for fusion in fusions)
        variants, missing = list_variants(
            study, n_splits=n_splits, n_permutations=n_permutations, random_seed=study_seed, permute=permute
        )
        notes += [f"{kind}: not computed, {why}." for kind, why in missing.items()]
        refits = run_refits(
            fusions, variants, options=refit_options or {}, folder=None if folder is None else Path(folder),
            n_jobs=n_jobs, progressbar=progressbar,
        )  # fmt: skip
        notes += _note_failures(names, [variant.kind for variant in variants], refits)
    pairs = list(combinations(enumerate(fusions), 2))
    for (i, a), (j, b) in track(pairs, total=len(pairs), description="comparing pairs", progressbar=progressbar):
        head = {"fusion_a": names[i], "fusion_b": names[j]}
        table, alone = _compare_pair(a, b, n_boot=n_boot, prob=interval_prob, seed=next(seeds))
        agreement.append(table.assign(**head))
        if alone:
            notes.append(f"{alone} scores of {names[i]} or {names[j]} have no counterpart in the other: left out.")
        if study is not None:
            pair = PairScores.gather(i, j, variants, refits)
            observed = table.set_index([CATEGORY, DIMENSION])[["srcc", "srcc_lower"]]
            parts, whole = _decompose(pair, study, observed, n_boot=n_boot, prob=interval_prob, seed=next(seeds))
            shared.append(parts.assign(**head))
            verdicts.append(head | whole)
    first = ["fusion_a", "fusion_b"]
    tables = {"agreement": pd.concat(agreement, ignore_index=True)}
    tables["agreement"] = tables["agreement"][first + [c for c in tables["agreement"] if c not in first]]
    medians = [*CORRELATIONS, *DIFFERENCES, "difference_over_sd"]
    tables["summary"] = tables["agreement"].groupby(first, sort=False)[medians].median().reset_index()
    if shared:
        together = pd.concat(shared, ignore_index=True)
        tables["shared_inputs"] = together[first + [c for c in together if c not in first]]
        tables["verdicts"] = pd.DataFrame(verdicts)
    return Report(
        title="Agreement of fusions",
        tables=tables,
        text=describe_agreement(tables, notes, prob=interval_prob),
        settings={
            "fusions": [repr(f) for f in fusions],
            "interval_prob": interval_prob,
            "n_boot": n_boot,
            "n_splits": n_splits,
            "n_permutations": n_permutations,
            "refit_options": {name: dict(options) for name, options in (refit_options or {}).items()},
            "converged": [f.converged for f in fusions],
        },
    )


def _decompose(
    pair: PairScores,
    study: Study,
    observed: pd.DataFrame,
    *,
    n_boot: int,
    prob: float,
    seed: np.random.SeedSequence,
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Parts of a pair's agreement with limits, p and verdict: by category and dimension, and for their means."""
    boot_seed, exchange_seed = split_seed(seed, 2)
    parts = measure_parts(pair, study, n_boot=n_boot, seed=boot_seed)
    whole = average_cells(parts)
    design = float(whole["cross_emptied"][0])  # a design that favours some items by itself
    floor = max(design, 0.0) if np.isfinite(design) else 0.0
    by_cell, overall = exchange_items(pair, study, floor=floor, prob=prob, seed=exchange_seed)
    rows = [
        {CATEGORY: category, DIMENSION: dimension}
        | _conclude(
            row, observed.loc[[(category, dimension)]].iloc[0], by_cell.get((category, dimension), Exchange()), prob
        )
        for (category, dimension), row in parts.items()
        if (category, dimension) in observed.index
    ]
    return pd.DataFrame(rows), _conclude(whole, observed.mean(), overall, prob)


def _conclude(
    row: Mapping[str, FloatArray], observed: "pd.Series[float]", null: Exchange, prob: float
) -> dict[str, object]:
    found = {"observed": float(observed["srcc"]), "observed_lower": float(observed["srcc_lower"])}
    for name in PARTS:
        found[name] = float(row[name][0])
        if name in INTERVALS:
            draws = row[name][1:]
            known = draws[np.isfinite(draws)]
            limits = np.quantile(known, [(1 - prob) / 2, (1 + prob) / 2]) if len(known) > 1 else (np.nan, np.nan)
            found |= {f"{name}_lower": float(limits[0]), f"{name}_upper": float(limits[1])}
    found |= {"null_lower": null.lower, "null_upper": null.upper}
    return found | {"p_value": null.p, "verdict": judge(found, null.p)}


def _note_failures(names: Sequence[str], kinds: Sequence[str], refits: Mapping[tuple[int, int], Refit]) -> list[str]:
    """Why some refits could not be had, and how many did not converge."""
    notes: dict[tuple[int, str], str] = {}
    for (i, j), refit in sorted(refits.items()):
        if refit.scores is None:
            notes.setdefault((i, kinds[j]), f"{names[i]}, {kinds[j]}: not computed, {refit.error}.")
    lines = list(notes.values())
    for i, name in enumerate(names):
        own = [refit for (k, _), refit in refits.items() if k == i and refit.scores is not None]
        doubtful = sum(not refit.converged for refit in own)
        if doubtful:
            lines.append(f"{doubtful} of {len(own)} refits of {name} did not meet their test of convergence.")
    return lines


def _check_same_study(fusions: tuple[Fusion, ...], study: Study) -> None:
    """Refuse a study that does not hold what the fusions scored."""
    known = {(category, dimension) for category, dimension in study.cells}
    for fusion in fusions:
        for (category, dimension), rows in fusion.scores.groupby([CATEGORY, DIMENSION], sort=False):
            held = set(study.items(str(category))) if (category, dimension) in known else set()
            strange = [item for item in rows[ITEM] if item not in held]
            if strange:
                raise ArgumentError(
                    f"{fusion!r} scores items in category {category!r}, dimension {dimension!r} that the study does "
                    f"not hold, {strange[:5]}; give the study that the fusions were made from"
                )


def _name(fusions: tuple[Fusion, ...]) -> list[str]:
    names: list[str] = []
    for fusion in fusions:
        protocols = fusion.settings["protocols"]
        name = fusion.method if protocols == "both" else f"{fusion.method} ({protocols})"
        count = sum(other == name or other.startswith(f"{name} #") for other in names)
        names.append(f"{name} #{count + 1}" if count else name)
    return names


def _compare_pair(
    a: Fusion, b: Fusion, *, n_boot: int, prob: float, seed: np.random.SeedSequence
) -> tuple[pd.DataFrame, int]:
    columns = [*KEYS, "score", "sd", "calibrated"]
    both = a.scores[columns].merge(b.scores[columns], on=KEYS, suffixes=("_a", "_b"))
    if both.empty:
        raise ArgumentError(f"{a!r} and {b!r} share no category, dimension and item")
    relative = [fusion.settings["target"] == "relative" for fusion in (a, b)]
    rng = np.random.default_rng(seed)
    rows = []
    for (category, dimension), group in both.groupby([CATEGORY, DIMENSION], sort=False):
        found = measure_agreement(group["score_a"].to_numpy(), group["score_b"].to_numpy(), n_boot=n_boot, rng=rng)
        comparable = relative[0] == relative[1] and bool((group["calibrated_a"] & group["calibrated_b"]).all())
        row: dict[str, object] = {CATEGORY: category, DIMENSION: dimension, "n_items": len(group)}
        for name in (*CORRELATIONS, *DIFFERENCES):
            keep = comparable or name in CORRELATIONS
            low, high = found.interval(name, prob) if keep else (np.nan, np.nan)
            row |= {name: found.value[name] if keep else np.nan, f"{name}_lower": low, f"{name}_upper": high}
        for name in ("loa_lower", "loa_upper"):
            row[name] = found.value[name] if comparable else np.nan
        sd = float((group["sd_a"].mean() + group["sd_b"].mean()) / 2)
        row["difference_over_sd"] = found.value["mean_difference"] / sd if comparable and sd > 0 else np.nan
        rows.append(row)
    return pd.DataFrame(rows), len(a.scores) + len(b.scores) - 2 * len(both)
