"""The judge that the settings name."""

from typing import TYPE_CHECKING

from ppaint_distill.config import Config
from ppaint_distill.judge.base import Judge
from ppaint_distill.judge.openai import OpenAIJudge

if TYPE_CHECKING:
    from ppaint_distill.models import LoadedModel


def make_judge(config: Config, *, loaded: "LoadedModel | None" = None, name: str | None = None) -> Judge:
    """Make the judge that the settings name: a served model where there is an address, a local one otherwise.

    Parameters
    ----------
    config
        All settings. A served model is ``served.model``, or ``model.name`` where that is not set.
    loaded
        The local model; loaded here where it is needed and not given.
    name
        The judge's name in tables; by default the model's.

    Returns
    -------
    Judge
        The judge.
    """
    if config.served.url is not None:
        served, model = config.served, config.served.model or config.model.name
        return OpenAIJudge(model, served, config.prompt, config.judge, name=name, revision=config.model.revision)
    from ppaint_distill.judge.hf import HFJudge  # torch and transformers take seconds: not before all else is fine
    from ppaint_distill.models import load_model

    return HFJudge(loaded or load_model(config.model), config.prompt, config.judge, name=name)
