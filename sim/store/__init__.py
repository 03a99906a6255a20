"""Runs on disk: the layout, the safe publish, and reading back only what is whole."""

from sim.store.exports import FORMATS, to_netcdf, to_parquet
from sim.store.long import PERIODS, long_table, outputs, period_names, quantile_name
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
    "FORMATS",
    "FORMAT_VERSION",
    "PERIODS",
    "Leftover",
    "Range",
    "Request",
    "Writing",
    "committed",
    "drop_links",
    "gc",
    "joining",
    "list_runs",
    "long_table",
    "made_of",
    "open_run",
    "outputs",
    "period_names",
    "publish",
    "quantile_name",
    "read_commit",
    "read_record",
    "read_request",
    "refuse_foreign",
    "run_folder",
    "run_id",
    "run_record",
    "to_csv",
    "to_netcdf",
    "to_parquet",
    "told_request",
    "verify",
    "write_report",
    "writing",
]
