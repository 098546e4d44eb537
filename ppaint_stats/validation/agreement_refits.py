"""Running many refits: one after the other or side by side, with a bar, and kept in a folder to go on from."""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import PPaintError, PPaintWarning
from ppaint_stats.fusion import Fusion
from ppaint_stats.progress import track
from ppaint_stats.study import Study
from ppaint_stats.validation.refits import refit_like
from ppaint_stats.validation.shared_inputs import PREFERENCES, Variant

KEYS = [CATEGORY, DIMENSION, ITEM]

QUICK_REFITS: Mapping[str, Mapping[str, object]] = {"bayes": {"draws": 300, "tune": 300, "chains": 2}}
"""What refits change by default: rank correlations need far fewer draws than intervals."""

type Job = tuple[tuple[int, int], Fusion, Study, Mapping[str, object], Path | None]

NEVER_SEEDED = 0
"""Seed of refits of a fusion that was made without one."""


CHANCE = ("sampling_seconds", "leapfrog_steps", "failed_checks", "simulated")
"""Settings that do not tell how a fusion is made."""


@dataclass(frozen=True)
class Refit:
    """Scores of a refit by category, dimension and item, and whether it converged; or why there are none."""

    scores: pd.Series | None
    converged: bool = True
    error: str = ""


def run_refits(
    fusions: Sequence[Fusion],
    variants: Sequence[Variant],
    *,
    options: Mapping[str, Mapping[str, object]],
    folder: Path | None,
    n_jobs: int,
    progressbar: bool,
) -> dict[tuple[int, int], Refit]:
    """Fit every variant in the way of every fusion.

    Parameters
    ----------
    fusions
        Fusions whose ways are taken.
    variants
        Studies to fit.
    options
        By method, arguments in which refits differ from the fusion.
    folder
        Where finished refits are kept and looked for; None keeps none.
    n_jobs
        Refits side by side, through joblib.
    progressbar
        Whether a bar shows the refits and the time left.

    Returns
    -------
    dict
        Refits by the numbers of fusion and variant.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    bare = [replace(fusion, posterior=None) for fusion in fusions]  # draws are of no use here, and heavy to send about
    changes = [{**_seed(f), **QUICK_REFITS.get(f.method, {}), **options.get(f.method, {})} for f in bare]
    jobs = []
    for j, variant in enumerate(variants):
        digest = "" if folder is None else _digest_study(variant.study)
        for i, fusion in enumerate(bare):
            own = {**changes[i], **variant.changes}
            if variant.kind == PREFERENCES and fusion.settings.get("protocol_discrepancy"):
                own["protocol_discrepancy"] = False  # one protocol cannot differ from itself
            path = None if folder is None else folder / f"{_name_refit(fusion, own, digest)}.csv"
            jobs.append(((i, j), fusion, variant.study, own, path))
    found = _run_all(jobs, n_jobs=n_jobs)
    return dict(track(found, total=len(jobs), description="refitting", progressbar=progressbar))


def refit_once(fusion: Fusion, study: Study, changes: Mapping[str, object], path: Path | None) -> Refit:
    """Fit a study in the way of a fusion, or read what an earlier run kept of it."""
    if path is not None and path.exists():
        table = pd.read_csv(path, dtype=str, keep_default_na=False)  # numbers as text, to the last digit
        scores = table.set_index(KEYS)["score"].replace("", "nan").map(float)
        return Refit(scores, bool((table["converged"] == "True").all()))
    try:
        with warnings.catch_warnings():
            # refits see less data: what a person must look at is in the tables made of them
            warnings.simplefilter("ignore", PPaintWarning)
            again = refit_like(fusion, study, **changes)
    except PPaintError as error:
        return Refit(None, converged=False, error=str(error))
    scores = again.scores.set_index(KEYS)["score"]
    if path is not None:
        part = path.with_suffix(".part")
        scores.reset_index().assign(converged=again.converged).to_csv(part, index=False)
        part.replace(path)  # a file that is there is whole
    return Refit(scores, again.converged)


def _run_all(jobs: Sequence[Job], *, n_jobs: int) -> Iterator[tuple[tuple[int, int], Refit]]:
    if n_jobs == 1:
        yield from (_run(job) for job in jobs)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(delayed(_run)(job) for job in jobs)


def _run(job: Job) -> tuple[tuple[int, int], Refit]:
    place, fusion, study, changes, path = job
    return place, refit_once(fusion, study, changes, path)


def _seed(fusion: Fusion) -> dict[str, object]:
    return {"random_seed": NEVER_SEEDED} if fusion.settings.get("random_seed") is None else {}


def _digest_study(study: Study) -> str:
    tables = (study.ratings, study.preferences)
    parts = [str(study.scale), *("" if table is None else table.to_csv(index=False) for table in tables)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _name_refit(fusion: Fusion, changes: Mapping[str, object], digest: str) -> str:
    """A name by everything that the refit depends on."""
    kept = {name: value for name, value in fusion.settings.items() if name not in CHANCE}
    what = json.dumps([fusion.method, kept, dict(changes), digest], default=repr, sort_keys=True)
    return f"{fusion.method}-{hashlib.sha256(what.encode()).hexdigest()[:32]}"
