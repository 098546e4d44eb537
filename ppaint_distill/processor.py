"""A processor of images and text for the Qwen-VL family that needs no torchvision, and messages that fit it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from transformers import AutoTokenizer, PreTrainedTokenizerBase, ProcessorMixin
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from ppaint_distill.config import MAX_PIXELS
from ppaint_distill.errors import ModelError

IMAGE_TOKEN = "<|image_pad|>"  # noqa: S105 (a token of text)


class ImageTextProcessor(ProcessorMixin):
    """Image processor and tokenizer of a Qwen-VL model, without the video processor.

    The processor that comes with these models cannot be built without torchvision, which only its video part needs.

    Parameters
    ----------
    image_processor
        Cuts images into patches.
    tokenizer
        Of the model.
    chat_template
        Jinja template; None takes the tokenizer's.
    """

    return_mm_token_type_ids = True
    text_kwargs = {"return_token_type_ids": False}  # noqa: RUF012 (an attribute that the base class declares so)

    def __init__(
        self,
        image_processor: Qwen2VLImageProcessorPil,
        tokenizer: PreTrainedTokenizerBase,
        chat_template: str | None = None,
    ) -> None:
        self.image_token = IMAGE_TOKEN
        self.image_token_id = cast("int", tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
        template = chat_template or tokenizer.chat_template
        super().__init__(image_processor, tokenizer, chat_template=template)  # type: ignore[no-untyped-call]

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **_: object) -> str:
        """Return as many placeholder tokens as an image has merged patches."""
        n_patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        n_tokens: int = n_patches // self.image_processor.merge_size**2
        return IMAGE_TOKEN * n_tokens


def load_processor(name: str | Path, *, revision: str | None = None) -> ImageTextProcessor:
    """Load the processor of a model from a folder or from the hub.

    Parameters
    ----------
    name
        Folder, or hub name.
    revision
        Revision of a hub model.

    Returns
    -------
    ImageTextProcessor
        Image processor, tokenizer and chat template.

    Raises
    ------
    ModelError
        If the tokenizer has no token for images, or no chat template.
    """
    tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
    image_processor = Qwen2VLImageProcessorPil.from_pretrained(name, revision=revision or "main")
    if tokenizer.convert_tokens_to_ids(IMAGE_TOKEN) in {None, tokenizer.unk_token_id}:
        raise ModelError(f"the tokenizer of {name} has no token {IMAGE_TOKEN}: it is no model of the Qwen-VL family")
    if tokenizer.chat_template is None:
        raise ModelError(f"the tokenizer of {name} has no chat template")
    tokenizer.padding_side = "left"
    return ImageTextProcessor(image_processor, tokenizer)


def set_pixels(processor: ImageTextProcessor, *, min_pixels: int | None, max_pixels: int | None) -> None:
    """Set the range of the number of pixels to which images are resized.

    Parameters
    ----------
    processor
        Changed in place.
    min_pixels, max_pixels
        None keeps the processor's own, but no more than `MAX_PIXELS`.

    Raises
    ------
    ModelError
        If the range is empty.
    """
    size = processor.image_processor.size
    low = size["shortest_edge"] if min_pixels is None else min_pixels
    high = min(size["longest_edge"], MAX_PIXELS) if max_pixels is None else max_pixels
    if not 0 < low <= high:
        raise ModelError(
            f"model.min_pixels={low} and model.max_pixels={high} are not allowed: 0 < min_pixels <= max_pixels is"
        )
    processor.image_processor.size = type(size)(shortest_edge=low, longest_edge=high)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence progress bars and advice of transformers, and peft's use of one of its older names."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning
            )
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
