"""Requests to a server of OpenAI's kind: tried again where that can help, paced, and refused in the server's words."""

import contextlib
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ppaint_distill.errors import ServerError
from ppaint_distill.judge.address import check_served, parse_url, read_key
from ppaint_distill.judge.pace import Pace
from ppaint_distill.served_settings import ServedConfig

BUSY = (408, 409, 425, 429)
"""Statuses below 500 after which the same request may do well."""

PATIENCE = 10
"""A server may ask for so many times the longest wait."""

SHOWN = 400
LARGEST = 2**26
HERE = ("localhost", "127.0.0.1", "::1")


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run ends for another reason; nothing was asked."""


class _Again(Exception):  # noqa: N818 - it is no error yet
    """A try failed, the next may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class ChatClient:
    """Sends chat completions.

    Parameters
    ----------
    config
        Of the server.
    random_seed
        Of the lengths of waits.

    Raises
    ------
    ConfigError
        If a setting is not allowed, or the variable of the key is not set.

    Notes
    -----
    No redirection is followed: it would carry the key and the images to someone else.
    """

    def __init__(self, config: ServedConfig, *, random_seed: int = 0) -> None:
        check_served(config)
        self.config = config
        self.target = parse_url(config.url or "")
        self._key = read_key(config.api_key_env)
        self._pace = Pace(config.requests_per_minute, config.tokens_per_minute)
        self._random = random.Random(random_seed)  # noqa: S311 - of waits
        self._stop = threading.Event()
        self.n_tries = 0

    def stop(self) -> None:
        """End all waits; requests that wait are given up, those under way are not."""
        self._stop.set()

    def restart(self) -> None:
        """Take requests again after `stop`."""
        self._stop.clear()

    def post(self, body: Mapping[str, Any], *, accept: Callable[[Any], None]) -> dict[str, Any]:
        """Send a request until it is answered.

        Parameters
        ----------
        body
            Of the request.
        accept
            Raises ValueError on a reply that is none; the request is then tried again.

        Returns
        -------
        dict
            The reply.

        Raises
        ------
        ServerError
            If the server refuses the request, or all tries failed; with the server's words.
        Stopped
            If `stop` was called while the request waited.
        """
        data = json.dumps(body, ensure_ascii=True, allow_nan=False).encode()
        for number in range(self.config.max_retries + 1):
            wait, guess = self._pace.reserve()
            if self._stop.wait(wait):
                raise Stopped
            try:
                reply = self._try(data)
                accept(reply)
            except _Again as reason:
                self._pace.settle(guess, guess)
                trouble: Exception = reason
                self._rest(number, reason)
            except ValueError as reason:
                trouble = reason
                self._rest(number, _Again(str(reason)))
            else:
                self._pace.settle(guess, sum(read_usage(reply).values()))
                return dict(reply)
        raise ServerError(f"{self.config.url}: {self.config.max_retries + 1} tries failed; the last: {trouble}")

    def _rest(self, number: int, reason: _Again) -> None:
        """Wait after a failed try."""
        if number == self.config.max_retries:
            return
        longest = min(self.config.first_wait * 2**number, self.config.longest_wait)
        wait = longest * (0.5 + 0.5 * self._random.random())
        if reason.wait is not None:
            if reason.wait > PATIENCE * self.config.longest_wait:
                raise ServerError(f"{self.config.url} wants a rest of {reason.wait:.0f} s: {reason}; run again later")
            self._pace.hold(reason.wait)
            wait = reason.wait
        if self._stop.wait(wait):
            raise Stopped

    def _try(self, data: bytes) -> Any:
        """Send once; return what the server's JSON says."""
        self.n_tries += 1
        deadline = time.monotonic() + self.config.timeout
        connection = self._connect()
        try:
            connection.request("POST", self._route(), body=data, headers=self._headers())
            response = connection.getresponse()
            status, content = response.status, _read_until(response, deadline)
        except (OSError, http.client.HTTPException) as error:
            # a reset, a refused connection, a time-out, half a reply: the server may be back in a moment
            raise _Again(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if status in BUSY or status >= 500:
            raise _Again(f"status {status}: {self._quote(content)}", _read_wait(response.headers.get("Retry-After")))
        if status != 200:
            raise ServerError(f"{self.config.url} refuses the request, status {status}: {self._quote(content)}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise _Again(f"the reply is no JSON: {self._quote(content)}") from error

    def _connect(self) -> http.client.HTTPConnection:
        secure, host, port, _ = self.target
        timeout = self.config.timeout
        proxy = self._proxy()
        if proxy is None:
            if secure:
                return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
            return http.client.HTTPConnection(host, port, timeout=timeout)
        if not secure:
            return http.client.HTTPConnection(*proxy, timeout=timeout)
        connection = http.client.HTTPSConnection(*proxy, timeout=timeout, context=ssl.create_default_context())
        connection.set_tunnel(host, port)
        return connection

    def _proxy(self) -> tuple[str, int] | None:
        """The proxy that the environment names, if this server is behind it."""
        secure, host, _, _ = self.target
        named = getproxies().get("https" if secure else "http")
        if named is None or host in HERE or proxy_bypass(host):
            return None
        parts = urlsplit(named if "://" in named else f"http://{named}")
        return str(parts.hostname), parts.port or 80

    def _route(self) -> str:
        _, host, port, path = self.target
        plain_proxy = not self.target.secure and self._proxy() is not None
        return f"http://{host}:{port}{path}" if plain_proxy else path

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers

    def _quote(self, content: bytes) -> str:
        """The server's words, on one line, without the key."""
        text = content.decode(errors="replace")
        with contextlib.suppress(ValueError, AttributeError):  # words without JSON are words, too
            found = json.loads(text)
            error = found.get("error", found)
            words = error.get("message", error) if isinstance(error, dict) else error
            text = words if isinstance(words, str) else json.dumps(words)
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join(text.split())
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def read_usage(reply: Any) -> dict[str, int]:
    """Read the tokens of a reply.

    Parameters
    ----------
    reply
        Of the server.

    Returns
    -------
    dict
        ``prompt_tokens`` and ``completion_tokens``; empty where the server does not say.
    """
    usage = reply.get("usage") if isinstance(reply, dict) else None
    if not isinstance(usage, dict):
        return {}
    names = ("prompt_tokens", "completion_tokens")
    return {name: int(usage[name]) for name in names if isinstance(usage.get(name), int)}


def _read_until(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read a reply that may come in drops."""
    pieces, size = [], 0
    while piece := response.read1(65536):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > deadline:
            raise TimeoutError("the reply took too long")
        if size > LARGEST:
            raise http.client.HTTPException(f"the reply is longer than {LARGEST} bytes")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


def _read_wait(text: str | None) -> float | None:
    """Seconds of a ``Retry-After``, which are a number or a date."""
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        return max(float(text), 0.0)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)
