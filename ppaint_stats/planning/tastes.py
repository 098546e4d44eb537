r"""Tastes that no judgment can tell from noise: what the joint model then makes of slopes, thresholds and utilities.

With one rating an item and no comparisons a taste adds to the logistic noise of a rating, and the model has none:
noise of variance :math:`\pi^2 / 3 + h^2 \tau^2` is scaled back to that of the logistic, and all logits with it.
"""

from dataclasses import dataclass, replace

import numpy as np

from ppaint_stats.planning.assumptions import Assumptions
from ppaint_stats.planning.information import Habits
from ppaint_stats.simulation_design import LOGISTIC_SD
from ppaint_stats.typing import FloatArray


@dataclass(frozen=True)
class Absorbed:
    """Assumptions without tastes.

    ``utility_factor`` is what utilities are divided by, ``rating_factor`` what rating logits are, by dimension.
    """

    assumed: Assumptions
    utility_factor: FloatArray
    rating_factor: FloatArray

    def absorb_habits(self, habits: Habits) -> Habits:
        """Give one rater's habits on these scales."""
        return replace(habits, severity=habits.severity / self.rating_factor)


def absorb_tastes(assumed: Assumptions, *, compares: bool) -> Absorbed:
    """Leave tastes to the noise.

    Parameters
    ----------
    assumed
        Quantities with tastes.
    compares
        Whether there are comparisons, whose noise then absorbs the difference of two tastes; without them utilities
        keep their scale.

    Returns
    -------
    Absorbed
        The same without.

    Examples
    --------
    The thresholds shrink as the noise grows.

    >>> from ppaint_stats.planning.assumptions import assume_design
    >>> from ppaint_stats import PPaintDesign
    >>> assumed = assume_design(PPaintDesign(dimensions=("overall",)))
    >>> without = absorb_tastes(assumed, compares=False).assumed
    >>> bool((abs(without.threshold) < abs(assumed.threshold)).all()), without.taste_cov.item() < 1e-4
    (True, True)
    """
    variance = np.diag(assumed.taste_cov)
    noise = LOGISTIC_SD**2
    utility = np.sqrt(1 + 2 * variance / noise) if compares else np.ones(len(variance))
    rating = np.sqrt(1 + assumed.slope**2 * variance / noise)
    noise_mean = assumed.noise_mean
    if noise_mean is not None:  # a continuous scale's noise has a spread of its own, which grows
        noise_mean = float(np.sqrt(noise_mean**2 + np.mean(assumed.slope**2 * variance)))
        rating = np.ones(len(variance))
    mean = float(rating.mean())
    return Absorbed(
        replace(
            assumed,
            item_cov=assumed.item_cov / np.outer(utility, utility),
            taste_cov=1e-6 * np.eye(len(variance)),
            slope=assumed.slope * utility / rating,
            threshold=assumed.threshold / rating[:, None],
            severity_sd=assumed.severity_sd / mean,
            severity_dimension_sd=assumed.severity_dimension_sd / mean,
            noise_mean=noise_mean,
        ),
        utility,
        rating,
    )
