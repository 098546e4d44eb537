"""The demonstration: simulate a study, check it, fuse it, and hold the scores against the known truth."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ppaint_stats import __version__
from ppaint_stats.columns import CATEGORY, DIMENSION, ITEM, RATING
from ppaint_stats.errors import ArgumentError
from ppaint_stats.progress import LOG
from ppaint_stats.report import Report
from ppaint_stats.report.cells import to_plain
from ppaint_stats.simulation_design import PPaintDesign

if TYPE_CHECKING:
    from ppaint_stats.fusion import Fusion
    from ppaint_stats.simulate import Simulation

KEYS = [CATEGORY, DIMENSION, ITEM]
TITLE = "simulated data"
QUICK_DESIGN = PPaintDesign(n_categories=1, n_items=20, n_pairs=100, dimensions=("technique", "overall"))
QUICK_ORDERS = 25
PACKAGES = ("numpy", "scipy", "pandas", "numba", "matplotlib", "pymc", "nutpie")

type Show = Callable[[str, Report | None], None]
"""Takes a line of text, and a report to show under it or None."""


@dataclass
class Clock:
    """Seconds that each step took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Time a step."""
        start = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start, 3)
        LOG.info("%s: %.1f s", step.replace("_", " "), self.seconds[step])


def run_demo(
    out: str | Path, *, quick: bool = False, random_seed: int = 1, show: Show | None = None, progressbar: bool = False
) -> dict[str, Any]:
    """Simulate a study, check it, fuse it, compare with each other and the truth, and write it down.

    Three fusions take the whole study, the joint model its first category.

    Parameters
    ----------
    out
        Folder for the results: new, empty, or that of an earlier demo.
    quick
        Whether a small study takes the place of one of the PPaint design.
    random_seed
        Seed of everything random.
    show
        Called with what is to be read along the way.
    progressbar
        Whether bars show the progress of long work.

    Returns
    -------
    dict
        What is written to ``result.json``: among its keys ``simulated`` (True), ``methods`` (by method ``rmse``,
        ``bias``, ``srcc``, ``coverage``, ``mean_width``), ``methods_one_category``, ``agreement``, ``seconds``,
        ``versions``.

    Raises
    ------
    ArgumentError
        If the folder holds anything else than an earlier demo.
    """
    import ppaint_stats as ps

    folder = prepare_folder(Path(out))
    clock, tell = Clock(), show or (lambda _text, _report: None)
    with clock.time("simulate"):
        simulation = ps.simulate_study(QUICK_DESIGN if quick else None, random_seed=random_seed)
        simulation.save(folder, overwrite=True)
    study = simulation.study
    tell(f"1  A simulated study, seed {random_seed}: {study!r}", None)
    with clock.time("check"):
        report = _title(ps.check_study(study))
        _write(report, folder / "check")
    tell("2  What it holds (all of it: check.html)", _brief(report, tables=("notes",)))

    fusions: dict[str, Fusion] = {}
    runs: dict[str, Callable[..., Fusion]] = {
        "davidson": ps.fuse_davidson,
        "elo": partial(ps.fuse_elo, n_orders=QUICK_ORDERS) if quick else ps.fuse_elo,
        "thurstone": ps.fuse_thurstone,
    }
    for number, (name, fuse) in enumerate(runs.items()):
        with clock.time(f"fuse_{name}"):
            fusion = fuse(study, random_seed=random_seed, progressbar=progressbar)
            # This travels into the NetCDF file and into the provenance of the targets.
            fusion = replace(fusion, settings={**fusion.settings, "simulated": True})
            fusions[name] = fusion
            fusion.save(folder / f"fusion-{name}.nc")
            fusion.to_csv(folder / f"scores-{name}.csv")
        tell(f"{'3  ' if not number else '   '}{fusion!r} in {clock.seconds[f'fuse_{name}']:.1f} s", None)

    with clock.time("fuse_bayes"):
        one, bayes = sample_category(simulation, random_seed=random_seed, progressbar=progressbar)
        bayes.save(folder / "fusion-bayes.nc")
        bayes.to_csv(folder / "scores-bayes.csv")
    category = simulation.design.categories[0]
    tell(f"   {category} alone: {bayes!r} in {clock.seconds['fuse_bayes']:.1f} s", None)

    with clock.time("truth"):
        known = _title(measure_recovery({"bayes": bayes, **fusions}, one))
        recovered = _title(measure_recovery(fusions, simulation))
        _write(recovered, folder / "truth")
    tell("4  Against the known truth (by cell: truth.html)", _brief(recovered, tables=("all cells",)))
    tell(f"   {category} alone, the joint model beside them", _brief(known, tables=("all cells",), text=False))
    with clock.time("compare"):
        agreement = _title(ps.compare_fusions(*fusions.values(), random_seed=random_seed))
        _write(agreement, folder / "agreement")
    columns = ["fusion_a", "fusion_b", "srcc", "mean_difference", "difference_over_sd", "ccc"]
    tell(
        "5  Against each other, medians over cells", _brief(agreement, tables=("summary",), columns=columns, text=False)
    )
    with clock.time("shared_inputs"):
        shared = _title(take_apart(simulation, n_orders=QUICK_ORDERS, random_seed=random_seed, progressbar=progressbar))
        _write(shared, folder / "agreement-shared-inputs")
    tell("6  How much of that comes from the same judgments (dimension overall)", _brief(shared, tables=()))
    with clock.time("files"):
        fusions["davidson"].to_targets(folder / "targets.parquet")
        _draw(fusions["davidson"], simulation, folder / "scores.png")

    result = {
        "simulated": True,
        "quick": quick,
        "random_seed": random_seed,
        "n_ratings": study.n_ratings,
        "n_preferences": study.n_preferences,
        "methods": recovered.tables["all cells"].set_index("method").to_dict("index"),
        "methods_one_category": known.tables["all cells"].set_index("method").to_dict("index"),
        "converged": {name: fusion.converged for name, fusion in {**fusions, "bayes": bayes}.items()},
        "agreement": agreement.tables["summary"].to_dict("records"),
        "shared_inputs": shared.tables["shared_inputs"].select_dtypes("number").median().to_dict(),
        "seconds": clock.seconds | {"total": round(sum(clock.seconds.values()), 3)},
        "versions": list_versions(),
    }
    plain: dict[str, Any] = to_plain(result)
    (folder / "README.md").write_text(_describe_folder(study_text=repr(study)), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(plain, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return plain


def sample_category(simulation: "Simulation", *, random_seed: int, progressbar: bool) -> tuple["Simulation", "Fusion"]:
    """Fit the joint model to the first category; return that part of the simulation, and the fusion without draws."""
    import ppaint_stats as ps

    category = simulation.design.categories[0]
    truth = simulation.truth[simulation.truth[CATEGORY] == category]
    part = replace(simulation, study=simulation.study.select(categories=[category]), truth=truth)
    fusion = ps.fuse_bayes(part.study, random_seed=random_seed, progressbar=progressbar)
    # The draws of every parameter would fill a hundred megabytes; those of the scores are kept.
    return part, replace(fusion, posterior=None, settings={**fusion.settings, "simulated": True})


def prepare_folder(folder: Path) -> Path:
    """Make the folder, and refuse one that holds other things than an earlier demo."""
    if folder.is_dir() and any(folder.iterdir()):
        about = folder / "design.json"
        try:
            ours = about.is_file() and bool(json.loads(about.read_text(encoding="utf-8")).get("simulated"))
        except (ValueError, AttributeError):
            ours = False
        if not ours:
            raise ArgumentError(f"{folder} is not empty and holds no earlier demo; name a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measure_recovery(fusions: Mapping[str, "Fusion"], simulation: "Simulation") -> Report:
    """Hold fused scores and plain mean ratings against the truth.

    Parameters
    ----------
    fusions
        Fusions of the simulated study by name, of one target.
    simulation
        The simulation.

    Returns
    -------
    Report
        Table "all cells": by method ``rmse`` and ``bias`` in rating units, ``srcc`` (median over cells), ``coverage``
        of the intervals and their ``mean_width``; table "cells" the same by category and dimension.
    """
    target = str(next(iter(fusions.values())).settings["target"])
    prob = float(next(iter(fusions.values())).settings["interval_prob"])
    tables = {name: fusion.scores[[*KEYS, "score", "lower", "upper"]] for name, fusion in fusions.items()}
    if simulation.study.ratings is not None:
        means = simulation.study.ratings.groupby(KEYS, sort=False)[RATING].mean().rename("score").reset_index()
        tables["mean rating"] = means.assign(lower=np.nan, upper=np.nan)
    overall, by_cell = [], []
    for method, table in tables.items():
        known = table.merge(simulation.truth[[*KEYS, target]], on=KEYS, validate="one_to_one")
        cells = [
            {"method": method, CATEGORY: category, DIMENSION: dimension} | _measure(group, target)
            for (category, dimension), group in known.groupby([CATEGORY, DIMENSION], sort=False)
        ]
        by_cell += cells
        median = float(np.median([cell["srcc"] for cell in cells]))
        overall.append({"method": method} | _measure(known, target) | {"srcc": median})
    best = min(overall[: len(fusions)], key=lambda row: row["rmse"])
    text = (
        f"The truth is the rating that a new rater is expected to give ({target} score). The closest fusion, "
        f"{best['method']}, misses it by {best['rmse']:.2f} rating points (root mean square), the plain mean of "
        f"the ratings by {overall[-1]['rmse']:.2f}; its {prob:.0%} intervals hold the truth in "
        f"{best['coverage']:.0%} of the scores. "
        "A bias that all methods share is how severe this panel of raters is: no fusion of its judgments can see that."
    )
    return Report(
        title="Recovery of the truth",
        tables={"all cells": pd.DataFrame(overall), "cells": pd.DataFrame(by_cell)},
        text=text,
        settings={"target": target, "interval_prob": prob, "random_seed": simulation.random_seed},
    )


def _measure(known: pd.DataFrame, target: str) -> dict[str, float]:
    error = known["score"] - known[target]
    inside = known[target].between(known["lower"], known["upper"])
    return {
        "rmse": float(np.sqrt((error**2).mean())),
        "bias": float(error.mean()),
        "srcc": float(known["score"].corr(known[target], method="spearman")),
        "coverage": float(inside.mean()) if known["lower"].notna().all() else np.nan,
        "mean_width": float((known["upper"] - known["lower"]).mean()),
    }


def take_apart(simulation: "Simulation", *, n_orders: int, random_seed: int, progressbar: bool = False) -> Report:
    """Compare Davidson and Elo on one dimension, with refits that tell agreement from common input."""
    import ppaint_stats as ps

    study = simulation.study.select(dimensions="overall")
    pair = (
        ps.fuse_davidson(study, interval="none", random_seed=random_seed),
        ps.fuse_elo(study, interval="none", n_orders=n_orders, random_seed=random_seed),
    )
    return ps.compare_fusions(
        *pair, study=study, n_splits=2, n_permutations=1, n_boot=200, random_seed=random_seed, progressbar=progressbar
    )


def list_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    import platform
    from importlib.metadata import version

    return {"ppaint": __version__, "python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _title(report: Report) -> Report:
    return replace(report, title=f"{report.title} ({TITLE})")


def _brief(report: Report, *, tables: tuple[str, ...], columns: list[str] | None = None, text: bool = True) -> Report:
    """Keep what fits a screen."""
    kept = {name: report.tables[name] for name in tables}
    if columns is not None:
        kept = {name: table[[column for column in columns if column in table]] for name, table in kept.items()}
    return replace(report, tables=kept, settings={}, text=report.text if text else "")


def _write(report: Report, stem: Path) -> None:
    stem.with_suffix(".md").write_text(report.to_markdown() + "\n", encoding="utf-8")
    stem.with_suffix(".json").write_text(report.to_json() + "\n", encoding="utf-8")
    report.to_html(stem.with_suffix(".html"))


def _draw(fusion: "Fusion", simulation: "Simulation", path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ppaint_stats.plots import plot_scores

    category = simulation.design.categories[0]
    n_items = simulation.design.n_items
    # A figure of its own: no window system, whatever the machine offers.
    figure = Figure(figsize=(7.2, 1.9 + 0.19 * min(n_items, 50)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    ax = plot_scores(fusion, category=category, dimension="overall", truth=simulation.truth, ax=figure.subplots())
    ax.set_title(f"Simulated data: {category}, overall", loc="left", fontsize=11, pad=24)
    figure.savefig(path)


def _describe_folder(study_text: str) -> str:
    return f"""# ppaint demo: all data here are SIMULATED

{study_text}

| file | holds |
| --- | --- |
| `study/` | ratings, preferences and scale; `ppaint check`, `ppaint fuse` and `read_study` take it |
| `truth.csv`, `raters.csv`, `design.json` | what the data were generated from |
| `check.*` | what the study holds |
| `scores-METHOD.csv`, `fusion-METHOD.nc` | fused scores with intervals; everything about a fusion |
| `truth.*` (.md, .json, .html) | scores against the truth |
| `agreement.*` | fusions against each other |
| `agreement-shared-inputs.*` | how much of the agreement comes from the same judgments |
| `targets.parquet` | what a scorer is trained on |
| `scores.png` | scores with intervals against the truth |
| `result.json` | all of this in numbers |
"""
