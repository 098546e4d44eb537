"""A scorer: one pass over an image gives a score and an sd in every dimension."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd
import torch

from ppaint_distill.batches import look_ahead
from ppaint_distill.config import Config, PromptConfig, ScoreConfig, make_config, to_plain
from ppaint_distill.errors import ConfigError, ModelError
from ppaint_distill.images import ImageFile, find_images
from ppaint_distill.models import LoadedModel, generate, load_model
from ppaint_distill.objectives import expected_score
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.reading import SlotReader
from ppaint_distill.score_feed import Preparer, Ready, compile_layers, cut_batches
from ppaint_distill.score_parts import PartFile
from ppaint_distill.score_run import (
    Record,
    ScoreRun,
    join_records,
    name_images,
    read_texts,
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
        How it is scored. With ``compile`` the layers of the model are compiled in place.

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
        for name in ("batch_size", "n_threads"):
            if getattr(self.score_config, name) < 1:
                raise ConfigError(f"score.{name}={getattr(self.score_config, name)} is not allowed: 1 or more is")
        self.prompt = pointwise_prompt(prompt)
        self._reader = SlotReader(loaded.processor.tokenizer, self.prompt)
        self._values = torch.tensor(level_values(prompt), dtype=torch.float64, device=loaded.device)
        if self.score_config.compile:
            compile_layers(loaded.model)

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
        settings, on_cpu = self.score_config, self.loaded.device.type == "cpu"
        by_shape = not on_cpu if settings.by_shape is None else settings.by_shape
        batches = cut_batches(files, settings.batch_size, processor=self.loaded.processor if by_shape else None)
        known = {} if parts is None else parts.records
        # Without anything to take over, files are hashed as they are read.
        keys = [parts.hash_batch(batch) for batch in batches] if parts is not None and known else []
        todo = [place for place in range(len(batches)) if not keys or keys[place] not in known]
        records = {place: known[keys[place]] for place in range(len(batches)) if keys and keys[place] in known}
        prepare = Preparer(self.loaded, self._reader, written=settings.mode == "generate")

        def make(place: int) -> Ready:
            batch = batches[place]
            key = keys[place] if keys else None if parts is None else parts.hash_batch(batch)
            return prepare(batch, key=key)

        def keep(place: int, ready: Ready, found: Record) -> None:
            records[place] = found | {"bad": ready.bad}
            if parts is not None:
                parts.append(str(ready.key), records[place])

        n_threads = settings.n_threads
        waiting: tuple[int, Ready, Callable[[], Record]] | None = None
        with contextlib.closing(look_ahead(todo, make, depth=n_threads, n_threads=n_threads)) as stream:
            shown = track(todo, total=len(todo), description="Scoring images", progressbar=progressbar)
            try:
                for place in shown:
                    ready = next(stream)
                    begun = place, ready, self._score_batch(ready.items, ready)
                    # A batch is read after the next one is on its way: the device does not wait for its numbers.
                    waiting, last = begun, waiting
                    if last is not None:
                        keep(*last[:2], last[2]())
            finally:
                if waiting is not None:
                    keep(*waiting[:2], waiting[2]())
        named = [file.item if isinstance(file, ImageFile) else file[0] for file in files]
        return tabulate_scores([join_records([records[p] for p in sorted(records)], named)], self.prompt.dimensions)

    def _score_batch(self, items: Sequence[str], ready: Ready) -> Callable[[], Record]:
        """Begin to score a batch; what is returned waits for the device and gives the scores."""
        model = self.loaded.model.eval()
        if self.score_config.mode == "generate":
            shown = [[image] for image in ready.shown]
            longest = self.score_config.max_new_tokens
            texts = generate(self.loaded, self.prompt, shown, max_new_tokens=longest) if shown else []
            return lambda: read_texts(items, texts, self.prompt_config)
        inputs = ready.wait()
        if inputs is None:
            return lambda: {"rows": [], "failures": []}
        with torch.inference_mode():
            mean, variance = expected_score(self._reader.read(model, inputs).double(), self._values)
            found = torch.stack([mean, variance.sqrt()])

        def read() -> Record:
            means, sds = found.cpu()
            if not bool(torch.isfinite(means).all()):
                name = self.loaded.name
                raise ModelError(f"model {name} gives scores that are no numbers, for one of {list(items)[:10]}")
            rows = zip(items, means.tolist(), sds.tolist(), strict=True)
            return {"rows": [list(row) for row in rows], "failures": []}

        return read


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
