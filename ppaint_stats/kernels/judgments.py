r"""Log-likelihoods of judgments with their gradients, compiled, one pass each.

Preferences follow Davidson's model with :math:`d = v_A - v_B + \delta_r`, ratings a cumulative logit,
:math:`P(y \le k) = \sigma(\kappa_{dk} - \eta)`, or, on a continuous scale, a normal distribution of their logits. With
a probability of its own, a judgment is a lapse: any answer, all equally likely. The gradient of such a mixture is that
of the attentive answer, times the probability that the answer was one.
"""

from math import factorial

import numba
import numpy as np

_INVERSE_ROOT_2PI = 1.0 / np.sqrt(2.0 * np.pi)
_HALF_LOG2_E = 0.5 / np.log(2.0)
_ROUND = 6755399441055744.0  # 1.5 * 2**52: added to a double, it leaves the nearest integer in the lowest bits
_LOG2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # log 2 to 37 bits: its products with exponents are exact
_LOG2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")  # the rest of log 2
_TERMS = tuple(1.0 / factorial(k) for k in range(13))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def exp_half(size, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill ``out`` with exp(-size / 2) for sizes of at least 0, several at a time; relative error below 1e-15.

    The argument is split into a multiple of log 2, which becomes the exponent's bits, and a rest of at most half of
    log 2, whose exponential is a polynomial. Sizes above 1415 count as 1415, since what follows is below the normal
    doubles. Without branches and calls the compiler makes vector instructions of it.
    """
    n = len(size)
    rest, scale = np.empty(n), np.empty(n)
    bits = scale.view(np.int64)
    for i in range(n):
        bounded = min(size[i], 1415.0)
        shifted = _ROUND - _HALF_LOG2_E * bounded
        scale[i] = shifted
        power = shifted - _ROUND
        rest[i] = (-0.5 * bounded - power * _LOG2_HIGH) - power * _LOG2_LOW
    for i in range(n):
        bits[i] = (bits[i] << 52) + (1023 << 52)
    for i in range(n):
        x = rest[i]
        value = _TERMS[12]
        value = value * x + _TERMS[11]
        value = value * x + _TERMS[10]
        value = value * x + _TERMS[9]
        value = value * x + _TERMS[8]
        value = value * x + _TERMS[7]
        value = value * x + _TERMS[6]
        value = value * x + _TERMS[5]
        value = value * x + _TERMS[4]
        value = value * x + _TERMS[3]
        value = value * x + _TERMS[2]
        value = value * x + _TERMS[1]
        value = value * x + _TERMS[0]
        out[i] = value * scale[i]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"})
def _score_comparisons(d, x, nu, lapse, outcome, weight, score, p):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill scores and probabilities of comparisons with one tie parameter; sums of tie residuals, scores, lapses."""
    ties, scores, lapses = 0.0, 0.0, 0.0
    for i in range(len(d)):
        inverse = 1.0 / (1.0 + x[i] * (x[i] + nu))
        sign = 0.5 * (1.0 - outcome[i])  # 1/2 for A, 0 for a tie, -1/2 for B: no branch to guess wrong
        tie = 1.0 - 2.0 * abs(sign)
        decided = 1.0 if sign * d[i] >= 0.0 else x[i] * x[i]
        attentive = (1.0 - lapse) * (tie * nu * x[i] + (1.0 - tie) * decided) * inverse
        p[i] = attentive + lapse / 3.0
        share = weight[i] * attentive / p[i]
        score[i] = share * (sign - np.copysign(0.5 * (1.0 - x[i] * x[i]) * inverse, d[i]))
        scores += score[i]
        ties += share * (tie - nu * x[i] * inverse)
        lapses += weight[i] * (1.0 - lapse) - share
    return ties, scores, lapses


@numba.njit(cache=True, nogil=True, error_model="numpy")
def davidson_logp(v, log_nu, position, lapse, a, b, outcome, weight, run, group, rater):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood of comparisons and its gradient.

    Parameters
    ----------
    v
        Utilities on the scale of each rater's preferences, flat.
    log_nu, position
        Tie parameter by group, position effect by rater.
    lapse
        Logit of each rater's probability of a lapse, above -300.
    a, b
        Places of both utilities of each comparison in ``v``.
    outcome
        0, 1, 2 for A, TIE, B.
    weight
        Number of such comparisons; empty where each stands for one.
    run
        Where each run of comparisons by one rater and of one group starts, and last the number of comparisons.
    group, rater
        Group (of the tie parameter) and rater of each run.

    Returns
    -------
    tuple
        Value, and gradients by ``v``, ``log_nu``, ``position``, ``lapse``.
    """
    by_v = np.zeros(len(v))
    by_nu = np.zeros(len(log_nu))
    by_position = np.zeros(len(position))
    by_lapse = np.zeros(len(lapse))
    longest = 0
    for k in range(len(group)):
        longest = max(longest, run[k + 1] - run[k])
    room = np.empty((5, longest))
    ones = np.ones(longest if len(weight) == 0 else 0)
    total = 0.0
    product = 1.0  # of probabilities, so that one logarithm serves many comparisons
    for k in range(len(group)):
        start, r, g = run[k], rater[k], group[k]
        n = run[k + 1] - start
        d, size, x, score, p = room[0, :n], room[1, :n], room[2, :n], room[3, :n], room[4, :n]
        for i in range(n):
            d[i] = v[a[start + i]] - v[b[start + i]] + position[r]
            size[i] = abs(d[i])
        exp_half(size, x)
        count = weight[start : start + n] if len(weight) else ones[:n]
        ties, scores, lapses = _score_comparisons(
            d, x, np.exp(log_nu[g]), 1.0 / (1.0 + np.exp(-lapse[r])), outcome[start : start + n], count, score, p
        )
        by_nu[g] += ties
        by_position[r] += scores
        by_lapse[r] += lapses
        for i in range(n):
            by_v[a[start + i]] += score[i]
            by_v[b[start + i]] -= score[i]
            if count[i] == 1.0:
                product *= p[i]
                if product < 1e-150:
                    total += np.log(product)
                    product = 1.0
            else:
                total += count[i] * np.log(p[i])
    return total + np.log(product), by_v, by_nu, by_position, by_lapse


@numba.njit(cache=True, nogil=True, error_model="numpy")
def ordinal_logp(eta, kappa, lapse, dimension, rater, level):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood of ordinal ratings and its gradient.

    Parameters
    ----------
    eta
        Latent of each rating.
    kappa
        Thresholds, shape (dimensions, levels - 1), rising.
    lapse
        Logit of each rater's probability of a lapse, above -300.
    dimension, rater, level
        Dimension and rater of each rating, and its level from 0.

    Returns
    -------
    tuple
        Value, and gradients by ``eta``, ``kappa`` and ``lapse``.

    Notes
    -----
    With u and l the distances to the upper and the lower threshold, sigma(u) - sigma(l) is
    sigma(u) sigma(-l) (1 - exp(l - u)): no difference of nearly equal numbers.
    """
    by_eta = np.zeros(len(eta))
    n_dimensions, top = kappa.shape
    by_kappa = np.zeros((n_dimensions, top))
    room, pull = np.ones((n_dimensions, top)), np.zeros((n_dimensions, top))
    for d in range(n_dimensions):
        for k in range(1, top):
            room[d, k] = -np.expm1(-max(kappa[d, k] - kappa[d, k - 1], 1e-12))
            pull[d, k] = (1.0 - room[d, k]) / room[d, k]
    chance = np.zeros(len(lapse))
    by_lapse = np.zeros(len(lapse))
    for r in range(len(lapse)):
        chance[r] = 1.0 / (1.0 + np.exp(-lapse[r]))
    total = 0.0
    product = 1.0  # of probabilities, so that one logarithm serves many ratings
    for i in range(len(eta)):
        k, d, r = level[i], dimension[i], rater[i]
        attentive = 1.0 - chance[r]
        upper, lower = 0.0, 0.0
        if k < top:  # sigma(upper - eta); the derivative of its logarithm is sigma(eta - upper)
            x = kappa[d, k] - eta[i]
            e = np.exp(-abs(x))
            upper = (e if x > 0 else 1.0) / (1.0 + e)
            attentive *= (1.0 if x > 0 else e) / (1.0 + e)
        if k > 0:
            x = eta[i] - kappa[d, k - 1]
            e = np.exp(-abs(x))
            lower = (e if x > 0 else 1.0) / (1.0 + e)
            attentive *= (1.0 if x > 0 else e) / (1.0 + e)
        squeeze = 0.0
        if 0 < k < top:
            attentive *= room[d, k]
            squeeze = pull[d, k]
        p = attentive + chance[r] / (top + 1.0)
        share = attentive / p
        by_eta[i] = share * (lower - upper)
        if k < top:
            by_kappa[d, k] += share * (upper + squeeze)
        if k > 0:
            by_kappa[d, k - 1] -= share * (lower + squeeze)
        by_lapse[r] += 1.0 - chance[r] - share
        product *= p
        if product < 1e-150:
            total += np.log(product)
            product = 1.0
    return total + np.log(product), by_eta, by_kappa, by_lapse


@numba.njit(cache=True, nogil=True, error_model="numpy")
def normal_logp(eta, log_noise, lapse, rater, answer, chance):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log-likelihood of continuous ratings, given as logits, and its gradient; ``lapse`` as for ordinal ones.

    Parameters
    ----------
    eta
        Expected logit of each rating.
    log_noise
        Logarithm of each rater's noise.
    rater, answer
        Rater of each rating, and its logit.
    chance
        Density of each answer under a lapse.

    Returns
    -------
    tuple
        Value, and gradients by ``eta``, ``log_noise`` and ``lapse``.
    """
    by_eta = np.zeros(len(eta))
    by_noise = np.zeros(len(log_noise))
    by_lapse = np.zeros(len(lapse))
    total = 0.0
    for i in range(len(eta)):
        r = rater[i]
        careless = 1.0 / (1.0 + np.exp(-lapse[r]))
        inverse = np.exp(-log_noise[r])
        residual = (answer[i] - eta[i]) * inverse
        attentive = (1.0 - careless) * np.exp(-0.5 * residual * residual) * inverse * _INVERSE_ROOT_2PI
        p = attentive + careless * chance[i]
        share = attentive / p
        total += np.log(p)
        by_eta[i] = share * residual * inverse
        by_noise[r] += share * (residual * residual - 1.0)
        by_lapse[r] += 1.0 - careless - share
    return total, by_eta, by_noise, by_lapse
