"""Every setting of every stage: frozen dataclasses, from YAML and ``section.name=value``, saved with each run.

Unknowns of the published method (pool size, comparisons per image, confidence, learning rate, ...) are settings here,
with a default; `docs/explanation/distillation.md` says what each does.
"""

import contextlib
import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ppaint_distill.config_sections import (
    DIMENSIONS,
    MAX_PIXELS,
    GRPOConfig,
    JudgeConfig,
    ModelConfig,
    PoolConfig,
    PromptConfig,
    PseudoConfig,
    ScoreConfig,
    TrainConfig,
)
from ppaint_distill.errors import ConfigError
from ppaint_distill.served_settings import ServedConfig

__all__ = [
    "DIMENSIONS",
    "MAX_PIXELS",
    "Config",
    "GRPOConfig",
    "JudgeConfig",
    "ModelConfig",
    "PoolConfig",
    "PromptConfig",
    "PseudoConfig",
    "ScoreConfig",
    "ServedConfig",
    "TrainConfig",
    "load_config",
    "make_config",
    "save_config",
    "to_plain",
]


@dataclass(frozen=True)
class Config:
    """All sections.

    Parameters
    ----------
    prompt, model, judge, served, pool, pseudo, train, grpo, score
        One section a stage.
    """

    prompt: PromptConfig = field(default_factory=PromptConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    served: ServedConfig = field(default_factory=ServedConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    pseudo: PseudoConfig = field(default_factory=PseudoConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    grpo: GRPOConfig = field(default_factory=GRPOConfig)
    score: ScoreConfig = field(default_factory=ScoreConfig)


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read settings from a YAML file, then from ``section.name=value``.

    Parameters
    ----------
    path
        File with one mapping per section; None is the defaults.
    overrides
        Settings that replace those of the file; values are YAML.

    Returns
    -------
    Config
        All settings.

    Raises
    ------
    ConfigError
        If a section, a name or a value is not allowed; the message says which are.

    Examples
    --------
    >>> config = load_config(overrides=["train.max_steps=20", "prompt.dimensions=[mood]"])
    >>> config.train.max_steps, config.prompt.dimensions
    (20, ('mood',))
    """
    import yaml

    sections: dict[str, dict[str, Any]] = {}
    if path is not None:
        try:
            found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(found, dict | None):
            raise ConfigError(f"{path} must hold one mapping per section, not {type(found).__name__}")
        for section, values in (found or {}).items():
            if not isinstance(values, dict):
                raise ConfigError(f"{path}: section {section!r} must be a mapping of settings")
            sections[str(section)] = dict(values)
    for text in overrides:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(f"{text!r} is not allowed: SECTION.NAME=VALUE is, such as train.max_steps=200")
        try:
            sections.setdefault(section, {})[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"{text!r}: the value is not YAML") from error
    return make_config(sections)


def make_config(sections: Mapping[str, Mapping[str, Any]]) -> Config:
    """Build the settings from plain mappings, as read from YAML or JSON.

    Parameters
    ----------
    sections
        Mapping of section to mapping of name to value.

    Returns
    -------
    Config
        All settings.

    Raises
    ------
    ConfigError
        If a section, a name or a value is not allowed.
    """
    known = {part.name: part.default_factory for part in dataclasses.fields(Config)}
    built = {}
    for section, values in sections.items():
        if section not in known:
            raise ConfigError(f"there is no section {section!r}; sections are {', '.join(known)}")
        cls = typing.cast("type[Any]", known[section])
        hints = typing.get_type_hints(cls)
        for name in values:
            if name not in hints:
                raise ConfigError(f"there is no setting {section}.{name}; settings are {', '.join(hints)}")
        built[section] = cls(**{name: _fit(value, hints[name], f"{section}.{name}") for name, value in values.items()})
    return Config(**built)


def save_config(config: Config, path: str | Path) -> Path:
    """Write all settings as YAML, in the form that `load_config` reads.

    Parameters
    ----------
    config
        The settings.
    path
        File to write.

    Returns
    -------
    Path
        The file.
    """
    import yaml

    from ppaint_stats.fusion_io import write_whole

    text = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def to_plain(config: object) -> dict[str, Any]:
    """Return settings as plain mappings and lists, for YAML, JSON and file metadata.

    Parameters
    ----------
    config
        All settings, or one section.

    Returns
    -------
    dict
        Plain values.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, tuple | list) else value

    return {key: plain(value) for key, value in dataclasses.asdict(config).items()}  # type: ignore[call-overload]


def _fit(value: Any, hint: Any, name: str) -> Any:
    """Return a value in the type of its setting, or refuse it."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in parts:
            return value
        raise ConfigError(f"{name}={value!r} is not allowed: one of {', '.join(map(repr, parts))} is")
    if origin is types.UnionType:
        if value is None and types.NoneType in parts:
            return None
        return _fit(value, next(part for part in parts if part is not types.NoneType), name)
    if origin is tuple:
        if not isinstance(value, list | tuple) or (parts[-1] is not ... and len(value) != len(parts)):
            length = "" if parts[-1] is ... else f" of {len(parts)}"
            raise ConfigError(f"{name}={value!r} is not allowed: a list{length} is")
        return tuple(_fit(part, parts[0], name) for part in value)
    if origin is not None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name}={value!r} is not allowed: a mapping is")
        return {str(key): str(inner) for key, inner in value.items()}
    if hint is float and isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)  # YAML reads 1e-4 as text
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{name}={value!r} is not allowed: a value of type {hint.__name__} is")
    return value
