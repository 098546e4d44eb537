"""Reading judgments from files, dataframes and study folders."""

from ppaint_stats.io.read import read_study
from ppaint_stats.io.reshape import counts_to_preferences, melt_ratings

__all__ = ["counts_to_preferences", "melt_ratings", "read_study"]
