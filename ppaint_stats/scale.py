"""The scale on which raters gave their ratings."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from ppaint_stats.errors import ArgumentError
from ppaint_stats.typing import BoolArray, FloatArray, IntArray

STEP_TOLERANCE = 1e-6
"""How far a rating may lie from a level, as a share of the step: enough for 32-bit floats."""


@dataclass(frozen=True)
class RatingScale:
    """Lowest and highest rating, and the step between the levels.

    Parameters
    ----------
    low, high : float
        The ends of the scale; both may be given as ratings.
    step : float, optional
        Distance between neighbouring levels. It must divide ``high - low``. ``None`` is a continuous scale.

    Raises
    ------
    ArgumentError
        If an end is not finite, ``low >= high``, or the step is not positive or does not divide the span.

    Examples
    --------
    >>> scale = RatingScale(1, 5, 0.5)
    >>> scale.levels.tolist()
    [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
    >>> scale.contains([1, 2.25, 5.5]).tolist()
    [True, False, False]
    >>> print(scale)
    1 to 5 in steps of 0.5
    """

    low: float
    high: float
    step: float | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            value = getattr(self, name)
            if name == "step" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise ArgumentError(f"scale: {name}={value!r} is not a number")
            if not isfinite(value):
                raise ArgumentError(f"scale: {name}={value!r} is not finite")
            object.__setattr__(self, name, float(value))
        if self.low >= self.high:
            raise ArgumentError(f"scale: low={self.low:g} must be less than high={self.high:g}")
        if self.step is not None:
            if self.step <= 0:
                raise ArgumentError(f"scale: step={self.step:g} must be positive, or None for a continuous scale")
            n_steps = self.span / self.step
            if round(n_steps) < 1 or abs(n_steps - round(n_steps)) > STEP_TOLERANCE:
                raise ArgumentError(
                    f"scale: step={self.step:g} does not divide the span {self.low:g} to {self.high:g}; "
                    "pick a step that does, or None for a continuous scale"
                )

    @classmethod
    def parse(cls, scale: object) -> "RatingScale":
        """Make a scale of a scale, of ``(low, high)`` (continuous) or of ``(low, high, step)``.

        Parameters
        ----------
        scale : RatingScale or tuple or list of 2 or 3 numbers
            What the user gave.

        Returns
        -------
        RatingScale
            The same scale as an object.

        Raises
        ------
        ArgumentError
            If it is anything else.

        Examples
        --------
        >>> RatingScale.parse((0, 100))
        RatingScale(low=0.0, high=100.0, step=None)
        """
        if isinstance(scale, RatingScale):
            return scale
        if isinstance(scale, tuple | list) and len(scale) in (2, 3):
            return cls(*scale)
        raise ArgumentError(
            f"scale={scale!r} is not a scale; allowed are a RatingScale, (low, high) and (low, high, step)"
        )

    @property
    def span(self) -> float:
        """Distance from ``low`` to ``high``."""
        return self.high - self.low

    @property
    def levels(self) -> FloatArray | None:
        """All ratings that may be given, in increasing order; ``None`` on a continuous scale."""
        if self.step is None:
            return None
        # Twelve decimals turn 0.1 + 2 * 0.1 back into 0.3.
        return np.round(self.low + self.step * np.arange(round(self.span / self.step) + 1), 12)

    def contains(self, values: ArrayLike) -> BoolArray:
        """Tell which values are allowed ratings.

        Parameters
        ----------
        values : array-like of float
            Candidate ratings, any shape.

        Returns
        -------
        array of bool
            True where the value lies within the ends and, if there is a step, on a level.
        """
        x = np.asarray(values, dtype=np.float64)
        slack = 0.0 if self.step is None else self.step * STEP_TOLERANCE
        inside = (x >= self.low - slack) & (x <= self.high + slack)
        if self.step is not None:
            position = (np.where(inside, x, self.low) - self.low) / self.step
            inside &= np.abs(position - np.rint(position)) <= STEP_TOLERANCE
        return np.asarray(inside, dtype=np.bool_)

    def codes(self, values: ArrayLike) -> IntArray:
        """Number the levels 0, 1, ... from the lowest and give each value its number.

        Parameters
        ----------
        values : array-like of float
            Ratings on this scale.

        Returns
        -------
        array of int
            Index into ``levels``.

        Raises
        ------
        ArgumentError
            If the scale is continuous or a value is no level of it.

        Examples
        --------
        >>> RatingScale(0, 1, 0.1).codes([0.3, 1.0]).tolist()
        [3, 10]
        """
        if self.step is None:
            raise ArgumentError(f"the scale {self} is continuous and has no levels to number")
        x = np.asarray(values, dtype=np.float64)
        if not bool(self.contains(x).all()):
            raise ArgumentError(f"some values are no levels of the scale {self}")
        return np.rint((x - self.low) / self.step).astype(np.int64)

    def __str__(self) -> str:
        steps = "continuous" if self.step is None else f"in steps of {self.step:g}"
        return f"{self.low:g} to {self.high:g}{',' if self.step is None else ''} {steps}"
