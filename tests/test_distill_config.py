"""Settings: from YAML and from SECTION.NAME=VALUE, checked, and written as they are read."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppaint_distill.config import (
    Config,
    JudgeConfig,
    PromptConfig,
    TrainConfig,
    load_config,
    make_config,
    save_config,
    to_plain,
)
from ppaint_distill.errors import ConfigError


def test_without_a_file_everything_has_its_default():
    assert load_config() == Config()
    assert Config().prompt.dimensions == ("technique", "coloration", "composition", "mood", "overall")


def test_a_file_and_then_overrides(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("train: {max_steps: 7, learning_rate: 1e-3}\nprompt:\n  dimensions: [mood]\n", encoding="utf-8")
    config = load_config(path, ["train.max_steps=9", "train.augment=[invert]", "model.max_pixels=524288"])
    assert config.prompt.dimensions == ("mood",)
    assert (config.train.max_steps, config.train.learning_rate) == (9, 0.001)
    assert config.train.augment == ("invert",)
    assert config.model.max_pixels == 524288
    assert load_config(path, ["model.max_pixels=null"]).model.max_pixels is None


def test_an_empty_file_is_the_defaults(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("# nothing yet\n", encoding="utf-8")
    assert load_config(path) == Config()


def test_what_is_written_is_read_again(tmp_path):
    config = Config(
        prompt=PromptConfig(dimensions=("mood", "Stimmung"), descriptions={"Stimmung": "für alle"}, scale=(0.0, 10.0)),
        judge=JudgeConfig(mode="probabilities"),
        train=TrainConfig(augment=("rotate", "invert"), micro_batch_size=4, learning_rate=3e-5),
    )
    assert load_config(save_config(config, tmp_path / "settings.yaml")) == config
    assert make_config(to_plain(config)) == config


@given(
    st.builds(
        TrainConfig,
        max_steps=st.integers(1, 10**6),
        learning_rate=st.floats(1e-9, 1.0),
        lora=st.booleans(),
        patience=st.none() | st.integers(1, 50),
        preferences=st.sampled_from(["soft", "hard"]),
    )
)
def test_plain_values_make_the_same_settings(train):
    assert make_config({"train": to_plain(train)}).train == train


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("max_steps=3", "SECTION.NAME=VALUE"),
        ("train.max_steps", "SECTION.NAME=VALUE"),
        ("training.max_steps=3", "there is no section 'training'; sections are prompt, model, judge"),
        ("train.steps=3", "there is no setting train.steps; settings are objective"),
        ("train.max_steps=many", "train.max_steps='many' is not allowed: a value of type int"),
        ("train.max_steps=1.5", "train.max_steps=1.5"),
        ("train.max_steps=true", "train.max_steps=True"),
        ("train.lora=1", "a value of type bool"),
        ("train.learning_rate=fast", "train.learning_rate='fast'"),
        ("train.schedule=stepwise", "one of 'constant', 'cosine', 'linear'"),
        ("train.augment=invert", "a list is"),
        ("prompt.scale=[1]", "a list of 2"),
        ("prompt.scale=[1, 2, 3]", "a list of 2"),
        ("prompt.descriptions=[mood]", "a mapping is"),
        ("prompt.dimensions=[1]", "prompt.dimensions=1"),
        ("model.max_pixels=wide", "a value of type int"),
        ("prompt.subject=[", "not YAML"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_is(override, said):
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[override])
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- train\n", "one mapping per section, not list"),
        ("train: 3\n", "section 'train' must be a mapping"),
        ("train: [\n", "is not YAML"),
    ],
)
def test_files_that_are_no_settings(tmp_path, text, said):
    path = tmp_path / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"settings\.yaml") as error:
        load_config(path)
    assert said in str(error.value)


def test_numbers_may_be_written_as_yaml_does_not_read_them():
    assert load_config(overrides=["train.learning_rate=1e-4"]).train.learning_rate == 1e-4  # YAML takes it for text
    assert load_config(overrides=["train.clip_norm=2"]).train.clip_norm == 2.0
    assert load_config(overrides=["prompt.scale=[0, 100]"]).prompt.scale == (0.0, 100.0)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().train.max_steps = 3
