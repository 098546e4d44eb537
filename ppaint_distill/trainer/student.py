"""The model that is trained: adapters or all parameters, its reading as scores, and the base it must stay close to."""

import contextlib
import copy
import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ppaint_distill.batches import look_ahead
from ppaint_distill.config import Config, ModelConfig
from ppaint_distill.data import FloatArray, IntArray, TrainingData
from ppaint_distill.errors import ConfigError, ModelError
from ppaint_distill.images import load_image
from ppaint_distill.models import TINY, LoadedModel, add_adapters, load_model
from ppaint_distill.objectives import expected_score
from ppaint_distill.prompts import pointwise_prompt
from ppaint_distill.reading import SlotInputs, SlotReader
from ppaint_distill.scorer import level_values

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Student:
    """A model in training.

    Parameters
    ----------
    loaded
        The model with its processor.
    reader
        Reads the logits of levels in every slot of the answer.
    values
        Score of each level.
    frozen
        A copy of the base model, where all parameters are trained and the base is needed; None otherwise.
    lock
        Held while inputs are prepared.
    """

    loaded: LoadedModel
    reader: SlotReader
    values: Tensor
    frozen: nn.Module | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self, images: "Sequence[Image]") -> SlotInputs:
        """Turn images into inputs, in any thread.

        Parameters
        ----------
        images
            RGB images.

        Returns
        -------
        SlotInputs
            Inputs on the model's device.
        """
        with self.lock:  # fast tokenizers refuse to be used by two threads at once
            return self.reader.prepare(self.loaded, [[image] for image in images], joint=True)

    def read(self, net: nn.Module, inputs: SlotInputs) -> Tensor:
        """Return the logits of levels, in the model's number format inside and in float32 outside.

        Parameters
        ----------
        net
            The model, or what wraps it for several processes.
        inputs
            Prepared inputs.

        Returns
        -------
        Tensor
            Shape (images, dimensions, levels).
        """
        with self._cast():
            return self.reader.read(net, inputs)

    def read_base(self, inputs: SlotInputs) -> Tensor:
        """Return the logits of the model as it was before training, without gradients.

        Parameters
        ----------
        inputs
            Prepared inputs.

        Returns
        -------
        Tensor
            Shape (images, dimensions, levels).
        """
        model: Any = self.loaded.model
        with torch.no_grad(), self._cast():
            if self.frozen is not None:
                return self.reader.read(self.frozen, inputs)
            with model.disable_adapter():
                return self.reader.read(model, inputs)

    def predict(self, data: TrainingData, rows: IntArray, *, batch_size: int) -> FloatArray:
        """Score images as they are, without augmentation or dropout.

        Parameters
        ----------
        data
            Training data.
        rows
            Rows to score.
        batch_size
            Images in a pass.

        Returns
        -------
        ndarray
            Scores, shape (rows, dimensions).
        """
        model = self.loaded.model.eval()
        scores = [np.zeros((0, len(data.dimensions)))]

        def prepare(part: IntArray) -> SlotInputs:
            return self.prepare([load_image(data.files[row].path) for row in part])

        parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        with torch.no_grad(), contextlib.closing(look_ahead(parts, prepare)) as stream:
            for inputs in stream:
                mean, _ = expected_score(self.read(model, inputs).double(), self.values.double())
                scores.append(mean.cpu().numpy())
        return np.concatenate(scores)

    def _cast(self) -> contextlib.AbstractContextManager[object]:
        if self.loaded.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.loaded.device.type, dtype=self.loaded.dtype)


def load_base(config: ModelConfig, model: LoadedModel | None, *, device: torch.device, random_seed: int) -> LoadedModel:
    """Load the model that is to be trained, or copy the one given.

    Parameters
    ----------
    config
        Which model.
    model
        A model to train instead.
    device
        Where it is trained.
    random_seed
        Initialisation of a tiny model.

    Returns
    -------
    LoadedModel
        The model.

    Raises
    ------
    ModelError
        If it has adapters already.
    ConfigError
        If its numbers are float16.
    """
    from peft import PeftModel

    if model is None:
        loaded = load_model(dataclasses.replace(config, device=str(device)), random_seed=random_seed)
    else:
        loaded = dataclasses.replace(model, model=copy.deepcopy(model.model).to(device), device=device)
    if isinstance(loaded.model, PeftModel):
        raise ModelError(f"model {loaded.name} has adapters already; train the model that they belong to")
    if loaded.dtype == torch.float16:
        raise ConfigError("model.dtype='float16' is too coarse to train in: bfloat16 or float32 is allowed")
    return loaded


def make_student(base: LoadedModel, config: Config, *, adapters: bool) -> Student:
    """Make a model ready for training.

    Parameters
    ----------
    base
        The model, changed in place.
    config
        All settings.
    adapters
        Whether adapters are trained, or all parameters.

    Returns
    -------
    Student
        In float32 wherever it is trained; `Student.read` casts down again where the model's numbers are shorter.
    """
    settings = config.train
    frozen = None
    if adapters:
        model: Any = add_adapters(base.model, settings)
    else:
        if settings.kl_weight > 0:
            frozen = copy.deepcopy(base.model).requires_grad_(requires_grad=False).eval()
        model = base.model.requires_grad_(requires_grad=True).float()
    if settings.gradient_checkpointing:
        switch_checkpointing(model, on=True)
    return Student(
        loaded=dataclasses.replace(base, model=model),
        reader=SlotReader(base.processor.tokenizer, pointwise_prompt(config.prompt)),
        values=torch.tensor(level_values(config.prompt), dtype=torch.float32, device=base.device),
        frozen=frozen,
    )


def choose_device(
    config: ModelConfig, model: LoadedModel | None, *, offered: torch.device, n_processes: int
) -> torch.device:
    """Return the device on which a model is trained.

    Parameters
    ----------
    config
        May name a device.
    model
        A model that is trained instead, where it is.
    offered
        This process's device, by accelerate.
    n_processes
        With several processes each takes the one offered.

    Returns
    -------
    torch.device
        The device.
    """
    if n_processes > 1:
        return offered
    if model is not None:
        return model.device
    return offered if config.device in {"auto", offered.type} else torch.device(config.device)


def wants_adapters(config: Config, model: LoadedModel | None) -> bool:
    """Whether adapters are trained: not where a fresh tiny model is, whose random parameters are all it has.

    Parameters
    ----------
    config
        All settings.
    model
        A model that is trained instead of ``config.model``.

    Returns
    -------
    bool
        Whether adapters are put in.
    """
    return config.train.lora and (model is not None or config.model.name != TINY)


def switch_checkpointing(model: Any, *, on: bool) -> None:
    """Switch gradient checkpointing on or off, by the name that it has in the installed version of transformers.

    Parameters
    ----------
    model
        The model, perhaps with adapters.
    on
        Whether it is switched on.
    """
    if hasattr(model, "activation_checkpointing_enable"):
        switch = model.activation_checkpointing_enable if on else model.activation_checkpointing_disable
        switch(**({"activation_checkpointing_kwargs": {"use_reentrant": False}} if on else {}))
    elif on:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    else:
        model.gradient_checkpointing_disable()
