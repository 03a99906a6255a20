"""The reports' published figures, computed with the model's own functions and checked against the printed digits.

table (YAML) -> ``book`` (typed, frozen) -> ``cases`` (equations on the table's inputs) -> ``rows`` (statuses).
"""

from sim.replicate.book import ReplicationBook, read_book
from sim.replicate.rows import Row, as_json, count, replicate, table

__all__ = ["ReplicationBook", "Row", "as_json", "count", "read_book", "replicate", "table"]
