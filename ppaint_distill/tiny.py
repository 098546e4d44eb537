"""A tiny model of the real classes, for tests, examples and the demo: half a million parameters, built in process."""

import json
from collections.abc import Sequence
from typing import cast

import torch
from transformers import AddedToken, Qwen2Tokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from ppaint_distill.config import PromptConfig
from ppaint_distill.models import TINY, LoadedModel, compute_fingerprint
from ppaint_distill.processor import ImageTextProcessor
from ppaint_distill.prompts import Prompt, pairwise_prompt, pointwise_prompt

SIDE = 64  # pixels
PATCH = 16  # pixels
N_MERGES = 300

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' -}}"
    "{%- if message.content is string -%}{{- message.content -}}"
    "{%- else -%}{%- for part in message.content -%}"
    "{%- if part.type == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- else -%}{{- part.text -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


def make_tiny(*, random_seed: int = 0, prompts: Sequence[Prompt] = ()) -> LoadedModel:
    """Build a tiny, randomly initialised Qwen3-VL with its processor.

    It has the classes, the tokens, the chat format and the code path of the real models, and knows nothing.

    Parameters
    ----------
    random_seed
        Seed of the initialisation.
    prompts
        Questions whose lines get tokens of their own, besides those of the default settings: a question then takes
        tens of tokens rather than hundreds. Any other text is cut into bytes and short pieces.

    Returns
    -------
    LoadedModel
        The model, in evaluation mode, on the CPU in float32.

    Examples
    --------
    >>> tiny = make_tiny(random_seed=1)
    >>> 400_000 < sum(parameter.numel() for parameter in tiny.model.parameters()) < 1_000_000
    True
    """
    defaults = [
        make(PromptConfig(think=think)) for think in (True, False) for make in (pointwise_prompt, pairwise_prompt)
    ]
    tokenizer = make_tokenizer([*defaults, *prompts])
    image_processor = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE},
    )
    processor = ImageTextProcessor(image_processor, tokenizer, chat_template=CHAT_TEMPLATE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_seed)
        model = Qwen3VLForConditionalGeneration(make_config(tokenizer))
    model.train(mode=False)
    fingerprint = compute_fingerprint(model, processor)
    return LoadedModel(model, processor, TINY, fingerprint, torch.device("cpu"), torch.float32)


def make_config(tokenizer: Qwen2Tokenizer) -> Qwen3VLConfig:
    """Return the settings of the tiny model for a tokenizer.

    Parameters
    ----------
    tokenizer
        Gives the size of the vocabulary and the special tokens.

    Returns
    -------
    Qwen3VLConfig
        Three text layers of width 96, two vision layers of width 64.
    """

    def token(text: str) -> int:
        return cast("int", tokenizer.convert_tokens_to_ids(text))

    config = Qwen3VLConfig(
        text_config={
            "vocab_size": -(-len(tokenizer) // 64) * 64,
            "hidden_size": 96,
            "intermediate_size": 256,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "head_dim": 24,
            "max_position_embeddings": 4096,
            "initializer_range": 0.05,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 4, 4],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
            "pad_token_id": token("<|endoftext|>"),
            "bos_token_id": token("<|endoftext|>"),
            "eos_token_id": token("<|im_end|>"),
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 4,
            "patch_size": PATCH,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": 96,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
            "initializer_range": 0.05,
        },
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    config._attn_implementation = "sdpa"  # noqa: SLF001
    return config


def make_tokenizer(prompts: Sequence[Prompt], *, whole_lines: bool = True) -> Qwen2Tokenizer:
    """Train a small byte-level BPE tokenizer that splits text by the rules of the real one.

    Parameters
    ----------
    prompts
        Text to learn from.
    whole_lines
        Whether each of their lines becomes a token; otherwise a token is a few characters, as in the real one.

    Returns
    -------
    Qwen2Tokenizer
        Digits are single tokens, as in the real one.

    Examples
    --------
    >>> tokenizer = make_tokenizer([pointwise_prompt(PromptConfig(dimensions=("mood",)))])
    >>> tokenizer.tokenize("42")
    ['4', '2']
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    # A class made from no vocabulary at all lends its rules of splitting; the trainer then fills the vocabulary.
    rules = Qwen2Tokenizer(vocab={SPECIAL_TOKENS[0]: 0}, merges=[]).backend_tokenizer
    raw = Tokenizer(models.BPE())
    raw.normalizer, raw.pre_tokenizer = rules.normalizer, rules.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=256 + N_MERGES,
        show_progress=False,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    answers = [prompt.answer(dict.fromkeys(prompt.dimensions, value)) for prompt in prompts for value in prompt.values]
    texts = ["".join(part or "" for part in prompt.parts) for prompt in prompts]
    # Answers count more often, so that they become short.
    raw.train_from_iterator([*texts, *(answers * 20)], trainer)
    learned = json.loads(raw.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=cast("list[str]", [tuple(merge) for merge in learned["merges"]]),
        eos_token="<|im_end|>",  # noqa: S106 (a token of text)
        pad_token="<|endoftext|>",  # noqa: S106
        extra_special_tokens=list(SPECIAL_TOKENS[3:] + SPECIAL_TOKENS[1:2]),
        padding_side="left",
    )
    if whole_lines:
        tokenizer.add_tokens([AddedToken(line, normalized=False) for line in _list_lines(prompts)])
    return tokenizer


def _list_lines(prompts: Sequence[Prompt]) -> list[str]:
    """All lines of the questions, each once, in order; line ends belong to them."""
    lines = [line for prompt in prompts for part in prompt.parts for line in (part or "").splitlines(keepends=True)]
    return list(dict.fromkeys(line for line in lines if line.strip()))
