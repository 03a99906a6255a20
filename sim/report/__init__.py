"""A report of runs that can be sent to a reader: one self-contained HTML file, or the same on paper."""

from sim.report.contents import Contents, contents
from sim.report.html import html
from sim.report.pdf import pdf
from sim.report.words import LANGUAGES, words

__all__ = ["LANGUAGES", "Contents", "contents", "html", "pdf", "words"]
