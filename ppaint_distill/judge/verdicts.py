"""From what a model wrote, or from its probabilities, to an answer: the same for local and served models."""

from collections.abc import Mapping, Sequence

from ppaint_distill.config import JudgeConfig, PromptConfig
from ppaint_distill.errors import AnswerError, ConfigError
from ppaint_distill.judge.base import Answer, Kind
from ppaint_distill.judge.tables import level_mean
from ppaint_distill.parsing import parse_pairwise, parse_scores
from ppaint_distill.prompts import OUTCOMES, Prompt, pairwise_prompt, pointwise_prompt


def make_prompt(kind: Kind, config: PromptConfig) -> Prompt:
    """Write the question of a kind.

    Parameters
    ----------
    kind
        Of the question.
    config
        What is asked.

    Returns
    -------
    Prompt
        The question.
    """
    return pairwise_prompt(config) if kind == "pairwise" else pointwise_prompt(config)


def parse_answer(
    kind: Kind, text: str, config: PromptConfig, probabilities: Mapping[str, tuple[float, ...]] | None = None
) -> Answer:
    """Read a written answer; one that cannot be read is an answer with a failure.

    Parameters
    ----------
    kind
        Of the question.
    text
        What was written.
    config
        What was asked.
    probabilities
        What the model might have written in place of each value, where that is known.

    Returns
    -------
    Answer
        With the text, and values or a failure.
    """
    try:
        values: Mapping[str, str | float]
        values = parse_pairwise(text, config.dimensions) if kind == "pairwise" else parse_scores(text, config)
    except AnswerError as error:
        return Answer(text, failure=error.kind, reason=error.reason)
    return Answer(text, dict(values), probabilities)


def weigh_answer(
    kind: Kind, dimensions: Sequence[str], table: Sequence[Sequence[float]], scale: tuple[float, float]
) -> Answer:
    """Answer by probabilities: the likeliest outcome, TIE where that is shared, or the expected score.

    Parameters
    ----------
    kind
        Of the question.
    dimensions
        Names.
    table
        Of each dimension, the probabilities of A, B and TIE, or of the levels from the lowest up.
    scale
        Lowest and highest score.

    Returns
    -------
    Answer
        With values and probabilities, or the failure ``not-finite``.
    """
    probabilities = {name: tuple(row) for name, row in zip(dimensions, table, strict=True)}
    if strange := [name for name, row in probabilities.items() if any(value != value for value in row)]:  # noqa: PLR0124
        return Answer(failure="not-finite", reason=f"the model gives {', '.join(strange)} no finite probabilities")
    values: dict[str, str | float] = {}
    for name, row in probabilities.items():
        if kind == "pointwise":
            values[name] = level_mean(row, scale)
        else:
            best = [value for value, chance in zip(OUTCOMES, row, strict=True) if chance == max(row)]
            values[name] = best[0] if len(best) == 1 else "TIE"
    return Answer(values=values, probabilities=probabilities)


def check_judge(config: JudgeConfig) -> None:
    """Refuse settings with which no judge can judge.

    Parameters
    ----------
    config
        The settings.

    Raises
    ------
    ConfigError
        If the temperature is negative, votes are asked of a judge that always answers the same, or a number is not
        positive.
    """
    if config.temperature < 0:
        raise ConfigError(f"judge.temperature={config.temperature} is not allowed: 0 or more is")
    if config.mode == "probabilities" and config.temperature > 0:
        raise ConfigError(f"judge.temperature={config.temperature} has no effect with judge.mode=probabilities: 0 is")
    if config.votes > 1 and config.temperature == 0:
        raise ConfigError(f"judge.votes={config.votes} needs judge.temperature above 0: all votes would be alike")
    for name in ("votes", "max_new_tokens", "batch_size"):
        if getattr(config, name) < 1:
            raise ConfigError(f"judge.{name}={getattr(config, name)} is not allowed: 1 or more is")


def list_settings(kind: Kind, prompt: PromptConfig, config: JudgeConfig) -> dict[str, object]:
    """List what answers depend on besides question and model, whoever serves it.

    Parameters
    ----------
    kind
        Of the question.
    prompt
        What is asked.
    config
        How it is judged.

    Returns
    -------
    dict
        ``mode`` and ``prompt`` (its hash); ``scale`` of scores; length, temperature and seed of written answers. A seed
        is there only where it matters, so that another seed finds the answers that do not depend on it.
    """
    settings: dict[str, object] = {"mode": config.mode, "prompt": make_prompt(kind, prompt).hash}
    if kind == "pointwise":
        settings["scale"] = [float(end) for end in prompt.scale]
    if config.mode == "generate":
        settings["max_new_tokens"] = config.max_new_tokens
        settings["temperature"] = float(config.temperature)
        if config.temperature > 0:
            settings["random_seed"] = config.random_seed
    return settings
