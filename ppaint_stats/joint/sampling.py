"""Sampling the joint model: nutpie on the compiled density, or PyMC on the model graph."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ppaint_stats.joint.coordinates import find_coordinates
from ppaint_stats.joint.parameters import Layout
from ppaint_stats.joint.start import find_start
from ppaint_stats.joint.variables import flatten_variables
from ppaint_stats.kernels.joint.data import JointData
from ppaint_stats.typing import FloatArray

START_SD = 0.2
"""Spread of the starting points around the middle of the priors."""


@dataclass(frozen=True)
class Sample:
    """Draws of the sampled vector, shape (chain, draw, parameter), and the sampler's own statistics by draw."""

    flat: FloatArray
    stats: Mapping[str, np.ndarray]
    seconds: float


def sample_density(
    data: JointData,
    layout: Layout,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int,
    seed: int,
    target_accept: float,
    max_treedepth: int,
    progressbar: bool,
    climb: bool = False,
) -> Sample:
    """Sample the compiled density with nutpie's NUTS.

    Chains start around the middle of the priors or, with ``climb``, around a point near the bulk of the posterior. The
    density releases Python's lock, so that chains run side by side in threads; matrix products take no further ones.
    The draws depend on the seed alone, not on the number of cores.
    """
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    from ppaint_stats.kernels.joint.density import joint_logp

    size = int(layout.starts[-1])
    coordinates = find_coordinates(data, layout)

    def evaluate(sampled: FloatArray) -> tuple[float, FloatArray]:
        x = coordinates.to_model(sampled)
        return coordinates.pull_back(sampled, x, *joint_logp(x, data))

    evaluate(np.zeros(size))  # compiled, or read from the disk, before the time is taken
    begun = time.perf_counter()
    centre = find_start(evaluate, layout, free_slope=not coordinates.changed) if climb else layout.middle

    def make_density() -> Callable[[FloatArray], tuple[float, FloatArray]]:
        return evaluate

    def make_identity(*_: object) -> Callable[[FloatArray], dict[str, FloatArray]]:
        return lambda x: {"flat": x}

    model = from_pyfunc(
        size,
        make_density,
        make_identity,
        ["float64"],
        [(size,)],
        ["flat"],
        make_initial_point_fn=lambda part: np.random.default_rng(part).normal(centre, START_SD),
    )
    with _show_chains(chains, progressbar=progressbar) as callback, threadpool_limits(1, "blas"):
        trace = nutpie.sample(
            model,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=cores,
            seed=seed,
            target_accept=target_accept,
            maxdepth=max_treedepth,
            save_warmup=False,
            progress_bar=False,
            progress_callback=callback,
            progress_rate=250,
        )
    stats = _read_stats(trace["sample_stats"], deep="maxdepth_reached", step="step_size_bar")
    flat = coordinates.to_model(trace["posterior"]["flat"].to_numpy())
    return Sample(flat, stats, time.perf_counter() - begun)


def sample_model(
    model: Any,
    layout: Layout,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int,
    seed: int,
    target_accept: float,
    max_treedepth: int,
    progressbar: bool,
) -> Sample:
    """Sample a PyMC model with PyMC's own NUTS, compiled with numba; the draws come back as the flat vector."""
    import pymc as pm

    begun = time.perf_counter()
    trace = pm.sample(
        draws,
        tune=tune,
        chains=chains,
        cores=cores,
        model=model,
        random_seed=seed,
        nuts={"target_accept": target_accept, "max_treedepth": max_treedepth},
        progressbar=progressbar and sys.stderr.isatty(),
        nuts_sampler="pymc",
        compile_kwargs={"mode": "NUMBA"},
        compute_convergence_checks=False,
    )
    posterior, stats = trace["posterior"], trace["sample_stats"]
    flat = flatten_variables({name: posterior[name].to_numpy() for name in layout.names}, layout)
    found = _read_stats(stats, deep="reached_max_treedepth", step="step_size")
    return Sample(flat, found, time.perf_counter() - begun)


def _read_stats(stats: Any, *, deep: str, step: str) -> dict[str, np.ndarray]:
    """Statistics under one set of names; ``deep`` and ``step`` are those on which the samplers differ."""
    names = {"diverging": "diverging", "energy": "energy", "reached_max_treedepth": deep, "step_size": step}
    found = {name: stats[own].to_numpy() for name, own in names.items()}
    return found | {"n_steps": stats["n_steps"].to_numpy().astype(np.int64)}


@contextmanager
def _show_chains(chains: int, *, progressbar: bool) -> Iterator[Callable[[list[Any]], None] | None]:
    """A bar for each chain with its divergences and the time left, where a person is looking."""
    if not (progressbar and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[divergences]} divergences"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = [bar.add_task(f"chain {k + 1}", total=None, divergences=0) for k in range(chains)]

        def update(progress: list[Any]) -> None:
            for task, chain in zip(tasks, progress, strict=False):
                bar.update(task, total=chain.total_draws, completed=chain.finished_draws, divergences=chain.divergences)

        yield update
