"""Runs on disk: the layout, the safe publish, and reading back only what is whole."""

from sim.store.publish import publish, refuse_foreign, write_report
from sim.store.records import FORMAT_VERSION, run_id
from sim.store.runs import list_runs, open_run, read_commit, read_record, run_folder, verify
from sim.store.tables import to_csv

__all__ = [
    "FORMAT_VERSION",
    "list_runs",
    "open_run",
    "publish",
    "read_commit",
    "read_record",
    "refuse_foreign",
    "run_folder",
    "run_id",
    "to_csv",
    "verify",
    "write_report",
]
