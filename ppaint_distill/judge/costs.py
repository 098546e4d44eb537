"""What a server's answers took: requests, tokens, money."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppaint_distill.served_settings import ServedConfig


@dataclass(frozen=True)
class Spent:
    """What answers took.

    Parameters
    ----------
    requests
        Requests that were answered.
    prompt_tokens, completion_tokens
        As the server counts them.
    unmetered
        Requests whose tokens the server did not tell; they are not in the sums.
    cost
        Money, in the currency of the prices; None without prices.

    Examples
    --------
    >>> Spent.count({"requests": 2, "prompt_tokens": 4000, "completion_tokens": 20}, ServedConfig(prompt_price=0.5))
    Spent(requests=2, prompt_tokens=4000, completion_tokens=20, unmetered=0, cost=0.002)
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unmetered: int = 0
    cost: float | None = None

    @classmethod
    def count(cls, usage: Mapping[str, int], prices: ServedConfig) -> "Spent":
        """Price a sum of tokens.

        Parameters
        ----------
        usage
            As `AnswerStore.usage` returns it.
        prices
            Settings with the prices; one that is missing counts as 0 where the other is there.

        Returns
        -------
        Spent
            The sum.
        """
        names = ("requests", "prompt_tokens", "completion_tokens", "unmetered")
        counts = {name: usage.get(name, 0) for name in names}
        rates = (prices.prompt_price, prices.completion_price)
        if rates == (None, None):
            return cls(**counts)
        cost = counts["prompt_tokens"] * (rates[0] or 0.0) + counts["completion_tokens"] * (rates[1] or 0.0)
        return cls(**counts, cost=cost / 1e6)

    def describe(self) -> str:
        """Return the numbers in words."""
        tokens = f"{self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion tokens"
        lacking = f" ({self.unmetered:,} requests without a count)" if self.unmetered else ""
        cost = "" if self.cost is None else f", cost {self.cost:.4g}"
        return f"{self.requests:,} requests, {tokens}{lacking}{cost}"

    def to_plain(self) -> dict[str, Any]:
        """Return the numbers by name, for JSON."""
        return {
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "unmetered": self.unmetered,
            "cost": self.cost,
        }


def write_costs(path: Path, now: Spent, in_all: Spent) -> Path:
    """Write what was spent, as JSON.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    now, in_all
        In this run, and in all runs of this model with this store.

    Returns
    -------
    Path
        The file.
    """
    from ppaint_stats.fusion_io import write_whole

    text = json.dumps({"this_run": now.to_plain(), "all_runs": in_all.to_plain()}, indent=1) + "\n"
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
