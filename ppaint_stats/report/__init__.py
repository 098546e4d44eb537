"""Reports: tables, text and figures from one computation, shown in several ways."""

from ppaint_stats.report.files import load_report
from ppaint_stats.report.report import Report

__all__ = ["Report", "load_report"]
