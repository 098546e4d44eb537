"""A starting point near the bulk of the posterior, for runs that are too short to find it by themselves."""

from collections.abc import Callable

import numpy as np

from ppaint_stats.joint.parameters import Layout
from ppaint_stats.typing import FloatArray

ITERATIONS = 60

HELD = ("item_cov", "taste_cov", "taste_spread", "sharpness", "log_noise_mean", "log_noise", "protocol_correlation")
"""Parameters that stay where they are, besides all spreads: with the scales of utilities free there is no mode."""


def find_start(
    density: Callable[[FloatArray], tuple[float, FloatArray]], layout: Layout, *, free_slope: bool = True
) -> FloatArray:
    """Climb from the middle of the priors, all scales held, by some iterations of L-BFGS.

    Parameters
    ----------
    density
        Log density and its gradient.
    layout
        Parameters of the study.
    free_slope
        Whether the slope between the protocols is climbed too. In coordinates in which the items' spread moves with it,
        it must not be; elsewhere a start with a wrong slope may keep a short run from the bulk.

    Returns
    -------
    ndarray
        The flat vector.
    """
    from scipy.optimize import minimize

    x = layout.middle
    free = np.ones(len(x), dtype=np.bool_)
    for name in layout.names:
        held = name in HELD or (name.startswith("log_") and name.endswith("_sd"))
        if held or (name == "log_slope" and not free_slope):
            free[layout.places(name)] = False

    def descend(part: FloatArray) -> tuple[float, FloatArray]:
        y = x.copy()
        y[free] = part
        value, gradient = density(y)
        return -value, -gradient[free]

    found = minimize(descend, x[free], jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    if np.isfinite(found.fun):  # else the middle is as good a start as any
        x[free] = found.x
    return x
