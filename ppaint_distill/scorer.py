"""A scorer: one pass over an image gives a score and an sd in every dimension."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
import torch

from ppaint_distill.batches import look_ahead
from ppaint_distill.config import Config, PromptConfig, ScoreConfig, make_config, to_plain
from ppaint_distill.errors import AnswerError, ConfigError, ModelError
from ppaint_distill.images import ImageFile, find_images
from ppaint_distill.models import LoadedModel, generate, load_model
from ppaint_distill.objectives import expected_score
from ppaint_distill.parsing import parse_scores
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.reading import SlotReader
from ppaint_distill.score_parts import PartFile
from ppaint_distill.score_run import (
    Record,
    ScoreRun,
    load_batch,
    name_images,
    tabulate_scores,
    warn_of_skipped,
    write_scores,
)
from ppaint_stats.fusion_io import write_whole
from ppaint_stats.progress import track

if TYPE_CHECKING:
    from PIL.Image import Image

FORMAT = "ppaint scorer 1"
SETTINGS = "scorer.json"
RUN = "run.json"


class Scorer:
    """Scores images, the same way every time, whatever the batch.

    Parameters
    ----------
    loaded
        A trained model; or any model, whose untrained pointwise answers are then had.
    prompt
        What is asked: dimensions, scale, levels.
    score
        How it is scored.

    Examples
    --------
    >>> from PIL import Image
    >>> from ppaint_distill.tiny import make_tiny
    >>> scorer = Scorer(make_tiny(random_seed=1), PromptConfig(dimensions=("mood", "overall")))
    >>> scorer.score([Image.new("RGB", (64, 64), "red")], progressbar=False)[["item", "dimension"]]
      item dimension
    0    0      mood
    1    0   overall
    """

    def __init__(self, loaded: LoadedModel, prompt: PromptConfig, score: ScoreConfig | None = None) -> None:
        self.loaded = loaded
        self.prompt_config = prompt
        self.score_config = score or ScoreConfig()
        if self.score_config.batch_size < 1:
            raise ConfigError(f"score.batch_size={self.score_config.batch_size} is not allowed: 1 or more is")
        self.prompt = pointwise_prompt(prompt)
        self._reader = SlotReader(loaded.processor.tokenizer, self.prompt)
        self._values = torch.tensor(level_values(prompt), dtype=torch.float64, device=loaded.device)

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, device: str = "auto", dtype: str = "auto", score: ScoreConfig | None = None
    ) -> Self:
        """Load a trained scorer.

        Parameters
        ----------
        path
            Folder of a training run, or of the model in it.
        device, dtype
            As in `ModelConfig`.
        score
            How it is scored; None as it was set for the training run.

        Returns
        -------
        Scorer
            The scorer.

        Raises
        ------
        ModelError
            If the folder holds no scorer.
        """
        folder = Path(path)
        if not (folder / SETTINGS).is_file():
            if not (folder / "result.json").is_file():
                unfinished = (folder / RUN).is_file()
                reason = "its training is not complete" if unfinished else "train writes one"
                raise ModelError(f"{folder} holds no scorer: {reason}")
            folder /= "model"
        try:
            found = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ModelError(f"{folder / SETTINGS} is not JSON: {error}") from error
        if found.get("format") != FORMAT:
            raise ModelError(f"{folder / SETTINGS} is of the format {found.get('format')!r}, not {FORMAT!r}")
        wanted = {"model": {"name": str(folder), "device": device, "dtype": dtype, "attention": found["attention"]}}
        config = make_config({"prompt": found["prompt"], "score": found["score"], **wanted})
        return cls(load_model(config.model), config.prompt, score or config.score)

    @property
    def key(self) -> str:
        """Hash of all that decides a score besides the image, 16 hexadecimal digits."""
        score = to_plain(self.score_config)
        decoding = score["max_new_tokens"] if score["mode"] == "generate" else None
        parts = [self.loaded.fingerprint, self.prompt.hash, score["mode"], decoding, list(self.prompt_config.scale)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def score(
        self, images: "str | Path | Sequence[str | Path | ImageFile | Image]", *, progressbar: bool = True
    ) -> pd.DataFrame:
        """Score images.

        Parameters
        ----------
        images
            A folder, or files and images in memory. The item of a file is its name without suffix, that of an image in
            memory its place, from 0.
        progressbar
            Whether progress is shown where standard error is a terminal.

        Returns
        -------
        DataFrame
            Columns ``item, dimension, score, sd``, in the order of the images.

        Raises
        ------
        DataError
            If two images have one item.

        Warns
        -----
        SkippedWarning
            If images could not be used, or written answers could not be read; `score_all` gives the lists.
        """
        run = self.score_all(images, progressbar=progressbar)
        warn_of_skipped(run, "")
        return run.scores

    def score_all(
        self, images: "str | Path | Sequence[str | Path | ImageFile | Image]", *, progressbar: bool = True
    ) -> ScoreRun:
        """Score images, and list those that could not be.

        Parameters
        ----------
        images, progressbar
            As in `score`.

        Returns
        -------
        ScoreRun
            Scores, images that could not be used, answers that could not be read.
        """
        return self._run(name_images(images), None, progressbar=progressbar)

    def score_folder(
        self, folder: str | Path, out: str | Path, *, resume: bool = True, progressbar: bool = True
    ) -> ScoreRun:
        """Score the images of a folder into a file, from where an interrupted run left off.

        Parameters
        ----------
        folder
            Folder of images.
        out
            File to write, ``.parquet`` or ``.csv``. While the run lasts, ``OUT.part`` beside it keeps every batch that
            is done. ``OUT.skipped.csv`` and ``OUT.failures.csv`` list what has no score, if anything.
        resume
            Whether batches of an interrupted run are taken over; results are the same, bit for bit on a CPU.
        progressbar
            Whether progress is shown where standard error is a terminal.

        Returns
        -------
        ScoreRun
            Scores, images that could not be used, answers that could not be read.

        Raises
        ------
        ResumeError
            If the interrupted run was that of another scorer.

        Warns
        -----
        SkippedWarning
            If images could not be used, or written answers could not be read.
        """
        out = Path(out)
        if out.suffix not in {".parquet", ".csv"}:
            raise ConfigError(f"{out}: a file name that ends in .parquet or .csv is needed")
        files = find_images(folder)
        with PartFile(out.with_name(out.name + ".part"), self.key, resume=resume) as parts:
            run = self._run(files, parts, progressbar=progressbar)
            about = {"model": self.loaded.fingerprint, "prompt": self.prompt.hash, "mode": self.score_config.mode}
            write_scores(run, out, scale=self.prompt_config.scale, provenance=about)
            parts.remove()
        warn_of_skipped(run, f" (lists: {out.name}.skipped.csv, {out.name}.failures.csv)")
        return run

    def _run(
        self, files: "Sequence[ImageFile | tuple[str, Image]]", parts: PartFile | None, *, progressbar: bool
    ) -> ScoreRun:
        """Score batch by batch; batches are cut first, so that those taken over change no other."""
        size = self.score_config.batch_size
        batches = [files[start : start + size] for start in range(0, len(files), size)]
        keys = [parts.hash_batch(batch) if parts is not None else "" for batch in batches]
        known = {} if parts is None else parts.records
        todo = [place for place, key in enumerate(keys) if key not in known]
        records = {place: known[key] for place, key in enumerate(keys) if key in known}
        with contextlib.closing(look_ahead((batches[place] for place in todo), load_batch)) as stream:
            shown = track(todo, total=len(todo), description="Scoring images", progressbar=progressbar)
            for place in shown:
                items, images, bad = next(stream)
                records[place] = self._score_batch(items, images) | {"bad": bad}
                if parts is not None:
                    parts.append(keys[place], records[place])
        return tabulate_scores([records[place] for place in range(len(batches))], self.prompt.dimensions)

    def _score_batch(self, items: Sequence[str], images: "Sequence[Image]") -> Record:
        if not images:
            return {"rows": [], "failures": []}
        model, shown = self.loaded.model.eval(), [[image] for image in images]
        if self.score_config.mode == "generate":
            return self._parse(items, generate(self.loaded, self.prompt, shown, max_new_tokens=self._longest))
        with torch.inference_mode():
            logits = self._reader.read(model, self._reader.prepare(self.loaded, shown, joint=True))
            mean, variance = expected_score(logits.double(), self._values)
        if not bool(torch.isfinite(mean).all()):
            raise ModelError(
                f"model {self.loaded.name} gives scores that are no numbers, for one of {list(items)[:10]}"
            )
        rows = zip(items, mean.tolist(), variance.sqrt().tolist(), strict=True)
        return {"rows": [list(row) for row in rows], "failures": []}

    @property
    def _longest(self) -> int:
        return self.score_config.max_new_tokens

    def _parse(self, items: Sequence[str], texts: Sequence[str]) -> Record:
        rows: list[list[Any]] = []
        failures: list[list[str]] = []
        names = self.prompt.dimensions
        for item, text in zip(items, texts, strict=True):
            try:
                values = parse_scores(text, self.prompt_config)
                rows.append([item, [values[name] for name in names], [None] * len(names)])
            except AnswerError as error:
                failures.append([item, error.kind, error.reason, text])
        return {"rows": rows, "failures": failures}


def holds_scorer(path: str | Path) -> bool:
    """Whether a folder is that of a scorer or of a training run, complete or not, and no mere model's.

    Parameters
    ----------
    path
        A folder, or a name that is none.

    Returns
    -------
    bool
        True for what `Scorer.from_pretrained` reads, or says why it cannot.
    """
    return (Path(path) / SETTINGS).is_file() or (Path(path) / RUN).is_file()


def level_values(prompt: PromptConfig) -> tuple[float, ...]:
    """Return the score that each level stands for: equal steps from the low end of the scale to the high one.

    Parameters
    ----------
    prompt
        Scale and number of levels.

    Returns
    -------
    tuple of float
        Ascending.

    Examples
    --------
    >>> level_values(PromptConfig(scale=(0.0, 10.0), n_levels=5))
    (0.0, 2.5, 5.0, 7.5, 10.0)
    """
    low, high = prompt.scale
    last = prompt.n_levels - 1
    return tuple(low + (high - low) * level / last for level in range(prompt.n_levels))


def write_scorer_settings(folder: str | Path, config: Config) -> Path:
    """Write beside a model what a scorer needs besides it.

    Parameters
    ----------
    folder
        Folder of the model.
    config
        All settings, as they were used in training.

    Returns
    -------
    Path
        The file.
    """
    settings = {"format": FORMAT, "prompt": to_plain(config.prompt), "score": to_plain(config.score)}
    text = json.dumps({**settings, "attention": config.model.attention}, indent=2)
    return write_whole(Path(folder) / SETTINGS, lambda temporary: temporary.write_text(text, encoding="utf-8"))
