"""Prompts, and what answers to them may look like."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppaint_distill.config import DIMENSIONS, PromptConfig
from ppaint_distill.errors import AnswerError, ConfigError
from ppaint_distill.parsing import KINDS, parse_pairwise, parse_pointwise, parse_scores
from ppaint_distill.prompts import DESCRIPTIONS, Prompt, pairwise_prompt, pointwise_prompt

TWO = ("mood", "overall")


def text_of(prompt: Prompt) -> str:
    return "\n".join(part for part in prompt.parts if part)


def read(text: str, *, pointwise: bool = False) -> tuple[dict[str, Any], str | None]:
    """What an answer says, and of what kind its failure is."""
    try:
        return dict(parse_pointwise(text, TWO, (1.0, 5.0)) if pointwise else parse_pairwise(text, TWO)), None
    except AnswerError as error:
        return {}, error.kind if error.reason else "no reason"


@pytest.mark.parametrize("make", [pointwise_prompt, pairwise_prompt])
def test_prompt_names_and_describes_every_dimension(make: Any) -> None:
    prompt = make(PromptConfig())
    assert prompt.dimensions == DIMENSIONS
    assert prompt.parts.count(None) == prompt.n_images
    for name in DIMENSIONS:
        assert f"- {name}: {DESCRIPTIONS[name]}\n" in text_of(prompt)
        assert f'"{name}"' in text_of(prompt)
    kinds = [part["type"] for part in prompt.messages()[0]["content"]]
    assert kinds.count("image") == prompt.n_images
    assert "<think>" in text_of(prompt)
    assert "<think>" not in text_of(make(PromptConfig(think=False)))


def test_own_dimension_and_description() -> None:
    config = PromptConfig(dimensions=("mood", "speed"), descriptions={"mood": "how it feels"}, subject="photograph")
    text = text_of(pairwise_prompt(config))
    assert "- mood: how it feels\n- speed\n" in text
    assert "photograph" in text
    assert "painting" not in text


def test_pointwise_prompt_asks_for_levels_whatever_the_scale() -> None:
    text = text_of(pointwise_prompt(PromptConfig(scale=(0.0, 100.0), n_levels=7)))
    assert "from 1 (lowest) to 7 (highest)" in text
    assert "100" not in text


def test_levels_come_back_on_the_scale() -> None:
    config = PromptConfig(dimensions=("mood",), scale=(0.0, 100.0))
    assert [parse_scores(f'{{"mood": {level}}}', config)["mood"] for level in (1, 2.5, 5)] == [0.0, 37.5, 100.0]
    with pytest.raises(AnswerError, match="from 1 to 5"):
        parse_scores('{"mood": 50}', config)


def test_hash_changes_with_all_that_is_asked() -> None:
    configs = [
        PromptConfig(),
        PromptConfig(think=False),
        PromptConfig(subject="photograph"),
        PromptConfig(dimensions=TWO),
        PromptConfig(dimensions=TWO[::-1]),
        PromptConfig(descriptions={"mood": "other"}),
    ]
    hashes = [make(config).hash for config in configs for make in (pointwise_prompt, pairwise_prompt)]
    assert len(set(hashes)) == len(hashes)
    assert pointwise_prompt(PromptConfig(n_levels=4)).hash != pointwise_prompt(PromptConfig()).hash
    assert all(len(name) == 16 for name in hashes)
    assert pairwise_prompt(PromptConfig()).hash == pairwise_prompt(PromptConfig()).hash


def test_answer_parts_agree_with_answer_before() -> None:
    for make, value in ((pointwise_prompt, "3"), (pairwise_prompt, "TIE")):
        prompt = make(PromptConfig(dimensions=TWO))
        parts = prompt.answer_parts()
        assert parts[0] == prompt.answer_before("mood")
        assert value.join(parts) == prompt.answer({"mood": value, "overall": value})
        with pytest.raises(ConfigError, match="no dimension 'technique'"):
            prompt.answer_before("technique")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dimensions": ()}, "is empty"),
        ({"dimensions": ("a", "a")}, "must differ"),
        ({"dimensions": ('a"b',)}, "without quotes"),
        ({"dimensions": (" a",)}, "spaces around"),
        ({"scale": (5.0, 1.0)}, "low end below"),
        ({"scale": (1.0, float("inf"))}, "low end below"),
        ({"n_levels": 1}, "2 to 9"),
        ({"n_levels": 10}, "2 to 9"),
    ],
)
def test_settings_that_cannot_be_asked(wrong: dict[str, Any], message: str) -> None:
    for make in (pointwise_prompt, pairwise_prompt):
        with pytest.raises(ConfigError, match=message):
            make(PromptConfig(**wrong))


@pytest.mark.parametrize(
    "text",
    [
        '<answer>{"mood": "A", "overall": "TIE"}</answer>',
        '<think>{"mood": "B"} perhaps</think>\n<answer>{"mood": "A", "overall": "TIE"}</answer>',
        '<answer>\n```json\n{"mood": "a", "overall": " tie "}\n```\n</answer> That is all.',
        '```json\n{"overall": "TIE", "mood": "A"}\n```',
        'My verdict: {"mood": "A", "overall": "TIE", "sum": "good"}',
        '<ANSWER>{"mood": "A", "overall": "Tie"}',
        'and so on</think><answer>{"mood": "A", "overall": "TIE"}</answer>',
        '<think></think><answer>[{"mood": "A", "overall": "TIE"}]</answer>',
    ],
)
def test_what_is_tolerated(text: str) -> None:
    assert parse_pairwise(text, TWO) == {"mood": "A", "overall": "TIE"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("The first is better.", "no-answer"),
        ("<think>hm</think>", "no-answer"),
        ("<answer>A</answer>", "no-answer"),
        ("<answer></answer>", "no-answer"),
        ("<answer>", "truncated"),
        ('<think>The first is {"mood": "A", "overall": "B"}', "truncated"),
        ('<answer>{"mood": "A", "over', "truncated"),
        ('<answer>{"mood": "A",', "truncated"),
        ('<answer>{"mood": "A", "over</answer>', "not-json"),
        ("<answer>{'mood': 'A', 'overall': 'B'}</answer>", "not-json"),
        ('<answer>{"mood": A, "overall": B}</answer>', "not-json"),
        ('<answer>{"mood": NaN, "overall": "B"}</answer>', "not-json"),
        ("<answer>" + '{"mood": ' * 100_000, "not-json"),
        ('<answer>{"mood": "A", "mood": "B", "overall": "B"}</answer>', "duplicate"),
        ('{"mood": "A", "overall": "B"} or {"mood": "B", "overall": "B"}', "duplicate"),
        ('<answer>{"mood": "A", "overall": "B"}</answer><answer>{}</answer>', "duplicate"),
        ('<answer>{"mood": "A"}</answer>', "missing-dimension"),
        ('<answer>{"answer": {"mood": "A", "overall": "B"}}</answer>', "missing-dimension"),
        ('<answer>{"mood": "A", "overall": "A or B"}</answer>', "unknown-value"),
        ('<answer>{"mood": "A", "overall": null}</answer>', "unknown-value"),
        ('<answer>{"mood": "A", "overall": {"x": 1}}</answer>', "unknown-value"),
        ('<answer>{"mood": 1, "overall": "B"}</answer>', "unknown-value"),
    ],
)
def test_what_is_refused(text: str, kind: str) -> None:
    assert read(text) == ({}, kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("true", "unknown-value"),
        ('"high"', "unknown-value"),
        ('"1_0"', "unknown-value"),
        ('"nan"', "unknown-value"),
        ("[3]", "unknown-value"),
        ("0.99", "out-of-scale"),
        ("6", "out-of-scale"),
        ("1e999", "out-of-scale"),
        ("9" * 5000, "out-of-scale"),
        ("Infinity", "not-json"),
    ],
)
def test_scores_that_are_refused(value: str, kind: str) -> None:
    assert read(f'<answer>{{"mood": 3, "overall": {value}}}</answer>', pointwise=True) == ({}, kind)


def test_scores_as_numbers_or_text() -> None:
    text = '<answer>{"mood": 1, "overall": " 4.25 "}</answer>'
    assert parse_pointwise(text, TWO, (1.0, 5.0)) == {"mood": 1.0, "overall": 4.25}


names = st.lists(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8), min_size=1, max_size=4, unique=True
)


@given(names=names, data=st.data())
def test_answers_in_the_prompts_form_are_read_back(names: list[str], data: st.DataObject) -> None:
    config = PromptConfig(dimensions=tuple(names))
    verdicts = {name: data.draw(st.sampled_from(("A", "B", "TIE"))) for name in names}
    assert parse_pairwise(pairwise_prompt(config).answer(verdicts), names) == verdicts
    scores = {name: data.draw(st.floats(1, 5)) for name in names}
    assert parse_pointwise(pointwise_prompt(config).answer(scores), names, (1, 5)) == scores


pieces = st.sampled_from(
    [
        *("<answer>", "</answer>", "<think>", "</think>", "{", "}", '"', ":", ",", "[", "]", "```", "\\", "\n", " "),
        *('"mood"', '"overall"', '"A"', '"TIE"', "3", "-1", "1e400", "NaN", "null", "true", "é", '{"mood": "A"'),
    ]
)


@given(text=st.lists(pieces, max_size=25).map("".join) | st.text())
def test_parsing_raises_nothing_else_and_invents_nothing(text: str) -> None:
    for pointwise in (True, False):
        found, kind = read(text, pointwise=pointwise)
        assert kind in KINDS if kind else tuple(found) == TWO
        assert all(1 <= value <= 5 if pointwise else value in {"A", "B", "TIE"} for value in found.values())


verdicts = st.fixed_dictionaries({name: st.sampled_from(("A", "B", "TIE")) for name in TWO})


@given(verdicts=verdicts, cut=st.integers(0, 60))
def test_a_cut_answer_is_read_whole_or_not_at_all(verdicts: dict[str, str], cut: int) -> None:
    found, kind = read(f"<answer>{json.dumps(verdicts)}"[:cut])
    assert found == verdicts if kind is None else kind in {"empty", "truncated", "no-answer"}
