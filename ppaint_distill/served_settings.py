"""The section ``served`` of the settings: how a model behind a server is asked."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ServedConfig:
    """How a server that speaks OpenAI's chat completions is asked.

    Parameters
    ----------
    url
        Address of the server, with or without ``/v1``, such as ``http://127.0.0.1:8000``. None judges with a local
        model.
    model
        Name of the model there. None takes ``model.name``; the two differ where a large served model teaches a small
        local one.
    api_key_env
        Name of the environment variable that holds the key. None sends no key. The key itself is never a setting, and
        is never written.
    concurrency
        Requests under way at once, at most.
    timeout
        Seconds until a request is given up and tried again.
    max_retries
        Tries after the first, where a server is busy, failing, gone, or answers with something that is no JSON.
    first_wait, longest_wait
        Seconds: waits double from the first to the longest, and are then drawn between half of that and all of it. A
        server's own ``Retry-After`` is kept to; one beyond ten times the longest wait ends the run.
    requests_per_minute, tokens_per_minute
        Limits of the rate, or None. Requests are spread evenly.
    top_logprobs
        Log-probabilities that are asked for at each token; 0 asks for none, which some servers want.
    token_limit
        Name of the field that limits an answer's length. Newer models of OpenAI want ``max_completion_tokens``.
    max_pixels
        Larger images are reduced to so many pixels before they are sent. An image of 524,288 pixels is about 512 tokens
        of Qwen3-VL.
    prompt_price, completion_price
        Price of a million tokens, in any currency. None gives tokens without costs.
    """

    url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    concurrency: int = 8
    timeout: float = 300.0
    max_retries: int = 8
    first_wait: float = 1.0
    longest_wait: float = 60.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    top_logprobs: int = 20
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # noqa: S105
    max_pixels: int = 524_288
    prompt_price: float | None = None
    completion_price: float | None = None
