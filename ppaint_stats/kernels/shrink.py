"""Spread of true values behind noisy ones."""

import numpy as np
from scipy.optimize import minimize_scalar

from ppaint_stats.typing import FloatArray


def estimate_spread(value: FloatArray, se: FloatArray) -> float:
    """Maximum-likelihood sd of true values around 0, given values with known standard errors (0 if noise explains all).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> round(estimate_spread(rng.normal(0, 2, 5000) + rng.normal(0, 1, 5000), np.ones(5000)), 1)
    2.0
    """
    top = float(np.sqrt((value**2).max(initial=0.0)))
    if top == 0:
        return 0.0

    def negative(spread: float) -> float:
        variance = np.maximum(spread**2 + se**2, 1e-300)
        return float((value**2 / variance + np.log(variance)).sum())

    found = float(minimize_scalar(negative, bounds=(1e-6 * top, 2 * top), method="bounded").x)
    return found if found > 1e-3 * top else 0.0
