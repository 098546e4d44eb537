"""Answers read off a model's logits instead of being written: one pass gives the chances of every value of a slot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from ppaint_distill.errors import ModelError
from ppaint_distill.models import LoadedModel, encode
from ppaint_distill.prompts import Prompt

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class SlotInputs:
    """Prepared inputs of a batch of questions.

    Parameters
    ----------
    passes
        Inputs of one forward pass over all slots, or of one pass a slot.
    joint
        Which of the two.
    """

    passes: tuple[dict[str, Tensor], ...]
    joint: bool

    def to(self, device: torch.device) -> "SlotInputs":
        """Return the same inputs on another device."""
        moved = tuple({name: tensor.to(device) for name, tensor in one.items()} for one in self.passes)
        return SlotInputs(moved, self.joint)


class SlotReader:
    """Reads the logits of what may stand in the slots of an answer.

    Parameters
    ----------
    tokenizer
        Of the model that is read.
    prompt
        The question and the form of its answer.

    Attributes
    ----------
    value_ids : torch.Tensor
        First token of each value, shape (n_values,).

    Raises
    ------
    ModelError
        If two values begin with the same token, or a value's tokens change with the text before it.

    Notes
    -----
    A joint reading is one pass over the answer with a constant, middle value in each slot, so that a slot is read after
    the same text whatever stands in the image; a separate reading asks each dimension by itself.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> None:
        self.prompt = prompt
        self._tokenizer = tokenizer
        self.placeholder = "TIE" if prompt.kind == "pairwise" else prompt.values[(len(prompt.values) - 1) // 2]
        values = [self._tokenise(value) for value in prompt.values]
        self.value_ids = torch.tensor([ids[0] for ids in values])
        if len(set(self.value_ids.tolist())) < len(values):
            raise ModelError(f"the tokenizer begins two of the values {', '.join(prompt.values)} with the same token")
        parts = prompt.answer_parts()[:-1]
        for dimension in prompt.dimensions:
            self._check(prompt.answer_before(dimension))
        text = ""
        ends = []
        for part in parts:
            text += part
            self._check(text)
            ends.append(len(self._tokenise(text)))
            text += self.placeholder
        self._template = text.removesuffix(self.placeholder)
        self._before_end = tuple(ends[-1] - end for end in ends)  # tokens between a slot's place and the last token

    def __call__(self, loaded: LoadedModel, images: "Sequence[Sequence[Image]]", *, joint: bool) -> Tensor:
        """Return the logits of the values in every slot.

        Parameters
        ----------
        loaded
            The model.
        images
            The images of each question.
        joint
            Whether one pass reads all slots, instead of one a dimension.

        Returns
        -------
        torch.Tensor
            Logits of shape (n_questions, n_dimensions, n_values), float32, differentiable.
        """
        return self.read(loaded.model, self.prepare(loaded, images, joint=joint))

    def prepare(self, loaded: LoadedModel, images: "Sequence[Sequence[Image]]", *, joint: bool) -> SlotInputs:
        """Encode questions once, for any number of readings.

        Parameters
        ----------
        loaded
            Whose tokenizer, image processor and device are used.
        images
            The images of each question.
        joint
            Whether one pass reads all slots, instead of one a dimension.

        Returns
        -------
        SlotInputs
            The inputs.
        """
        if joint:
            return SlotInputs(
                (encode(loaded, self.prompt, images, answers=[self._template] * len(images)),), joint=True
            )
        passes: list[dict[str, Tensor]] = []
        for dimension in self.prompt.dimensions:
            answers = [self.prompt.answer_before(dimension)] * len(images)
            batch = encode(loaded, self.prompt, images, answers=answers)
            if passes:
                batch |= {name: passes[0][name] for name in ("pixel_values", "image_grid_thw")}
            passes.append(batch)
        return SlotInputs(tuple(passes), joint=False)

    def read(self, model: nn.Module, inputs: SlotInputs) -> Tensor:
        """Run a model over prepared inputs.

        Parameters
        ----------
        model
            The model, on the device of the inputs, in training or evaluation mode.
        inputs
            What `prepare` returned.

        Returns
        -------
        torch.Tensor
            Logits of shape (n_questions, n_dimensions, n_values), float32, differentiable.
        """
        logits = []
        for one in inputs.passes:
            last = one["input_ids"].shape[1] - 1
            places = [last - before for before in self._before_end] if inputs.joint else [last]
            keep = torch.tensor(places, device=one["input_ids"].device)
            output = model(**one, logits_to_keep=keep, use_cache=False)
            logits.append(output.logits[..., self.value_ids.to(keep.device)])
        return torch.cat(logits, dim=1).float()

    def _tokenise(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _check(self, before: str) -> None:
        """Refuse a tokenizer that cuts across the beginning of a slot."""
        start = self._tokenise(before)
        for value in self.prompt.values:
            if self._tokenise(before + value) != start + self._tokenise(value):
                raise ModelError(
                    f"the tokenizer cuts {before + value!r} across the value {value!r}: its chance cannot be read"
                )
