"""report_study: from a study and what was made of it to one report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ppaint_stats.columns import CATEGORY, ITEM
from ppaint_stats.errors import ArgumentError, PPaintError
from ppaint_stats.fusion import Fusion
from ppaint_stats.progress import step
from ppaint_stats.report import Report, load_report
from ppaint_stats.seeds import describe_seed
from ppaint_stats.study import Study
from ppaint_stats.study_report.agreement import describe_agreement
from ppaint_stats.study_report.checks import describe_convergence, describe_prediction
from ppaint_stats.study_report.data import describe_data
from ppaint_stats.study_report.document import StudyReport, answer_shortly
from ppaint_stats.study_report.figures import Drawn, add_figures, draw_figures
from ppaint_stats.study_report.methods import describe_methods
from ppaint_stats.study_report.raters import describe_raters
from ppaint_stats.study_report.reliability import describe_reliability
from ppaint_stats.study_report.scores import describe_scores
from ppaint_stats.study_report.section import count
from ppaint_stats.study_report.thumbnails import Thumbnails, read_thumbnails
from ppaint_stats.typing import RandomSeed

HOW_TO_SHOW = "Pictures of the items are shown with --images FOLDER (an item is the name of its file)."


def report_study(
    study: Study,
    *,
    fusions: Sequence[Fusion] | Fusion = (),
    reliability: Report | None = None,
    comparison: Report | None = None,
    validation: Report | str | Path | None = None,
    protocols: Report | Sequence[Fusion] | None = None,
    images: str | Path | None = None,
    title: str | None = None,
    simulated: bool = False,
    random_seed: RandomSeed = None,
    progressbar: bool = True,
) -> StudyReport:
    """Report a study as a whole: verdicts in plain words, data, reliability, scores, raters, agreement, methods.

    Parameters
    ----------
    study
        The study.
    fusions
        Fusions of it; without any, Elo and Davidson fusions are made. The joint model is not fitted here: give it.
    reliability
        What `assess_reliability` returned; computed if left out.
    comparison
        What `compare_fusions` returned, with ``study=`` for what shared inputs explain; without it the fusions are
        compared as they are.
    validation
        What `cross_validate` returned, or its file as JSON.
    protocols
        What `compare_protocols` returned, or two fusions, of ratings alone and of preferences alone; left out, it is
        taken from a joint fusion with a protocol discrepancy, or two Davidson fusions are made.
    images
        Folder of pictures; an item is the name of its file, without suffix.
    title
        Title of the page.
    simulated
        Whether the data are simulated: the page says so.
    random_seed
        Seed; None draws one, which the settings tell.
    progressbar
        Whether work of more than two seconds shows a bar, where standard error is a terminal.

    Returns
    -------
    StudyReport
        Sections with tables, figures and captions; ``to_html(path)`` writes one self-contained page.

    Raises
    ------
    ArgumentError
        If a fusion is not of this study, or an argument is of another kind.
    DataError
        If a file or folder cannot be read.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> design = ps.PPaintDesign(n_categories=1, n_items=8, n_pairs=20, dimensions=("mood",))
    >>> study = ps.simulate_study(design, random_seed=1).study
    >>> rel = ps.assess_reliability(study, n_boot=50, n_subsets=0, random_seed=1)
    >>> report = report_study(study, fusions=ps.fuse_davidson(study), reliability=rel, random_seed=1)
    >>> [section.anchor for section in report.sections][:4]
    ['answer', 'data', 'reliability', 'scores']
    """
    if not isinstance(study, Study):
        raise ArgumentError(f"study is a {type(study).__name__}, not a Study; read_study makes one of tables")
    if random_seed is None:
        random_seed = int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(validation, str | Path):
        validation = read_validation(validation)
    found = _check_fusions(study, (fusions,) if isinstance(fusions, Fusion) else tuple(fusions))
    found = found or _fuse(study, random_seed, progressbar)
    if reliability is None:
        from ppaint_stats.reliability.assess import assess_reliability

        reliability = assess_reliability(study, random_seed=random_seed, progressbar=progressbar)
    if comparison is None and len(found) > 1:
        from ppaint_stats.validation.compare import compare_fusions

        with step("comparing fusions"):
            comparison = compare_fusions(*found, random_seed=random_seed, progressbar=progressbar)
    apart: tuple[str, ...] = ()
    if protocols is None:
        try:
            with step("comparing protocols"):
                protocols = _compare_protocols(study, found, random_seed, progressbar)
        except PPaintError as error:
            apart = (f"The protocols are not compared with each other, since one alone cannot be fused: {error}",)
    pictures = Thumbnails()
    if images is not None:
        keys = found[0].scores[[CATEGORY, ITEM]].drop_duplicates()
        pictures = read_thumbnails(images, keys.itertuples(index=False, name=None))
    sections = [
        describe_data(study),
        describe_reliability(reliability),
        describe_scores(found, missing=(HOW_TO_SHOW,) if images is None else pictures.missing),
        describe_raters(reliability),
        describe_agreement(comparison, protocols, missing=(*_say_alone(found), *apart)),
        describe_convergence(found),
        describe_prediction(validation),
        describe_methods(study, found, reliability, comparison, validation),
    ]
    drawn = draw_figures(study, found, reliability, comparison, protocols, progressbar=progressbar)
    whole = tuple(add_figures(section, drawn.get(section.anchor, Drawn())) for section in sections)
    from ppaint_stats import __version__

    lead = f"{count(len(study.items()), 'item')}, {count(len(study.raters), 'rater')}"
    parts = [count(n, noun) for n, noun in ((study.n_ratings, "rating"), (study.n_preferences, "comparison")) if n]
    return StudyReport(
        title=title or ("Report of a simulated study" if simulated else "Report of a study"),
        sections=(answer_shortly(whole), *whole),
        settings={
            "ppaint": __version__,
            "random_seed": describe_seed(random_seed),
            "simulated": simulated,
            "lead": ", ".join([lead, *parts]),
        },
        thumbnails=pictures,
    )


def read_validation(path: str | Path) -> Report:
    """Read a validation from its file, or from ``validation.json`` in a folder."""
    path = Path(path)
    return load_report(path / "validation.json" if path.is_dir() else path)


def _check_fusions(study: Study, fusions: tuple[Fusion, ...]) -> tuple[Fusion, ...]:
    known = set(study.cells)
    items = {category: set(study.items(category)) for category in study.categories}
    for fusion in fusions:
        if not isinstance(fusion, Fusion):
            raise ArgumentError(f"fusions holds a {type(fusion).__name__}, not a Fusion; load_fusion reads one")
        for category, dimension, item in fusion.scores[[CATEGORY, "dimension", ITEM]].itertuples(index=False):
            if (category, dimension) not in known or item not in items[category]:
                raise ArgumentError(
                    f"{fusion!r} scores {item!r} in category {category!r}, dimension {dimension!r}, which this study "
                    "does not hold; give the study that the fusion was made from"
                )
    return fusions


def _fuse(study: Study, seed: RandomSeed, progressbar: bool) -> tuple[Fusion, ...]:
    from ppaint_stats.fuse.davidson import fuse_davidson
    from ppaint_stats.fuse.elo import fuse_elo

    davidson = fuse_davidson(study, random_seed=seed, progressbar=progressbar)
    return (
        (davidson, fuse_elo(study, random_seed=seed, progressbar=progressbar)) if study.n_preferences else (davidson,)
    )


def _compare_protocols(
    study: Study, fusions: tuple[Fusion, ...], seed: RandomSeed, progressbar: bool
) -> Report | tuple[Fusion, Fusion] | None:
    """Compare what ratings and preferences say: by the joint model where it was let tell, else by a fusion of each."""
    from ppaint_stats.fuse.davidson import fuse_davidson
    from ppaint_stats.validation.protocols import compare_protocols

    for fusion in fusions:
        if fusion.posterior is not None and fusion.settings.get("protocol_discrepancy"):
            return compare_protocols(fusion)
    if not (study.n_ratings and study.n_preferences):
        return None
    options = {"random_seed": seed, "progressbar": progressbar}
    rated = fuse_davidson(study, protocols="ratings", **options)  # type: ignore[arg-type]
    return rated, fuse_davidson(study, protocols="preferences", **options)  # type: ignore[arg-type]


def _say_alone(fusions: tuple[Fusion, ...]) -> tuple[str, ...]:
    if len(fusions) > 1:
        return ()
    return ("There is one fusion. For a comparison give two: ppaint report STUDY --method elo,davidson.",)
