"""What an installation can do, and what is slow on this machine, and why."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from ppaint_stats import __version__
from ppaint_stats.report import Report

LOW_MEMORY = 4.0
"""Gigabytes below which large studies run short: a joint fit of a full study takes about one, training far more."""

COMPILE_SECONDS = 60
"""About what the kernels of the joint model take to compile, once."""

_OPTIONAL = {
    "torch": "training and judging with ppaint_distill (extra: distill)",
    "transformers": "loading models for ppaint_distill (extra: distill)",
    "distributed": "cross-validation on several machines (extra: cluster)",
}


class Finding(NamedTuple):
    """One line of the examination: what was looked at, whether it is well, and what to do if not."""

    check: str
    passed: bool
    found: str
    advice: str


def examine_installation() -> Report:
    """Examine versions, processors, memory, the cache of compiled kernels, and the GPU.

    Returns
    -------
    Report
        Table ``findings`` (``check, passed, found, advice``) and table ``versions`` (``package, version, wanted``).
        ``passed`` is whether everything that the statistics need is there; what is merely slow, or absent and optional,
        is told in ``advice``.

    Examples
    --------
    >>> report = examine_installation()
    >>> list(report.tables)
    ['findings', 'versions']
    >>> bool(report.passed)
    True
    """
    versions = _list_versions()
    findings = [
        _check_versions(versions),
        _check_cores(),
        _check_memory(),
        _check_kernels(),
        _check_gpu(),
        *(_check_optional(name, use) for name, use in _OPTIONAL.items()),
        _check_terminal(),
    ]
    table = pd.DataFrame(findings, columns=list(Finding._fields))
    bad = table[~table["passed"]]
    words = "Everything that the statistics need is here." if bad.empty else "Something is missing or broken."
    advice = [f"{finding.check}: {finding.advice}." for finding in findings if finding.advice]
    return Report(
        title=f"ppaint {__version__} on {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        tables={"findings": table, "versions": versions},
        text="\n\n".join([words, *advice]),
        passed=bad.empty,
    )


def _list_versions() -> pd.DataFrame:
    """Version of every package that the statistics need, None where it is absent, and whether it will do."""
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in _read_requirements()]
    rows = []
    for need in wanted:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        found = _find_version(need.name)
        rows.append((need.name, found, str(need.specifier), found is not None and need.specifier.contains(found)))
    return pd.DataFrame(rows, columns=["package", "version", "wanted", "fits"])


def _read_requirements() -> list[str]:
    try:
        return requires("ppaint") or []
    except PackageNotFoundError:  # run from a folder that was never installed
        return []


def _find_version(name: str) -> str | None:
    try:
        return str(version(name))
    except PackageNotFoundError:
        return None


def _check_versions(versions: pd.DataFrame) -> Finding:
    if versions.empty:
        return Finding("packages", True, "run from a folder, not installed: requirements are not known", "")
    bad = versions[~versions["fits"].astype(bool)]
    if len(bad):
        named = bad["package"] + " " + bad["version"].fillna("is missing") + " (wanted " + bad["wanted"] + ")"
        return Finding("packages", False, ", ".join(named), "install the project again")
    return Finding("packages", True, f"all {len(versions)} are here", "")


def _check_cores() -> Finding:
    usable, built = _count_usable(), os.cpu_count() or 1
    found = f"{usable} of {built} cores are open to this process"
    quota = _read_quota()
    if quota is not None and quota < usable:
        found += f", and its container grants {quota:g}"
    threads = {
        name: os.environ[name]
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        if name in os.environ
    }
    if threads:
        found += "; " + ", ".join(f"{k}={v}" for k, v in threads.items())
    few = min(usable, quota or usable) < 4
    advice = "four chains share fewer than four cores, so that a joint fit takes longer"
    return Finding("cores", True, found, advice if few else "")


def _count_usable() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_quota() -> float | None:
    """Processors that a Linux container is limited to, None without a limit."""
    path = Path("/sys/fs/cgroup/cpu.max")
    try:
        quota, period = path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _check_memory() -> Finding:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return Finding("memory", True, "not known on this system", "")
    advice = "large studies and any training will run short" if total < LOW_MEMORY else ""
    return Finding("memory", True, f"{total:.1f} GB", advice)


def _check_kernels() -> Finding:
    """Whether compiled kernels can be kept, and whether they are there."""
    package = Path(__file__).parent
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else package
    compiled = any(folder.rglob("*joint_logp*.nbc")) if folder.exists() else False
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}:
        return Finding("compiled kernels", True, "NUMBA_DISABLE_JIT is set", "fits take hundreds of times as long")
    if compiled:
        return Finding("compiled kernels", True, "the joint model's are on the disk", "")
    where = folder if folder.exists() else folder.parent
    advice = f"the first joint fit compiles for about {COMPILE_SECONDS} s; later ones start at once"
    if not os.access(where, os.W_OK):
        advice = (
            f"the first joint fit compiles for about {COMPILE_SECONDS} s, and {where} cannot be written: set "
            "NUMBA_CACHE_DIR to a folder that can, or each new process may compile again"
        )
    return Finding("compiled kernels", True, "the joint model's are not on the disk yet", advice)


def _check_gpu() -> Finding:
    program = shutil.which("nvidia-smi")
    if program is None:
        none = "none was found: the statistics need none; training beyond tiny models does"
        return Finding("GPU", True, none, "")
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("GPU", True, f"nvidia-smi fails ({type(error).__name__})", "see to the driver before training")
    return Finding("GPU", True, "; ".join(done.stdout.strip().splitlines()), "")


def _check_optional(name: str, use: str) -> Finding:
    found = _find_version(name)
    return Finding(name, True, f"not installed; for {use}" if found is None else found, "")


def _check_terminal() -> Finding:
    shown = sys.stderr.isatty()
    found = "standard error is a terminal: long work shows its progress" if shown else "standard error is no terminal"
    return Finding("progress", True, found if shown else f"{found}: no progress is shown", "")
