"""Runs on disk: the layout, the safe publish, and reading back only what is whole."""

from sim.store.publish import Writing, drop_links, joining, publish, refuse_foreign, write_report, writing
from sim.store.records import FORMAT_VERSION, Range, Request, made_of, run_id, run_record
from sim.store.runs import (
    COMMIT,
    committed,
    list_runs,
    open_run,
    read_commit,
    read_record,
    read_request,
    run_folder,
    told_request,
    verify,
)
from sim.store.tables import to_csv
from sim.store.tidy import Leftover, gc

__all__ = [
    "COMMIT",
    "FORMAT_VERSION",
    "Leftover",
    "Range",
    "Request",
    "Writing",
    "committed",
    "drop_links",
    "gc",
    "joining",
    "list_runs",
    "made_of",
    "open_run",
    "publish",
    "read_commit",
    "read_record",
    "read_request",
    "refuse_foreign",
    "run_folder",
    "run_id",
    "run_record",
    "to_csv",
    "told_request",
    "verify",
    "write_report",
    "writing",
]
