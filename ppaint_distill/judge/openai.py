"""A model behind a server of OpenAI's chat completions as a judge: vLLM, SGLang, ``transformers serve`` and others."""

import base64
import hashlib
import io
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppaint_distill.config import JudgeConfig, PromptConfig
from ppaint_distill.errors import ConfigError, ImageError, ServerError
from ppaint_distill.images import hash_pixels, load_image
from ppaint_distill.judge.base import Answer, Kind, Part, Question, Reply, make_key
from ppaint_distill.judge.client import ChatClient, read_usage
from ppaint_distill.judge.costs import Spent
from ppaint_distill.judge.slots import read_slot, read_slots
from ppaint_distill.judge.verdicts import check_judge, list_settings, make_prompt, parse_answer, weigh_answer
from ppaint_distill.prompts import Prompt
from ppaint_distill.served_settings import ServedConfig
from ppaint_stats.errors import ArgumentError

if TYPE_CHECKING:
    from PIL.Image import Image


class OpenAIJudge:
    """A served model that writes answers, or whose log-probabilities are read.

    Parameters
    ----------
    model
        Name under which the server offers the model.
    served
        Where the server is, and how it is asked.
    prompt
        What the model is asked.
    config
        How it judges. ``both_orders`` and ``votes`` are for those who plan questions; ``batch_size`` has no part.
    name
        Its name in tables; by default the model's.
    revision
        What tells this model from an earlier one that was served under the same name.

    Raises
    ------
    ConfigError
        If a setting is not allowed.

    Notes
    -----
    With ``mode="generate"`` one request asks for a whole written answer. Where the server gives log-probabilities, the
    chances of the values in each slot of that answer stand beside what was written.

    With ``mode="probabilities"`` one request a dimension shows the answer up to the slot and asks for one token more,
    as `ppaint_distill.judge.hf.HFJudge` does. The server must be able to go on with a message that has begun
    (``continue_final_message`` of vLLM and SGLang) and give log-probabilities. A value that is not among the
    ``top_logprobs`` likeliest tokens counts as impossible.

    A served model is known by its name alone: its weights cannot be hashed. Sampled answers send a seed made of their
    key.

    Examples
    --------
    >>> judge = OpenAIJudge("Qwen/Qwen3-VL-8B-Instruct", ServedConfig(url="http://127.0.0.1:8000"))
    >>> judge.name, judge.settings("pairwise")["mode"]
    ('Qwen/Qwen3-VL-8B-Instruct', 'generate')
    """

    def __init__(
        self,
        model: str,
        served: ServedConfig,
        prompt: PromptConfig | None = None,
        config: JudgeConfig | None = None,
        *,
        name: str | None = None,
        revision: str | None = None,
    ) -> None:
        self.model = model
        self.served = served
        self.prompt = prompt or PromptConfig()
        self.config = config or JudgeConfig()
        self.client = ChatClient(served, random_seed=self.config.random_seed)
        self._name = name or model
        self._revision = revision
        self._prompt = cache(self._make_prompt)
        self._settings = cache(self._make_settings)
        self._reading = threading.Lock()  # reading sets the filters of warnings aside, which all threads share
        self._image = lru_cache(maxsize=4 * served.concurrency)(self._encode_image)  # neighbours share images
        check_judge(self.config)
        if self.config.mode == "probabilities" and served.top_logprobs == 0:
            raise ConfigError("judge.mode=probabilities needs served.top_logprobs above 0")

    @property
    def name(self) -> str:
        """Name under which the judge stands in tables."""
        return self._name

    @property
    def fingerprint(self) -> str:
        """Hash of the model's name and revision."""
        return hashlib.sha256(f"served\0{self.model}\0{self._revision or ''}".encode()).hexdigest()[:16]

    @property
    def concurrency(self) -> int:
        """Requests under way at once, at most."""
        return self.served.concurrency

    def settings(self, kind: Kind) -> Mapping[str, object]:
        """Return all that answers depend on besides question and model.

        Parameters
        ----------
        kind
            Of the question.

        Returns
        -------
        mapping
            What a local judge has, and ``top_logprobs`` and ``max_pixels``.
        """
        return dict(self._settings(kind))

    def key(self, question: Question) -> str:
        """Return the name of an answer.

        Parameters
        ----------
        question
            The question.

        Returns
        -------
        str
            64 hexadecimal digits.

        Raises
        ------
        ArgumentError
            If a second vote is asked of a judge that always answers the same.
        """
        if question.vote and self.config.temperature == 0:
            raise ArgumentError(f"vote {question.vote} of {question.items!r}: without temperature all votes are alike")
        return make_key(self.fingerprint, self._settings(question.kind), question)

    def parts(self, question: Question) -> tuple[Part, ...]:
        """List the requests that a question takes.

        Parameters
        ----------
        question
            The question.

        Returns
        -------
        tuple of Part
            One, or one a dimension where probabilities are read.
        """
        key = self.key(question)
        if self.config.mode == "generate":
            return (Part(key, question, None),)
        settings = self._settings(question.kind)
        return tuple(
            Part(make_key(self.fingerprint, {**settings, "dimension": name}, question), question, name)
            for name in self.prompt.dimensions
        )

    def join(self, question: Question, answers: Sequence[Answer]) -> Answer:
        """Put the answers to the parts of a question together.

        Parameters
        ----------
        question
            The question.
        answers
            One a part, in order.

        Returns
        -------
        Answer
            The whole; failed if a part failed.
        """
        if self.config.mode == "generate":
            return answers[0]
        if failed := [answer for answer in answers if answer.failure is not None]:
            return failed[0]
        table = [
            (answer.probabilities or {})[name] for name, answer in zip(self.prompt.dimensions, answers, strict=True)
        ]
        return weigh_answer(question.kind, self.prompt.dimensions, table, self.prompt.scale)

    def ask_part(self, part: Part) -> Reply:
        """Send one request, until it is answered.

        Parameters
        ----------
        part
            The request.

        Returns
        -------
        Reply
            The answer, and its tokens.

        Raises
        ------
        ImageError
            If an image cannot be used, or no longer shows what its hash says; nothing was sent.
        ServerError
            If the server refuses, or does not answer.
        """
        shown = zip(part.question.paths, part.question.hashes, strict=True)
        images = [self._image(path, expected) for path, expected in shown]
        reply = self.client.post(self._write_body(part, images), accept=_check_reply)
        choice = reply["choices"][0]
        read = self._read_written if part.dimension is None else self._read_slot
        return Reply(read(part, choice), read_usage(reply))

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions, without a store.

        Parameters
        ----------
        questions
            The questions.

        Returns
        -------
        list of Answer
            One answer each, in order. `run_judge` is for those who do not want to lose any.
        """
        parts = [self.parts(question) for question in questions]
        with ThreadPoolExecutor(self.concurrency) as pool:
            asked = [[pool.submit(self.ask_part, part) for part in few] for few in parts]
            answers = [[future.result().answer for future in few] for few in asked]
        return [self.join(question, few) for question, few in zip(questions, answers, strict=True)]

    def stop(self) -> None:
        """Give up requests that wait for a second try; those under way are awaited."""
        self.client.stop()

    def restart(self) -> None:
        """Ask again after `stop`."""
        self.client.restart()

    def count(self, usage: Mapping[str, int]) -> Spent:
        """Price a sum of tokens.

        Parameters
        ----------
        usage
            Sums by name.

        Returns
        -------
        Spent
            With costs where prices are known.
        """
        return Spent.count(usage, self.served)

    def _write_body(self, part: Part, images: Sequence[str]) -> dict[str, Any]:
        prompt = self._prompt(part.question.kind)
        (message,) = prompt.messages()
        left = iter(images)
        message["content"] = [
            {"type": "image_url", "image_url": {"url": next(left)}} if piece["type"] == "image" else piece
            for piece in message["content"]
        ]
        body: dict[str, Any] = {"model": self.model, "messages": [message], "temperature": self.config.temperature}
        if part.dimension is None:
            body[self.served.token_limit] = self.config.max_new_tokens
            if self.config.temperature > 0:
                body |= {"top_p": 1.0, "seed": int(part.key[:7], 16)}
        else:
            body["messages"].append({"role": "assistant", "content": prompt.answer_before(part.dimension)})
            body |= {self.served.token_limit: 1, "continue_final_message": True, "add_generation_prompt": False}
        if self.served.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": self.served.top_logprobs}
        return body

    def _read_written(self, part: Part, choice: Mapping[str, Any]) -> Answer:
        tokens = _list_tokens(choice)
        chances = read_slots(tokens, self._prompt(part.question.kind)) if tokens else None
        return parse_answer(part.question.kind, choice["message"].get("content") or "", self.prompt, chances)

    def _read_slot(self, part: Part, choice: Mapping[str, Any]) -> Answer:
        prompt, name = self._prompt(part.question.kind), str(part.dimension)
        tokens = _list_tokens(choice)
        if not tokens or not tokens[0].get("top_logprobs"):
            raise ServerError(f"{self.served.url} gives no log-probabilities: judge.mode=generate does without")
        chances = read_slot(tokens[0]["top_logprobs"], prompt.values)
        if chances is None:
            allowed = ", ".join(prompt.values)
            reason = f"none of {allowed} is among the likeliest tokens of {name!r}; does the server continue messages?"
            return Answer(choice["message"].get("content"), failure="not-offered", reason=reason)
        return weigh_answer(part.question.kind, (name,), [chances], self.prompt.scale)

    def _encode_image(self, path: Path, expected: str) -> str:
        """An image as a data URL, without loss but for its size."""
        with self._reading:
            image = load_image(path)
        if hash_pixels(image) != expected:
            raise ImageError(path, "changed", "it shows something else than when the questions were planned")
        buffer = io.BytesIO()
        _shrink(image, self.served.max_pixels).save(buffer, format="PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()

    def _make_prompt(self, kind: Kind) -> Prompt:
        return make_prompt(kind, self.prompt)

    def _make_settings(self, kind: Kind) -> dict[str, object]:
        sent = {"top_logprobs": self.served.top_logprobs, "max_pixels": self.served.max_pixels}
        return list_settings(kind, self.prompt, self.config) | sent


def _shrink(image: "Image", max_pixels: int) -> "Image":
    """Reduce an image to a number of pixels; smaller ones stay as they are."""
    from PIL.Image import Resampling

    width, height = image.size
    if width * height <= max_pixels:
        return image
    factor = (max_pixels / (width * height)) ** 0.5
    return image.resize((max(1, int(width * factor)), max(1, int(height * factor))), Resampling.BICUBIC)


def _check_reply(reply: Any) -> None:
    """Refuse what is JSON, but no chat completion."""
    try:
        content = reply["choices"][0]["message"].get("content")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"the reply is no chat completion: {str(reply)[:200]}") from error
    if not isinstance(content, str | None):
        raise ValueError(  # noqa: TRY004 - the value came by wire
            f"the reply's message is no text: {str(content)[:200]}"
        )


def _list_tokens(choice: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tokens of a reply with their log-probabilities; none where the server gives none."""
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
