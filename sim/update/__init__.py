"""A new quarter's figures: cited rows checked against the record, scored, and what they move."""

from sim.update.review import Review, as_json, review, table
from sim.update.rows import Checked, check, write

__all__ = ["Checked", "Review", "as_json", "check", "review", "table", "write"]
