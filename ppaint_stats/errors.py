"""Exceptions and warnings: one class for each thing that a caller may want to catch."""


class PPaintError(Exception):
    """Base of every error that this package raises on purpose."""


class DataError(PPaintError, ValueError):
    """A table or file holds something that is not allowed; the message names what, where, and what is allowed."""


class ArgumentError(PPaintError, ValueError):
    """An argument has a value that is not allowed; the message names it and what is allowed."""


class DisconnectedGraphError(PPaintError, ValueError):
    """Preferences alone cannot rank items that no chain of comparisons connects."""


class PPaintWarning(UserWarning):
    """Base of every warning of this package: each is something that a person must look at."""


class DisconnectedWarning(PPaintWarning):
    """A comparison graph or a rater-item graph falls into several components."""


class SeparationWarning(PPaintWarning):
    """Some items were always or never preferred, so that their maximum-likelihood strengths are infinite."""


class CalibrationWarning(PPaintWarning):
    """The map from latent scores to the rating scale is poorly determined."""


class IntervalWarning(PPaintWarning):
    """Intervals are of another kind than asked for by default, and answer another question."""


class ConvergenceWarning(PPaintWarning):
    """An iterative method stopped before it met its tolerance."""


class DiscardedDataWarning(PPaintWarning):
    """Part of the data cannot inform the result that was asked for; the message says which part and why."""
