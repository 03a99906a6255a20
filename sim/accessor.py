"""Runs that draw and tabulate themselves: ``tree.chipcast.fan("revenue", supplier="nvidia")``.

Importing this module gives every xarray tree and dataset a ``chipcast``; ``sim.run`` and ``sim.open`` import it. Each
method is a function of this module, which scripts may call as well: ``fan(tree, "revenue", supplier="nvidia")``.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from sim.charts import SOURCES
from sim.errors import BookError
from sim.store import PERIODS, long_table, outputs, period_names, quantile_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame  # type: ignore[import-untyped]

__all__ = ["Accessor", "fan", "long_table", "table"]

Data = xr.DataTree | xr.Dataset
GROUPS = ("posterior_predictive", "prior_predictive")
"""Groups of outputs by kind of period, the first that a run has being its last word."""
REPORTED = {"revenue": ("reported_line", "reported_supplier"), "capex": ("capex", "reported_buyer")}
"""The record of an output and the dim of its labels, by output."""
SUM = {"capex": "reported"}
"""Label of the sum of all that is on record, by output."""


class Chosen(NamedTuple):
    """One output of one label: its quantiles [quantile, period], its kind of period, and what it is of."""

    quantiles: xr.DataArray
    kind: str
    label: str


def fan(
    data: Data, output: str, *, period: str | None = None, title: str = "", log: bool = False, **labels: str
) -> "Figure":
    """Draw an output of one label as a fan chart, with what is reported where the run has it.

    ``period`` is quarter, year or fiscal_year: if not given, the finest there is. BookError: an output, label or kind
    of period that is not there, with the nearest that is.
    """
    from sim import figures

    found = choose(data, output, period, labels)
    attrs = _root(data).attrs
    history = None if found.kind == "fiscal_year" else _history(data, output, found)
    unit = str(found.quantiles.attrs.get("units", ""))
    scale, unit = (100.0, "%") if unit == "1" else (1.0, unit)
    about = str(found.quantiles.attrs.get("long_name", output))
    quantiles = _timed(found).pipe(figures.after, history) * scale
    return figures.fan(
        history,
        quantiles,
        title=title or f"{found.label}: {about}",
        unit=unit + ", by fiscal year" * (found.kind == "fiscal_year") + ", log scale" * log,
        as_of=str(attrs.get("as_of", "")),
        sources=f"{SOURCES}. chipcast run {attrs['run']}" if "run" in attrs else SOURCES,
        scale="log" if log else "linear",
    )


def table(data: Data, output: str, *, period: str | None = None, **labels: str) -> "DataFrame":
    """Quantiles of an output of one label: a row a period, a column a quantile (p01 to p99), in the output's unit.

    BookError: as of ``fan``.
    """
    found = choose(data, output, period, labels).quantiles
    names = [quantile_name(level) for level in found["quantile"].values]
    told = found.assign_coords(quantile=names, period=period_names(found["period"])).rename(output)
    return told.transpose("period", "quantile").to_pandas()


def choose(data: Data, output: str, period: str | None, labels: Mapping[str, str]) -> Chosen:
    """The quantiles of one output, kind of period and label. BookError: there are none."""
    groups = _groups(data)
    known = {kind: group for kind, group in groups.items() if output in outputs(group)}
    if not known:
        names = dict.fromkeys(name for group in groups.values() for name in outputs(group))
        raise _unknown("output", f"no output {output!r}", output, names)
    if period is not None and period not in known:
        raise _unknown("period", f"{output} has no period {period!r}", period, known)
    kind = period or next(iter(known))
    along = outputs(known[kind])[output]
    table = known[kind][output]
    dims = [str(dim) for dim in table.dims if dim not in ("quantile", along)]
    table, label = _of_labels(table, dims, labels)
    return Chosen(table.rename({along: "period"}), kind, label)


def _groups(data: Data) -> dict[str, xr.Dataset]:
    """Groups of outputs by kind of period, the finest first; those of a dataset, or of a node alone, are itself."""
    if isinstance(data, xr.Dataset):
        kinds = {PERIODS[dim] for dim in outputs(data).values()}
        return {kind: data for kind in PERIODS.values() if kind in kinds}
    group = next((data[name] for name in GROUPS if name in data.children), data)
    nodes = [group[kind] for kind in PERIODS.values() if kind in group.children] or [group]
    return {kind: each for node in nodes for kind, each in _groups(node.to_dataset()).items()}


def _of_labels(table: xr.DataArray, dims: list[str], labels: Mapping[str, str]) -> tuple[xr.DataArray, str]:
    """The table at these labels; a dim without one is at its total, or at its only label.

    A dim may be named without what it is limited to: ``buyer`` for ``capex_buyer``.
    """
    given = {dim: key for dim in dims for key in labels if key == dim or dim.endswith(f"_{key}")}
    for key in labels:
        if key not in given.values():
            raise _unknown("dim", f"{table.name} has no {key!r}", key, dims)
    chosen = []
    for dim in dims:
        known = [str(label) for label in table[dim].values]
        label = labels[given[dim]] if dim in given else "total" if "total" in known else ""
        if not label and len(known) > 1:
            raise _unknown("label", f"{table.name} has no total and needs a {dim}", "", known)
        chosen.append(label or known[0])
        if chosen[-1] not in known:
            raise _unknown("label", f"{table.name}: no {dim} {label!r}", label, known)
        table = table.isel({dim: known.index(chosen[-1])}, drop=True)
    return table, ", ".join(chosen)


def _unknown(what: str, problem: str, name: str, known: Iterable[str]) -> BookError:
    """Make the error that names what is nearest; the book's room is a second to import."""
    from sim.book.check import nearest

    return BookError(f"cell-{what}", problem, remedy=nearest(name, known))


