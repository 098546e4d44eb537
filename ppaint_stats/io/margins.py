"""Outcomes from graded margins: how much better one item was."""

from math import isfinite

import numpy as np
import pandas as pd

from ppaint_stats.columns import OUTCOME
from ppaint_stats.errors import ArgumentError, DataError
from ppaint_stats.io.files import MARGIN
from ppaint_stats.tables import TableSource, to_margins, to_outcomes


def cut_margins(frame: pd.DataFrame, *, tie_margin: float, source: TableSource) -> pd.DataFrame:
    """Set the outcome to TIE where the margin is at most ``tie_margin`` in size.

    Parameters
    ----------
    frame : pandas.DataFrame
        Comparisons with a column ``margin`` and maybe ``outcome``.
    tie_margin : float
        Largest size of a margin that still counts as a tie, at least 0.
    source : TableSource
        For messages.

    Returns
    -------
    pandas.DataFrame
        The table with a column ``outcome``; margins are kept.

    Raises
    ------
    ArgumentError
        If ``tie_margin`` is negative or not finite.
    DataError
        If there is no margin, one is not a number, or margins and outcomes contradict each other.

    Notes
    -----
    Without a column ``outcome`` the sign decides: a positive margin is A. With one, a margin without sign (none is
    negative) only makes ties; a margin with sign must also point where the outcome does. A stated TIE with a margin
    above ``tie_margin`` is a contradiction too.
    """
    if (
        isinstance(tie_margin, bool)
        or not isinstance(tie_margin, int | float)
        or not isfinite(tie_margin)
        or tie_margin < 0
    ):
        raise ArgumentError(f"tie_margin={tie_margin!r} is not allowed; it must be a finite number of at least 0")
    if MARGIN not in frame:
        raise DataError(
            f"{source.label}: tie_margin= needs a column 'margin'; found are {', '.join(map(repr, frame.columns))}. "
            "columns={'your name': 'margin'} renames one"
        )
    margin = to_margins(frame[MARGIN], MARGIN, source).to_numpy()
    tie = np.abs(margin) <= tie_margin
    if OUTCOME in frame:
        given = to_outcomes(frame[OUTCOME], source).to_numpy(dtype=object)
        against = (given == "TIE") & ~tie
        if bool((margin < 0).any()):
            against |= ((given == "A") & (margin < 0)) | ((given == "B") & (margin > 0))
        if against.any():
            first = int(np.argmax(against))
            source.fail(
                OUTCOME,
                against,
                f"outcome {given[first]!r} contradicts margin {margin[first]:g}",
                f"A positive margin means A, a negative one B, a TIE has a margin of at most {tie_margin:g} in size",
            )
        decided = given
    else:
        decided = np.where(margin > 0, "A", "B").astype(object)
    outcome = pd.Series(np.where(tie, "TIE", decided), index=frame.index, dtype="str")
    cut = frame.copy()
    cut[OUTCOME], cut[MARGIN] = outcome, margin
    return cut
