"""Pictures of a comparison, and the HTML report: one file that needs no network."""

from edgewise.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
