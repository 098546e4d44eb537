"""Low-rank adapters in the language model."""

import re

import torch
from torch import nn

from ppaint_distill.config import TrainConfig
from ppaint_distill.errors import ModelError
from ppaint_distill.processor import quiet_transformers


def add_adapters(model: nn.Module, config: TrainConfig) -> nn.Module:
    """Put low-rank adapters into the language model; everything else is frozen.

    Parameters
    ----------
    model
        A model of the Qwen-VL family.
    config
        Rank, alpha, dropout, the regular expression on module names, and the seed of the initialisation.

    Returns
    -------
    torch.nn.Module
        The model with adapters, a `peft.PeftModel`.

    Raises
    ------
    ModelError
        If the expression matches nothing, or a part of the vision tower.
    """
    from peft import LoraConfig, get_peft_model

    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    matched = [name for name in linear if re.fullmatch(config.lora_modules, name)]
    if not matched:
        raise ModelError(
            f"train.lora_modules={config.lora_modules!r} matches no linear module; there are such as {linear[-1]!r}"
        )
    vision = [name for name in matched if "visual" in name.split(".") or "language_model" not in name.split(".")]
    if vision:
        raise ModelError(
            f"train.lora_modules={config.lora_modules!r} matches modules outside of the language model: {vision[:3]}"
        )
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=config.lora_modules,
    )
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.random_seed)
        return get_peft_model(model, settings)
