"""Canonical column names of the tables that go in and come out."""

CATEGORY = "category"
DIMENSION = "dimension"
RATER = "rater"
ITEM = "item"
RATING = "rating"
ITEM_A = "item_a"
ITEM_B = "item_b"
OUTCOME = "outcome"
COUNT = "count"
TRIAL = "trial"

RATING_COLUMNS = (CATEGORY, DIMENSION, RATER, ITEM, RATING)
PREFERENCE_COLUMNS = (CATEGORY, DIMENSION, RATER, ITEM_A, ITEM_B, OUTCOME)
SCORE_COLUMNS = (CATEGORY, DIMENSION, ITEM, "score", "sd", "lower", "upper", "rank", "latent")

OUTCOMES = ("A", "TIE", "B")
"""Allowed outcomes, in the order in which kernels code them: 0, 1, 2."""

DEFAULT_CATEGORY = "all"
DEFAULT_DIMENSION = "overall"
"""Names given where a table has no such column."""
