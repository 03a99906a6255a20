"""Names, units and provenance: a run's statistics as an xarray DataTree with ArviZ's group names."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from sim.axes import DERIVED, INPUTS, OUTPUTS
from sim.book.schema import Citation, Prior
from sim.history import quarter_span
from sim.reduce import LEVELS, Cells, Statistics, Table, tables
from sim.world import World

__all__ = ["draws_dataset", "summary_tree"]

ALL = OUTPUTS | DERIVED
PARTLY_MISSING = {name for name, output in ALL.items() if output.forecast_only or output.annual == "ratio"}
"""Outputs that say nothing of some years: before the forecast, or where there is nothing to compare with."""


def summary_tree(
    world: World, found: Iterable[tuple[tuple[str, str], Statistics]], attrs: Mapping[str, Any]
) -> xr.DataTree:
    """The summary of a run, read as ``tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027")``.

    Groups: ``prior`` (quantiles of every prior), ``prior_predictive/quarter``, ``/year`` and ``/fiscal_year``
    (quantiles, mean, sd and their Monte Carlo errors of every output), ``observed_data`` (the record known).
    """
    known = tables(world)
    groups: dict[str, dict[str, xr.DataArray]] = {}
    for key, statistics in found:
        groups.setdefault(key[0], {}).update(_variables(known[key], statistics))
    datasets = {f"/prior_predictive/{period}": xr.Dataset(members) for period, members in groups.items()}
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=dict(attrs)),
            "/prior": _priors(world),
            **datasets,
            "/observed_data": _observed(world),
        }
    )


def _variables(table: Table, found: Statistics) -> dict[str, xr.DataArray]:
    output = ALL[table.output]
    period = "time" if table.period == "quarter" else table.period
    coords = {"quantile": list(LEVELS), table.dim: list(table.labels), period: _period_labels(table)}
    attrs: dict[str, Any] = {"units": output.unit, "long_name": output.long_name}
    if table.output in PARTLY_MISSING:
        attrs["missing_ok"] = 1

    def array(values: np.ndarray, what: str) -> xr.DataArray:
        dims = ("quantile", table.dim, period)[-values.ndim :]
        named = attrs | {"long_name": f"{what} of {output.long_name}"} if what else attrs
        return xr.DataArray(values, dims=dims, coords={dim: coords[dim] for dim in dims}, attrs=named)

    return {
        table.output: array(found.quantiles, ""),
        f"{table.output}_error": array(found.quantile_error, "Monte Carlo standard error of the quantile"),
        f"{table.output}_mean": array(found.mean, "mean"),
        f"{table.output}_mean_error": array(found.mean_error, "Monte Carlo standard error of the mean"),
        f"{table.output}_sd": array(found.sd, "standard deviation"),
        f"{table.output}_zero": array(found.zero, "share of draws that are exactly 0"),
    }


def _period_labels(table: Table) -> list[Any]:
    """Quarters by their last day; years and fiscal years by name."""
    if table.period != "quarter":
        return list(table.periods)
    return [np.datetime64(quarter_span(quarter)[1], "ns") for quarter in table.periods]


def draws_dataset(world: World, first: int, cells: Cells) -> xr.Dataset:
    """One block of kept draws: every table of the summary before its quantiles, draws last [axis, period, draw]."""
    known = tables(world)
    arrays = {}
    for key, values in cells.items():
        table = known[key]
        name = table.output if table.period != "quarter" else f"{table.output}_quarter"
        period = "time" if table.period == "quarter" else table.period
        dim = f"quarterly_{table.dim}" if table.period == "quarter" else table.dim
        attrs: dict[str, Any] = {"units": ALL[table.output].unit, "long_name": ALL[table.output].long_name}
        if table.output in PARTLY_MISSING:
            attrs["missing_ok"] = 1
        arrays[name] = xr.DataArray(
            values.astype(np.float32),
            dims=(dim, period, "draw"),
            coords={
                dim: list(table.labels),
                period: _period_labels(table),
                "draw": np.arange(first, first + values.shape[-1]),
            },
            attrs=attrs,
        )
    return xr.merge([array.to_dataset(name=name) for name, array in arrays.items()], join="outer")


def _priors(world: World) -> xr.Dataset:
    """Quantiles of every prior, in the model's unit, with the key of its sources."""
    axes = world.book.axes
    levels = np.array(LEVELS)
    arrays = {}
    for name, prior in sorted(world.book.priors.items()):
        shape = [len(axes[dim]) for dim in prior.dims]
        each = {member: member.ppf(levels) for member in dict.fromkeys(prior.table.values())}
        values = np.array([each[member] for member in prior.table.values()]).T.reshape(len(levels), *shape)
        arrays[name] = xr.DataArray(
            values,
            dims=("quantile", *prior.dims),
            coords={"quantile": levels, **{dim: list(axes[dim]) for dim in prior.dims}},
            attrs=_prior_attrs(prior),
        )
    return xr.Dataset(arrays)


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
