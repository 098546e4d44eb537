"""Convergence between constructions: whether fusions agree, and by more than their common input."""

from itertools import combinations

import numpy as np
import pandas as pd

from ppaint_stats.arguments import check_count, check_probability
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.kernels.concordance import measure_agreement
from ppaint_stats.report import Report
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import RandomSeed
from ppaint_stats.validation.shared_inputs import decompose_agreement

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
        Probability of the bootstrap intervals (items resampled).
    n_boot
        Bootstrap samples; 0 gives no intervals.
    n_splits, n_permutations
        Numbers of splits of the raters into halves and of permutations of the ratings.
    random_seed
        Seed.
    progressbar
        Whether a bar shows the refits' progress.

    Returns
    -------
    Report
        Tables "agreement" (a row per pair of fusions, category and dimension: Spearman's, Pearson's and Kendall's
        correlation, mean and largest absolute difference, Lin's concordance, Bland-Altman bias and limits, with
        intervals; ``difference_over_sd`` is the mean difference in mean standard errors), "summary" (medians over
        categories and dimensions), and with ``study`` "shared_inputs" (see Notes).

    Raises
    ------
    ArgumentError
        If fewer than two fusions are given, or two share no item.

    Notes
    -----
    "shared_inputs" holds Spearman correlations of the pair: ``observed``; ``permuted``, both fitted to
    ratings permuted over the items; ``preferences_only``, both without ratings; ``same_half`` and ``cross_half``,
    within and across disjoint halves of the raters; ``within_a`` and ``within_b``, each method with itself across
    halves; ``ratio`` = cross_half / sqrt(within_a within_b), near 1 where both measure one thing; ``shared_part`` =
    same_half - cross_half, the agreement that comes from the same judgments and not from the items. Differences in
    rating units are missing where a fusion has latent scores only.

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
    names = _name(fusions)
    seeds = iter(split_seed(random_seed, len(fusions) * len(fusions)))
    agreement, shared, notes = [], [], []
    for (i, a), (j, b) in combinations(enumerate(fusions), 2):
        head = {"fusion_a": names[i], "fusion_b": names[j]}
        table, alone = _compare_pair(a, b, n_boot=n_boot, prob=interval_prob, seed=next(seeds))
        agreement.append(table.assign(**head))
        if alone:
            notes.append(f"{alone} scores of {names[i]} or {names[j]} have no counterpart in the other: left out.")
        if study is not None:
            parts, failures = decompose_agreement(
                a, b, study, n_splits=n_splits, n_permutations=n_permutations, random_seed=next(seeds),
                progressbar=progressbar,
            )  # fmt: skip
            parts = table[[CATEGORY, DIMENSION, "srcc"]].rename(columns={"srcc": "observed"}).merge(parts, how="left")
            shared.append(parts.assign(**head))
            notes.extend(f"{names[i]} and {names[j]}, {kind}: not computed, {why}." for kind, why in failures.items())
    first = ["fusion_a", "fusion_b"]
    tables = {"agreement": pd.concat(agreement, ignore_index=True)}
    tables["agreement"] = tables["agreement"][first + [c for c in tables["agreement"] if c not in first]]
    medians = [*CORRELATIONS, *DIFFERENCES, "difference_over_sd"]
    tables["summary"] = tables["agreement"].groupby(first, sort=False)[medians].median().reset_index()
    if shared:
        together = pd.concat(shared, ignore_index=True)
        tables["shared_inputs"] = together[first + [c for c in together if c not in first]]
    return Report(
        title="Agreement of fusions",
        tables=tables,
        text=_describe(tables, notes),
        settings={
            "fusions": [repr(f) for f in fusions],
            "interval_prob": interval_prob,
            "n_boot": n_boot,
            "n_splits": n_splits,
            "n_permutations": n_permutations,
            "converged": [f.converged for f in fusions],
        },
    )


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


def _describe(tables: dict[str, pd.DataFrame], notes: list[str]) -> str:
    lines = []
    for row in tables["summary"].to_dict("records"):
        pair = f"{row['fusion_a']} and {row['fusion_b']}"
        text = f"{pair}: median rank correlation {row['srcc']:.3f}"
        if np.isfinite(row["mean_difference"]):
            text += f", mean absolute difference {row['mean_difference']:.3f} rating units"
        if np.isfinite(row["difference_over_sd"]):
            text += f" ({row['difference_over_sd']:.2f} mean standard errors)"
        lines.append(text + ".")
        if "shared_inputs" in tables:
            shared = tables["shared_inputs"]
            inside = shared[(shared["fusion_a"] == row["fusion_a"]) & (shared["fusion_b"] == row["fusion_b"])]
            middle = inside.drop(columns=["fusion_a", "fusion_b", CATEGORY, DIMENSION]).median()
            if np.isfinite(middle["cross_half"]):
                lines.append(
                    f"On disjoint halves of the raters they agree at {middle['cross_half']:.3f}, on the same half at "
                    f"{middle['same_half']:.3f}: {middle['shared_part']:.3f} of it is common input. Corrected for "
                    f"the halves' own reliability the two correlate at {middle['ratio']:.3f}."
                )
            if np.isfinite(middle["permuted"]):
                lines.append(
                    f"With permuted ratings they agree at {middle['permuted']:.3f}, with preferences only at "
                    f"{middle['preferences_only']:.3f}."
                )
    return "\n\n".join([" ".join(lines), *notes])
