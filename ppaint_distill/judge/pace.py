"""How fast a server is asked."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Spreads requests so that limits a minute are kept, and holds them while a server wants rest.

    Parameters
    ----------
    requests, tokens
        Limits a minute, or None.
    clock
        Seconds.
    """

    def __init__(
        self, requests: float | None, tokens: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gap = 60 / requests if requests else 0.0
        self._token_gap = 60 / tokens if tokens else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()
        self._guess = 0.0

    def reserve(self) -> tuple[float, float]:
        """Take the next place.

        Returns
        -------
        wait
            Seconds until it.
        guess
            Tokens that were taken into account.
        """
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + max(self._gap, self._token_gap * self._guess)
            return start - now, self._guess

    def settle(self, guess: float, tokens: float) -> None:
        """Correct the guess of a place by what the request took; the next guess is this number."""
        with self._lock:
            self._next += self._token_gap * (tokens - guess)
            self._guess = tokens

    def hold(self, seconds: float) -> None:
        """Give no place for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
