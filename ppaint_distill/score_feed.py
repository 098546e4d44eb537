"""What keeps a device busy while many images are scored: batches of one shape, and inputs made ready ahead of it."""

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ppaint_distill.image_reading import read_size
from ppaint_distill.images import ImageFile
from ppaint_distill.models import LoadedModel
from ppaint_distill.reading import SlotInputs, SlotReader
from ppaint_distill.score_run import load_batch

if TYPE_CHECKING:
    from PIL.Image import Image

    from ppaint_distill.processor import ImageTextProcessor

type Shape = tuple[int, int]
"""Patches of an image, down and across."""

type Shown = "ImageFile | tuple[str, Image]"
"""An image on disk, or one in memory with its item."""

LAYERS = ("layers", "blocks")
"""Names of the lists of layers in the language model and the vision tower."""


@dataclass(frozen=True)
class Ready:
    """A batch that is ready to be scored.

    Parameters
    ----------
    items
        Names of its images.
    shown
        The images; only where answers are written.
    inputs
        Inputs of one pass; None where answers are written, or nothing can be scored.
    bad
        Images that cannot be used: item, path, kind, reason.
    key
        Hash of the batch's files, where it was asked for.
    copied
        When the inputs are on the device; None where they are there already.
    """

    items: list[str]
    shown: "list[Image]"
    inputs: SlotInputs | None
    bad: list[list[str]]
    key: str | None = None
    copied: Any = None

    def wait(self) -> SlotInputs | None:
        """Return the inputs, to be used by the stream on which the model runs.

        Returns
        -------
        SlotInputs
            The inputs; None where there are none.
        """
        if self.copied is not None and self.inputs is not None:
            tensors = [tensor for one in self.inputs.passes for tensor in one.values()]
            stream = torch.cuda.current_stream(tensors[0].device)
            stream.wait_event(self.copied)
            for tensor in tensors:
                tensor.record_stream(stream)
        return self.inputs


class Preparer:
    """Reads, cuts and copies batches, in any number of threads.

    Parameters
    ----------
    loaded
        The model for which they are made.
    reader
        Puts the question.
    written
        Whether answers are written: images are then handed on as they are.
    """

    def __init__(self, loaded: LoadedModel, reader: SlotReader, *, written: bool) -> None:
        self.reader, self.written = reader, written
        self.device, self.dtype = loaded.device, loaded.dtype
        self.host = dataclasses.replace(loaded, device=torch.device("cpu"))
        self.stream: Any = _make_stream(loaded.device)

    def __call__(self, batch: Sequence[Shown], *, key: str | None = None) -> Ready:
        """Make a batch ready.

        Parameters
        ----------
        batch
            Its images.
        key
            Handed on.

        Returns
        -------
        Ready
            The batch.
        """
        items, images, bad = load_batch(batch)
        if self.written or not images:
            return Ready(items, images, None, bad, key)
        inputs = self.reader.prepare(self.host, [[image] for image in images], joint=True)
        # The vision tower casts pixels to its own numbers: done here, half as many bytes are copied.
        passes = tuple({**one, "pixel_values": one["pixel_values"].to(self.dtype)} for one in inputs.passes)
        inputs = SlotInputs(passes, joint=True)
        if self.stream is None:
            return Ready(items, [], inputs.to(self.device), bad, key)
        # Pinned memory and a stream of its own: copies run beside the batch that is being scored.
        with torch.cuda.stream(self.stream):
            passes = tuple(
                {name: tensor.pin_memory().to(self.device, non_blocking=True) for name, tensor in one.items()}
                for one in inputs.passes
            )
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record(self.stream)
        return Ready(items, [], SlotInputs(passes, joint=True), bad, key, copied)


def cut_batches(
    images: Sequence[Shown], batch_size: int, *, processor: "ImageTextProcessor | None" = None
) -> list[list[Shown]]:
    """Cut images into batches, in their order or by shape.

    Parameters
    ----------
    images
        Images on disk or in memory.
    batch_size
        Images in a batch.
    processor
        Says which shapes images get, to put like to like; None keeps their order.

    Returns
    -------
    list of list
        The batches.
    """
    if processor is None:
        return [list(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    return [[images[place] for place in batch] for batch in plan_batches(find_shapes(images, processor), batch_size)]


def find_shapes(images: Iterable[Shown], processor: "ImageTextProcessor") -> list[Shape | None]:
    """Find the shape that each image will have for the model, from the headers of the files.

    Parameters
    ----------
    images
        Images on disk or in memory.
    processor
        Says how images are resized.

    Returns
    -------
    list
        Patches down and across; None for what cannot be read, or has no shape that is allowed.
    """
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    cutter = processor.image_processor
    shapes: list[Shape | None] = []
    for image in images:
        size = read_size(image.path if isinstance(image, ImageFile) else image[1])
        shape = None
        if size is not None:
            with contextlib.suppress(ValueError):  # sides too unlike: said when the image is loaded
                height, width = smart_resize(
                    size[1],
                    size[0],
                    factor=cutter.patch_size * cutter.merge_size,
                    min_pixels=cutter.size["shortest_edge"],
                    max_pixels=cutter.size["longest_edge"],
                )
                shape = (height // cutter.patch_size, width // cutter.patch_size)
        shapes.append(shape)
    return shapes


def plan_batches(shapes: Sequence[Shape | None], batch_size: int) -> list[list[int]]:
    """Put images of one shape into batches: nothing is padded in them, and every batch of a shape is alike.

    What is left of each shape is put together by length, so that the last batches are padded little.

    Parameters
    ----------
    shapes
        Shape of each image; None where it is not known.
    batch_size
        Images in a batch.

    Returns
    -------
    list of list of int
        Places of the images, each once. The largest come first, so that memory that does not suffice shows at once.

    Examples
    --------
    >>> plan_batches([(4, 4), (8, 8), (4, 4), (4, 4), (8, 8), None], 2)
    [[1, 4], [0, 2], [3, 5]]
    """
    groups: dict[Shape | None, list[int]] = {}
    for place, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(place)
    ordered = sorted(groups.items(), key=lambda pair: pair[0] or (0, 0), reverse=True)
    ordered.sort(key=lambda pair: _count(pair[0]), reverse=True)
    whole, left = [], []
    for shape, places in ordered:
        full = len(places) - len(places) % batch_size
        whole += [(_count(shape), places[start : start + batch_size]) for start in range(0, full, batch_size)]
        left += [(_count(shape), place) for place in places[full:]]
    for start in range(0, len(left), batch_size):
        part = left[start : start + batch_size]
        whole.append((part[0][0], [place for _, place in part]))
    whole.sort(key=lambda pair: pair[0], reverse=True)
    return [places for _, places in whole]


def compile_layers(model: Any, *, backend: Any = "inductor") -> int:
    """Compile the layers of a model in place: each kind once for all layers, for every shape of a batch.

    Whole models do not compile well: how many tokens an image takes is looked up in the middle of them.

    Parameters
    ----------
    model
        The model, with or without adapters.
    backend
        As of `torch.compile`.

    Returns
    -------
    int
        Number of layers.
    """
    layers = [
        layer
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and name.rpartition(".")[2] in LAYERS
        for layer in module
    ]
    for layer in layers:
        layer.compile(backend=backend)
    return len(layers)


def _make_stream(device: torch.device) -> Any:
    """A stream of its own on a GPU; None on a CPU."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def _count(shape: Shape | None) -> int:
    return 0 if shape is None else shape[0] * shape[1]