def _timed(found: Chosen) -> xr.DataArray:
    """Quantiles with periods that a time axis knows; those of no value left out."""
    names = [name.removeprefix("FY") for name in period_names(found.quantiles["period"])]
    timed = found.quantiles.rename(period="time").assign_coords(time=np.array(names, dtype=object))
    known = timed.load().dropna("time")
    if not known.size:
        raise BookError("cell-period", f"{found.quantiles.name} of {found.label} has no value in any period")
    return known


def _history(data: Data, output: str, found: Chosen) -> xr.DataArray | None:
    """What is on record of an output, by quarter or by whole year, where it is by the output's own labels."""
    from sim import figures

    root = _root(data)
    if not isinstance(root, xr.DataTree) or output not in REPORTED or "observed_data" not in root.children:
        return None
    name, dim = REPORTED[output]
    record = root["observed_data"].to_dataset()[name]
    if found.label == SUM.get(output):
        of_label = record.sum(dim, skipna=False)
    elif found.label in record[dim].values:
        of_label = record.sel({dim: found.label})
    else:
        return None
    known = figures.by_quarter(of_label).dropna("time")
    history = known if found.kind == "quarter" else figures.by_year(known)
    return history if history.size else None


def _root(data: Data) -> Data:
    return data.root if isinstance(data, xr.DataTree) else data


@xr.register_datatree_accessor("chipcast")
@xr.register_dataset_accessor("chipcast")
class Accessor:
    """What a run's tree, or one of its groups, shows of itself."""

    def __init__(self, data: Data) -> None:
        self._data = data

    def fan(
        self, output: str, *, period: str | None = None, title: str = "", log: bool = False, **labels: str
    ) -> "Figure":
        """Draw an output of one label as a fan chart: ``fan("revenue", supplier="nvidia")``."""
        return fan(self._data, output, period=period, title=title, log=log, **labels)

    def table(self, output: str, *, period: str | None = None, **labels: str) -> "DataFrame":
        """Tabulate the quantiles of an output of one label, by period."""
        return table(self._data, output, period=period, **labels)

    def to_dataframe(self) -> "DataFrame":
        """Give every output as one long table: a row for each label and period, figures and their errors across."""
        return long_table(self._data)
