"""Building blocks of a log density with its gradient, compiled: covariance factors, normal rows, hierarchies.

Each block comes as a forward function, which returns values, and a backward one, which turns the gradient by those
values into that by the parameters and adds the prior's own.
"""

import numba
import numpy as np

NORMAL, HEAVY, BLUNT = np.arange(3)
"""Tails of a hierarchy: normal; Student's t; Gumbel's law of minima, with a long left tail and hardly a right one.

NumPy's values, since called with Python's a function would be compiled once for each.
"""

LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)
T_DOF = 4.0
T_CONSTANT = -0.9808292530117262
"""Log density of Student's t with 4 degrees of freedom at 0: log(3 / 8)."""

GUMBEL_MEAN = -np.euler_gamma
GUMBEL_SD = np.pi / np.sqrt(6)
"""Mean and standard deviation of the law of minima, whose log density is z - exp(z)."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def unpack_factor(packed, n):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Lower triangular factor from its rows one after the other, the diagonal given by logarithms; and its inverse."""
    factor = np.zeros((n, n))
    inverse = np.zeros((n, n))
    k = 0
    for i in range(n):
        for j in range(i):
            factor[i, j] = packed[k]
            k += 1
        factor[i, i] = np.exp(packed[k])
        k += 1
    for j in range(n):
        inverse[j, j] = 1.0 / factor[j, j]
        for i in range(j + 1, n):
            total = 0.0
            for k in range(j, i):
                total -= factor[i, k] * inverse[k, j]
            inverse[i, j] = total / factor[i, i]
    return factor, inverse


@numba.njit(cache=True, nogil=True, error_model="numpy")
def factor_logp(factor, by_factor, eta, log_median, log_sd, gradient):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Prior of a covariance's factor: LKJ correlation, log-normal spreads; fills the gradient by the packed factor.

    ``by_factor`` is the gradient of everything else by the factor. The value lacks LKJ's constant.
    """
    n = factor.shape[0]
    total = 0.0
    k = 0
    for i in range(n):
        variance = 0.0
        for j in range(i + 1):
            variance += factor[i, j] * factor[i, j]
        log_spread = 0.5 * np.log(variance)
        log_diagonal = np.log(factor[i, i])
        power = 2.0 * eta - 2.0 + n - i
        residual = (log_spread - log_median) / log_sd
        total += -LOG_ROOT_2PI - np.log(log_sd) - 0.5 * residual * residual - log_spread
        total += power * (log_diagonal - log_spread) - i * log_spread + log_diagonal
        by_spread = (-residual / log_sd - 1.0 - power - i) / variance
        for j in range(i):
            gradient[k] = by_factor[i, j] + by_spread * factor[i, j]
            k += 1
        gradient[k] = (by_factor[i, i] + by_spread * factor[i, i]) * factor[i, i] + power + 1.0
        k += 1
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def rows_logp(deviation, factor, inverse, by_factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log density of rows under N(0, factor factor'); adds to the gradient by the factor, returns that by the rows."""
    m, n = deviation.shape
    by_deviation = np.zeros((m, n))
    products = np.zeros((n, n))
    white = np.zeros(n)
    total = -m * n * LOG_ROOT_2PI
    for r in range(m):
        for i in range(n):
            value = 0.0
            for j in range(i + 1):
                value += inverse[i, j] * deviation[r, j]
            white[i] = value
            total -= 0.5 * value * value
        for i in range(n):
            for j in range(i + 1):
                by_deviation[r, j] -= white[i] * inverse[i, j]
                products[i, j] += white[i] * white[j]
    for i in range(n):
        for j in range(i + 1, n):
            products[i, j] = products[j, i]
    for i in range(n):
        total -= m * np.log(factor[i, i])
        by_factor[i, i] -= m / factor[i, i]
        for j in range(i + 1):
            for k in range(i, n):
                by_factor[i, j] += inverse[k, i] * products[k, j]
    return total, by_deviation


@numba.njit(cache=True, nogil=True, error_model="numpy")
def correlate_rows(raw, factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Rows under N(0, factor factor') from independent standard normal ones."""
    m, n = raw.shape
    rows = np.zeros((m, n))
    for r in range(m):
        for i in range(n):
            for j in range(i + 1):
                rows[r, i] += factor[i, j] * raw[r, j]
    return rows


@numba.njit(cache=True, nogil=True, error_model="numpy")
def correlate_rows_back(raw, factor, by_rows, by_raw, by_factor):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn a gradient by such rows into one by the standard normal ones and the factor; adds to both."""
    m, n = raw.shape
    for r in range(m):
        for i in range(n):
            for j in range(i + 1):
                by_raw[r, j] += by_rows[r, i] * factor[i, j]
                by_factor[i, j] += by_rows[r, i] * raw[r, j]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hierarchy(x, mean, log_sd, centred, tails):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Values of a hierarchy around ``mean`` and their log density, with one of the tails above.

    Each entry of ``mean`` serves equally many values in a row: one all of them, as many as values one each.
    """
    sd = np.exp(log_sd)
    n = len(x)
    each = n // max(len(mean), 1)
    values = np.zeros(n)
    total = 0.0
    for i in range(n):
        middle = mean[i // each]
        z = (x[i] - middle) / sd if centred else x[i]
        values[i] = x[i] if centred else middle + sd * x[i]
        if tails == HEAVY:
            total += T_CONSTANT - 0.5 * (T_DOF + 1.0) * np.log1p(z * z / T_DOF)
        elif tails == BLUNT:
            lifted = GUMBEL_MEAN + GUMBEL_SD * z
            total += np.log(GUMBEL_SD) + lifted - np.exp(lifted)
        else:
            total -= LOG_ROOT_2PI + 0.5 * z * z
        if centred:
            total -= log_sd
    return values, total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hierarchy_back(x, mean, log_sd, centred, tails, by_values, by_x, by_mean):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Turn a gradient by the values into one by the parameters; returns that by ``log_sd``, adds to the others."""
    sd = np.exp(log_sd)
    each = len(x) // max(len(mean), 1)
    by_log_sd = 0.0
    for i in range(len(x)):
        k = i // each
        z = (x[i] - mean[k]) / sd if centred else x[i]
        if tails == HEAVY:
            slope = -(T_DOF + 1.0) * z / (T_DOF + z * z)
        elif tails == BLUNT:
            slope = GUMBEL_SD * (1.0 - np.exp(GUMBEL_MEAN + GUMBEL_SD * z))
        else:
            slope = -z
        if centred:
            by_x[i] += by_values[i] + slope / sd
            by_mean[k] -= slope / sd
            by_log_sd -= slope * z + 1.0
        else:
            by_x[i] += by_values[i] * sd + slope
            by_mean[k] += by_values[i]
            by_log_sd += by_values[i] * sd * x[i]
    return by_log_sd


def draw_minima(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from Gumbel's law of minima with mean 0 and standard deviation 1."""
    return np.asarray((np.euler_gamma - rng.gumbel(size=shape)) / GUMBEL_SD)
