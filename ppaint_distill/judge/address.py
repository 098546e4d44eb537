"""Where a server is, who asks, and what is allowed in the settings of a served judge."""

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from ppaint_distill.errors import ConfigError
from ppaint_distill.served_settings import ServedConfig

PATH = "/chat/completions"


class Target(NamedTuple):
    """Where a request goes.

    Attributes
    ----------
    secure
        Whether by TLS.
    host, port
        Of the server.
    path
        Of the service.
    """

    secure: bool
    host: str
    port: int
    path: str


def parse_url(url: str) -> Target:
    """Take an address apart.

    Parameters
    ----------
    url
        Address of a server, with or without ``/v1`` or the whole path.

    Returns
    -------
    Target
        Its parts.

    Raises
    ------
    ConfigError
        If it is no address of the web, or holds a password or a query.

    Examples
    --------
    >>> parse_url("http://127.0.0.1:8000")
    Target(secure=False, host='127.0.0.1', port=8000, path='/v1/chat/completions')
    >>> parse_url("https://example.org/api/v1/").path
    '/api/v1/chat/completions'
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"served.url: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"served.url={url!r} is not allowed: an address such as http://127.0.0.1:8000 is")
    if parts.username is not None or parts.query:
        raise ConfigError("served.url holds a name, a password or a query: keys go by served.api_key_env")
    base = parts.path.rstrip("/").removesuffix(PATH)
    secure = parts.scheme == "https"
    return Target(secure, parts.hostname, port or (443 if secure else 80), (base or "/v1") + PATH)


def read_key(name: str | None) -> str | None:
    """Read the key of a server from the environment.

    Parameters
    ----------
    name
        Of the variable, or None.

    Returns
    -------
    str or None
        The key.

    Raises
    ------
    ConfigError
        If there is no such variable, or no key in it.
    """
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise ConfigError(f"served.api_key_env={name!r}: there is no such environment variable, or it is empty")
    if not key.isascii() or not key.isprintable():
        raise ConfigError(f"served.api_key_env={name!r}: the key holds characters that no header takes")
    return key


def check_served(config: ServedConfig) -> None:
    """Refuse settings with which no server can be asked.

    Parameters
    ----------
    config
        The settings.

    Raises
    ------
    ConfigError
        If the address is missing, or a number is out of its range.
    """
    if config.url is None:
        raise ConfigError("served.url is not set: the address of a server is needed")
    for name in ("concurrency", "max_pixels"):
        if getattr(config, name) < 1:
            raise ConfigError(f"served.{name}={getattr(config, name)} is not allowed: 1 or more is")
    for name in ("max_retries", "first_wait", "longest_wait", "prompt_price", "completion_price"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < float("inf"):
            raise ConfigError(f"served.{name}={value} is not allowed: 0 or more is")
    for name in ("timeout", "requests_per_minute", "tokens_per_minute"):
        value = getattr(config, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"served.{name}={value} is not allowed: a number above 0 is")
    if not 0 <= config.top_logprobs <= 20:
        raise ConfigError(f"served.top_logprobs={config.top_logprobs} is not allowed: 0 to 20 is")
