"""Names, units and provenance: a run's statistics as an xarray DataTree with ArviZ's group names."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float32, Float64

from sim.axes import DERIVED, INPUTS, OUTPUTS
from sim.book.schema import Citation, Prior
from sim.cells import Table, by_table, tables
from sim.distributions import Distribution
from sim.history import quarter_span
from sim.reduce import LEVELS, Statistics
from sim.tally import Gauge, Sums
from sim.targets import Exceedance
from sim.world import World

__all__ = ["draws_dataset", "exceedance_dataset", "summary_tree", "sums_dataset", "sums_of"]

ALL = OUTPUTS | DERIVED
PARTLY_MISSING = {name for name, output in ALL.items() if output.forecast_only or output.annual == "ratio"}
"""Outputs that say nothing of some years: before the forecast, or where there is nothing to compare with."""

COUNTED = {
    "counts": ("cell", "bin"),
    **dict.fromkeys(("zero", "missing", "at_low", "at_high"), ("cell",)),
    "passed": ("threshold",),
    "moments": ("limb", "moment", "cell"),
}
"""Dims of the whole numbers that were counted, by their names in ``Sums``."""
EXTREMES = {"low": 1, "high": -1}
"""Extremes, and the sign of the infinity that says that no draw has any."""

Told = tuple[tuple[str, ...], np.ndarray, dict[str, Any]]
"""Dims, values and attributes of a variable: as xarray takes it without aligning its labels with all others'."""


def summary_tree(world: World, found: Statistics, attrs: Mapping[str, Any]) -> xr.DataTree:
    """The summary of a run, read as ``tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027")``.

    Groups: ``prior`` (quantiles of every prior), ``prior_predictive/quarter``, ``/year`` and ``/fiscal_year``
    (quantiles, mean, sd and their Monte Carlo errors of every output), ``observed_data`` (the record known).
    """
    variables: dict[str, dict[str, Told]] = {}
    coords: dict[str, dict[str, Any]] = {}
    by_figure = [by_table(world, np.moveaxis(each, -1, 0)) for each in found]
    for key, table in tables(world).items():
        figures = (np.moveaxis(each[key], -1, 0) if each[key].ndim > 2 else each[key] for each in by_figure)
        variables.setdefault(table.period, {}).update(_variables(table, Statistics(*figures)))
        coords.setdefault(table.period, {"quantile": np.array(LEVELS)}).update(_coords(table))
    datasets = {f"/prior_predictive/{period}": xr.Dataset(told, coords[period]) for period, told in variables.items()}
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=dict(attrs)),
            "/prior": _priors(world),
            **datasets,
            "/observed_data": _observed(world),
        }
    )


def _variables(table: Table, found: Statistics) -> dict[str, Told]:
    """Every statistic of an output, [quantile, label, period] or without quantiles."""
    output, attrs = ALL[table.output], _attrs(table)

    def told(values: np.ndarray, what: str) -> Told:
        named = attrs | {"long_name": f"{what} of {output.long_name}"} if what else attrs
        return ("quantile", *_coords(table))[-values.ndim :], values, named

    return {
        table.output: told(found.quantiles, ""),
        f"{table.output}_error": told(found.quantile_error, "Monte Carlo standard error of the quantile"),
        f"{table.output}_mean": told(found.mean, "mean"),
        f"{table.output}_mean_error": told(found.mean_error, "Monte Carlo standard error of the mean"),
        f"{table.output}_sd": told(found.sd, "standard deviation"),
        f"{table.output}_zero": told(found.zero, "share of draws that are exactly 0"),
    }


def _attrs(table: Table) -> dict[str, Any]:
    """Unit and name of an output, and whether it may be missing."""
    attrs: dict[str, Any] = {"units": ALL[table.output].unit, "long_name": ALL[table.output].long_name}
    return attrs | {"missing_ok": 1} if table.output in PARTLY_MISSING else attrs


def _coords(table: Table) -> dict[str, list[Any]]:
    """Labels and periods of a table by their dims."""
    return {table.dim: list(table.labels), _period_dim(table): _period_labels(table)}


def _period_dim(table: Table) -> str:
    return "time" if table.period == "quarter" else table.period


def _period_labels(table: Table) -> list[Any]:
    """Quarters by their last day; years and fiscal years by name."""
    if table.period != "quarter":
        return list(table.periods)
    return [np.datetime64(quarter_span(quarter)[1], "ns") for quarter in table.periods]


def exceedance_dataset(passed: Sequence[Exceedance]) -> xr.Dataset:
    """Probabilities of passing thresholds, with their Monte Carlo errors."""
    columns = {"probability": "probability of passing the threshold", "error": "its Monte Carlo standard error"}
    return xr.Dataset(
        {
            name: ("threshold", [getattr(each, name) for each in passed], {"units": "1", "long_name": says})
            for name, says in columns.items()
        },
        coords={"threshold": [each.text for each in passed]},
    )


