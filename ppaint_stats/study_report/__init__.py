"""The report of a whole study: one page that can be sent, read on any screen, and printed."""

from ppaint_stats.study_report.build import report_study
from ppaint_stats.study_report.document import StudyReport
from ppaint_stats.study_report.section import Section

__all__ = ["Section", "StudyReport", "report_study"]
