"""Reports: tables, text and figures from one computation, shown in several ways."""

from ppaint_stats.report.report import Report

__all__ = ["Report"]
