"""Images scored a second on a GPU by a model of Qwen3-VL-8B's shapes: one pass in batches, against written answers.

Weights are random, since speed does not depend on them. Files are read, cut and copied as they always are. The naive
loop writes each answer in JSON, one image at a time, with a cache of keys and values; random weights do not end an
answer, which is therefore as long as a real one is estimated to be.

Without a GPU nothing is measured, and the exit status is 0.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from common import read_arguments, write_results
from gpu_common import (
    NO_GPU,
    PIXELS,
    PROMPT,
    build_model,
    choose_device,
    count_answer_tokens,
    count_operations,
    describe_model,
    make_settings,
    measure_peak,
    peak_memory,
    reset_memory,
    time_call,
    write_pictures,
)

from ppaint_distill.models import LoadedModel
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.scorer import Scorer

BATCHES = {"8b": (1, 8, 32, 64), "tiny": (1, 4)}
N_BATCHES = 6
"""Batches that are timed, at least; the first of a setting is not."""

N_WRITTEN = {"8b": 8, "tiny": 2}
"""Images of the naive loop that are timed."""


def measure(
    loaded: LoadedModel, files: list[Path], shapes: str, *, peak: float, written: bool = False, **score: object
) -> dict[str, object]:
    """Time one way to score, after a batch that is not timed."""
    mode = "generate" if written else "expected"
    tokens = count_answer_tokens(pointwise_prompt(PROMPT))
    settings = make_settings(shapes, mode=mode, max_new_tokens=tokens, **score)
    scorer, device = Scorer(loaded, settings.prompt, settings.score), loaded.device
    first = files[: settings.score.batch_size]

    def warm() -> object:
        return scorer.score_all(first, progressbar=False)

    warm()
    work = count_operations(warm) / len(first) if not settings.score.compile else float("nan")
    before = reset_memory(device)
    seconds = time_call(lambda: scorer.score_all(files, progressbar=False), device)
    return {
        "images": len(files),
        "images/s": len(files) / seconds,
        "GB beside weights": (peak_memory(device) - before) / 1e9,
        "TFLOP an image": work / 1e12,
        "share of peak": work * len(files) / seconds / peak,
    }


def run(shapes: str, device: torch.device, *, batches: tuple[int, ...], compiled: bool) -> tuple[pd.DataFrame, str]:
    """Measure all ways; return the table, and what it rests on."""
    loaded, peak, rows = build_model(shapes, device), measure_peak(device), []
    with TemporaryDirectory() as temporary:
        n_files = max(batches) * N_BATCHES
        folder = write_pictures(Path(temporary) / "pictures", n_files, shapes)
        files = sorted(folder.iterdir())
        written = measure(
            loaded, files[: N_WRITTEN[shapes]], shapes, peak=peak, written=True, batch_size=1, n_threads=1
        )
        rows.append({"way": "written, one at a time", "batch": 1} | written)
        for size in batches:
            way = "one pass" + (", one at a time" if size == 1 else ", in batches")
            found = measure(loaded, files[: size * N_BATCHES], shapes, peak=peak, batch_size=size, n_threads=4)
            rows.append({"way": way, "batch": size} | found)
        if compiled:
            best = max(rows[1:], key=lambda row: row["images/s"])
            size = best["batch"]
            chosen = files[: size * N_BATCHES]
            found = measure(loaded, chosen, shapes, peak=peak, batch_size=size, n_threads=4, compile=True)
            found["TFLOP an image"] = best["TFLOP an image"]
            found["share of peak"] = best["share of peak"] * found["images/s"] / best["images/s"]
            rows.append({"way": "one pass, compiled", "batch": size} | found)
        reader = Scorer(loaded, PROMPT)._reader  # noqa: SLF001 - the length of a question is nowhere else
        from ppaint_distill.images import load_image

        length = reader.prepare(loaded, [[load_image(files[0])]], joint=True).passes[0]["input_ids"].shape[1]
    table = pd.DataFrame(rows)
    table["times the naive loop"] = table["images/s"] / table["images/s"].iloc[0]
    note = (
        f"{describe_model(loaded, shapes)}; {length} tokens a question with its image, of at most {PIXELS[shapes]:,} "
        f"pixels; written answers of {count_answer_tokens(pointwise_prompt(PROMPT))} tokens. Measured peak of matrix "
        f"products: {peak / 1e12:.3g} TFLOP/s. Files are read and cut within the time."
    )
    return table, note


def main() -> None:
    args = read_arguments(
        __doc__,
        shapes={"choices": ["8b", "tiny"], "default": "8b"},
        batch={"type": int, "nargs": "*", "default": None, "help": "sizes of batches"},
        compile={"action": "store_true", "help": "also with compiled layers, at the best size"},
    )
    device = choose_device(args.shapes)
    if device is None:
        print(NO_GPU)
        return
    batches = tuple(args.batch or BATCHES[args.shapes])
    table, note = run(args.shapes, device, batches=batches, compiled=args.compile)
    write_results(args.out, "gpu_scoring", {"ways": table}, note=note)


if __name__ == "__main__":
    main()
