"""Fitting every method to every fold: in parallel, resumable, and never half-written."""

import hashlib
import json
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ppaint_stats import __version__
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM
from ppaint_stats.errors import ArgumentError, PPaintError, PPaintWarning
from ppaint_stats.fusion import Fusion
from ppaint_stats.fusion_io import write_whole
from ppaint_stats.progress import track
from ppaint_stats.seeds import split_seed
from ppaint_stats.study import Study
from ppaint_stats.typing import FloatArray, RandomSeed
from ppaint_stats.validation.folds import Fold, HeldOut
from ppaint_stats.validation.new_raters import draw_new_raters
from ppaint_stats.validation.refits import SAMPLED, fit_method, parse_method

FORMAT = 1

DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "bayes": {"draws": 500, "tune": 400, "chains": 2},
    "elo": {"n_orders": 50},
}
"""Options of the fits of folds where none are given: less work than a fusion that is reported itself."""


@dataclass(frozen=True)
class FoldFit:
    """What is kept of one method in one fold.

    ``latent`` is the score of each item by its row of ``keys`` (category, dimension, item). ``own`` holds a joint
    model's own predictions, in the order of the fold's judgments: "above" (rating, cut), "density" (rating),
    "shares" (comparison, 3); nan where an item is not known. ``error`` is why there is no fit at all.
    """

    keys: list[list[str]] = field(default_factory=list)
    latent: list[float] = field(default_factory=list)
    own: dict[str, list[Any]] = field(default_factory=dict)
    converged: bool = True
    notes: list[str] = field(default_factory=list)
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Job:
    """One method in one fold."""

    method: str
    fold: int
    path: Path | None


def fit_folds(
    study: Study,
    folds: list[Fold],
    held: HeldOut,
    *,
    methods: tuple[str, ...],
    options: Mapping[str, Mapping[str, object]],
    with_own: bool,
    n_jobs: int | None,
    cache_dir: Path | None,
    random_seed: RandomSeed,
    progressbar: bool,
) -> dict[tuple[str, int], FoldFit]:
    """Fit methods to folds, or read what was fitted before; a fit that is refused is kept with its reason."""
    if cache_dir is not None and random_seed is None:
        raise ArgumentError("cache_dir needs a random_seed: without one a fit that was kept could not be found again")
    content = hash_study(study) if cache_dir is not None else ""
    seeds = split_seed(random_seed, len(folds))
    found: dict[tuple[str, int], FoldFit] = {}
    jobs = []
    for method in methods:
        own = choose_options(method, options)
        for k, fold in enumerate(folds):
            path = None
            if cache_dir is not None:
                about = [FORMAT, __version__, content, method, sorted((n, repr(v)) for n, v in own.items()),
                         _describe(seeds[k]), fold.name, fold.ratings.tolist(), fold.comparisons.tolist(),
                         with_own]  # fmt: skip
                path = cache_dir / f"fold-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]}.json"
            kept = read_fit(path)
            if kept is None:
                jobs.append(Job(method, k, path))
            else:
                found[method, k] = kept
    work = (
        (job, (job.method, choose_options(job.method, options), folds[job.fold], _only(held, job.fold), with_own,
               seeds[job.fold]))
        for job in jobs
    )  # fmt: skip
    results = run_jobs(work, n_jobs=n_jobs)
    for job, fit in track(results, total=len(jobs), description="fitting folds", progressbar=progressbar):
        if job.path is not None:
            write_fit(fit, job.path)
        found[job.method, job.fold] = fit
    return found