def draws_dataset(world: World, first: int, cells: Float32[np.ndarray, "cell draw"]) -> xr.Dataset:
    """One block of kept draws: every table of the summary before its quantiles, draws last [axis, period, draw]."""
    variables: dict[str, Told] = {}
    coords: dict[str, Any] = {}
    by_key = by_table(world, cells)
    for key, table in tables(world).items():
        own = table
        if table.period == "quarter":
            own = table._replace(dim=f"quarterly_{table.dim}")
        name = f"{table.output}_quarter" if table.period == "quarter" else table.output
        variables[name] = (*_coords(own), "draw"), by_key[key], _attrs(table)
        coords |= _coords(own)
    return xr.Dataset(variables, {**coords, "draw": np.arange(first, first + cells.shape[-1])})


def sums_dataset(sums: Sums, gauge: Gauge) -> xr.Dataset:
    """What was counted of some draws and what it was measured with, exactly; an extreme that no draw has is missing."""
    variables = {name: (dims, getattr(sums, name)) for name, dims in COUNTED.items()}
    for name, sign in EXTREMES.items():
        values = getattr(sums, name)
        variables[name] = ("cell",), np.where(values == sign * np.inf, np.nan, values)
    data = xr.Dataset({**variables, **{name: ("cell", values) for name, values in gauge._asdict().items()}})
    for name in EXTREMES:
        data[name].attrs["missing_ok"] = 1
    return data.assign_attrs(draws=sums.draws)


def sums_of(data: xr.Dataset) -> tuple[Sums, Gauge]:
    """The counts, and what they were measured with, that ``sums_dataset`` was given."""
    found = {name: data[name].values for name in COUNTED}
    for name, sign in EXTREMES.items():
        values = data[name].values
        found[name] = np.where(np.isnan(values), np.float32(sign * np.inf), values)
    return Sums(draws=int(data.attrs["draws"]), **found), Gauge(data["centre"].values, data["spread"].values)


def _priors(world: World) -> xr.Dataset:
    """Quantiles of every prior, in the model's unit, with the key of its sources."""
    axes = world.book.axes
    variables: dict[str, Told] = {}
    for name, prior in sorted(world.book.priors.items()):
        shape = [len(axes[dim]) for dim in prior.dims]
        values = np.array([_quantiles(member) for member in prior.table.values()]).T.reshape(len(LEVELS), *shape)
        variables[name] = ("quantile", *prior.dims), values, _prior_attrs(prior)
    dims = dict.fromkeys(dim for dims, _, _ in variables.values() for dim in dims[1:])
    return xr.Dataset(variables, {"quantile": np.array(LEVELS), **{dim: list(axes[dim]) for dim in dims}})


@functools.lru_cache(maxsize=1 << 14)
def _quantiles(distribution: Distribution) -> Float64[np.ndarray, " quantile"]:
    """Quantiles of a prior at the levels of a summary."""
    return distribution.ppf(np.array(LEVELS))


def _prior_attrs(prior: Prior) -> dict[str, str]:
    cited = [f"{each.cite}: {each.where}" if isinstance(each, Citation) else "judgement" for each in prior.source]
    return {
        "units": INPUTS[prior.name].unit,
        "long_name": prior.about,
        "source": "; ".join(dict.fromkeys(cited)),
        "reasoning": prior.reasoning,
        "as_of": prior.as_of.isoformat(),
    }


def _observed(world: World) -> xr.Dataset:
    """The record that the run starts from, not a number where nothing is reported."""
    record, axes = world.record, world.book.axes
    time = [np.datetime64(quarter_span(quarter)[1], "ns") for quarter in axes["time"]]
    reported = [axes["supplier"].index(name) for name in axes["reported_supplier"]]
    full = record.reported[:, reported] >= 1
    return xr.Dataset(
        {
            "capex": (
                ("time", "reported_buyer"),
                np.where(np.arange(len(time))[:, None] <= record.handover, record.capex, np.nan),
                {"units": "bn USD", "long_name": "reported capital expenditure", "missing_ok": 1},
            ),
            "reported_line": (
                ("time", "reported_supplier"),
                np.where(full, record.line, np.nan),
                {"units": "bn USD", "long_name": "reported revenue line by calendar quarter", "missing_ok": 1},
            ),
        },
        coords={
            "time": time,
            "reported_buyer": list(axes["reported_buyer"]),
            "reported_supplier": list(axes["reported_supplier"]),
        },
    )
