"""Between the PyMC model's variables and the flat vector that the compiled density takes."""

from collections.abc import Mapping

import numpy as np

from ppaint_stats.joint.parameters import Layout
from ppaint_stats.typing import FloatArray

FACTORS = ("item_cov", "taste_cov")
"""Packed lower triangular factors, whose diagonals are sampled by their logarithms."""


def flatten_variables(values: Mapping[str, FloatArray], layout: Layout) -> FloatArray:
    """Turn draws of the PyMC model's variables into flat vectors.

    Parameters
    ----------
    values
        Draws by name, on the model's own scales. Their leading axes, such as chain and draw, are the same for all;
        others than the layout's parameters are left alone.
    layout
        The study's parameters.

    Returns
    -------
    ndarray
        Draws of the flat vector, on the last axis.
    """
    parts = []
    for name in layout.names:
        parameter = layout.parameters[name]
        part = np.asarray(values[name], dtype=float)
        if name in FACTORS:
            n = round((np.sqrt(8 * part.shape[-1] + 1) - 1) / 2)
            diagonal = np.cumsum(np.arange(1, n + 1)) - 1
            part = part.copy()
            part[..., diagonal] = np.log(part[..., diagonal])
        elif name == "protocol_correlation":
            part = 2 * np.arctanh(part)  # the logit of (1 + rho) / 2
        parts.append(part.reshape((*part.shape[: part.ndim - len(parameter.shape)], -1)))
    return np.concatenate(parts, axis=-1)