def choose_options(method: str, options: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Options of a method: the defaults of folds, then those given for its family, then those for just this one."""
    name, _ = parse_method(method)
    return {**DEFAULTS.get(name, {}), **options.get(name, {}), **options.get(method, {})}


def _describe(seed: np.random.SeedSequence) -> list[object]:
    return [str(seed.entropy), [int(k) for k in seed.spawn_key]]


def _only(held: HeldOut, fold: int) -> dict[str, Any]:
    """What is held out in one fold, by name: all that a worker needs."""
    parts: dict[str, Any] = {}
    if held.ratings is not None:
        r = held.ratings
        rows = r.fold == fold
        parts |= {"rating": [_names(held.categories, r.category[rows]), _names(held.dimensions, r.dimension[rows]),
                             _names(held.items, r.item[rows])], "answer": r.answer[rows], "cuts": r.cuts}  # fmt: skip
    if held.comparisons is not None:
        c = held.comparisons
        rows = c.fold == fold
        parts["comparison"] = [_names(held.dimensions, c.dimension[rows]), _names(held.items, c.a[rows]),
                               _names(held.items, c.b[rows])]  # fmt: skip
    return parts


def _names(names: tuple[str, ...], codes: np.ndarray) -> list[str]:
    return [names[k] for k in codes.tolist()]


def run_jobs(work: Iterator[tuple[Job, tuple[Any, ...]]], *, n_jobs: int | None) -> Iterator[tuple[Job, FoldFit]]:
    """Run jobs by joblib's active backend and yield each result as soon as it is there."""
    from joblib import Parallel, delayed

    runner = Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
    yield from runner(delayed(_run)(job, arguments) for job, arguments in work)


def _run(job: Job, arguments: tuple[Any, ...]) -> tuple[Job, FoldFit]:
    return job, fit_fold(*arguments)


def fit_fold(
    method: str,
    options: dict[str, object],
    fold: Fold,
    held: dict[str, Any],
    with_own: bool,
    seed: np.random.SeedSequence,
) -> FoldFit:
    """Fit one method to one fold; what the package refuses to fit is a result with a reason."""
    start = time.perf_counter()
    fit_seed, own_seed = split_seed(seed, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", PPaintWarning)
        try:
            fusion = fit_method(method, fold.train, random_seed=fit_seed, options=options)
            own = _predict(fusion, fold.train, held, own_seed) if with_own and is_own(method, fold.train) else {}
        except PPaintError as error:
            return FoldFit(converged=False, error=str(error), seconds=time.perf_counter() - start)
    scores = fusion.scores
    notes = list(dict.fromkeys(f"{type(w.message).__name__}: {w.message}" for w in caught))
    return FoldFit(
        keys=scores[[CATEGORY, DIMENSION, ITEM]].to_numpy(dtype=object).tolist(),
        latent=scores["latent"].to_numpy(float).tolist(),
        own={name: values.tolist() for name, values in own.items()},
        converged=bool(fusion.converged),
        notes=notes,
        seconds=time.perf_counter() - start,
    )


def is_own(method: str, study: Study) -> bool:
    """Whether a method predicts new raters by itself: a joint model of all that the study holds."""
    name, protocols = parse_method(method)
    single = (study.ratings is None, study.preferences is None)
    return name in SAMPLED and (protocols == "both" or single == (protocols == "preferences", protocols == "ratings"))


def _predict(fusion: Fusion, train: Study, held: dict[str, Any], seed: np.random.SeedSequence) -> dict[str, FloatArray]:
    """Predictions of the fold's judgments by the model itself."""
    new = draw_new_raters(fusion, train, random_seed=seed)
    e = new.encoding
    out: dict[str, FloatArray] = {}
    if "rating" in held and e.ratings is not None:
        c, d, i = (_find(names, values) for names, values in
                   zip((e.categories, e.dimensions, e.items), held["rating"], strict=True))  # fmt: skip
        known = (c >= 0) & (d >= 0) & (i >= 0)
        known[known] = e.judged[i[known], d[known]]
        cuts = e.levels - 1 if e.levels else len(held["cuts"])
        out["above"] = np.full((len(i), cuts), np.nan)
        out["above"][known] = new.rate(c[known], d[known], i[known], held["cuts"]) if known.any() else 0.0
        if not e.levels:
            out["density"] = np.full(len(i), np.nan)
            out["density"][known] = new.log_density(c[known], d[known], i[known], held["answer"][known])
    if "comparison" in held and e.comparisons is not None:
        d, a, b = (_find(names, values) for names, values in
                   zip((e.dimensions, e.items, e.items), held["comparison"], strict=True))  # fmt: skip
        known = (d >= 0) & (a >= 0) & (b >= 0)
        known[known] = e.judged[a[known], d[known]] & e.judged[b[known], d[known]]
        out["shares"] = np.full((len(a), 3), np.nan)
        out["shares"][known] = new.compare(d[known], a[known], b[known])
    return out


def _find(names: tuple[str, ...], values: list[str]) -> np.ndarray:
    return np.asarray(pd.Index(names).get_indexer(pd.Index(values, dtype=object)), dtype=np.int64)


def hash_study(study: Study) -> str:
    """Hash of a study's content: its tables, column by column, and its scale."""
    total = hashlib.sha256(repr(study.scale).encode())
    for table in (study.ratings, study.preferences):
        if table is None:
            total.update(b"none")
            continue
        total.update(json.dumps([str(column) for column in table]).encode())
        total.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return total.hexdigest()


def read_fit(path: Path | None) -> FoldFit | None:
    """Read what was kept of a fit; None where there is nothing, or nothing that can be read."""
    if path is None or not path.is_file():
        return None
    try:
        return FoldFit(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return None


def write_fit(fit: FoldFit, path: Path) -> None:
    """Write a fit, whole or not at all; numbers come back as they were."""
    text = json.dumps(asdict(fit))
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
