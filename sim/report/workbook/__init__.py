"""A report as an Excel workbook: a summary, charts drawn by Excel itself, and tables to filter and pivot."""

from sim.report.workbook.made import workbook

__all__ = ["workbook"]
