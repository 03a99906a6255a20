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
from sim.targets import Exceedance
from sim.world import World

__all__ = ["draws_dataset", "summary_tree"]

ALL = OUTPUTS | DERIVED
PARTLY_MISSING = {name for name, output in ALL.items() if output.forecast_only or output.annual == "ratio"}
"""Outputs that say nothing of some years: before the forecast, or where there is nothing to compare with."""


def summary_tree(world: World, found: Statistics, attrs: Mapping[str, Any]) -> xr.DataTree:
    """The summary of a run, read as ``tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027")``.

    Groups: ``prior`` (quantiles of every prior), ``prior_predictive/quarter``, ``/year`` and ``/fiscal_year``
    (quantiles, mean, sd and their Monte Carlo errors of every output), ``observed_data`` (the record known).
    """
    groups: dict[str, dict[str, xr.DataArray]] = {}
    by_figure = [by_table(world, np.moveaxis(each, -1, 0)) for each in found]
    for key, table in tables(world).items():
        figures = (np.moveaxis(each[key], -1, 0) if each[key].ndim > 2 else each[key] for each in by_figure)
        groups.setdefault(table.period, {}).update(_variables(table, Statistics(*figures)))
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
    arrays = {}
    by_key = by_table(world, cells)
    for key, table in tables(world).items():
        values = by_key[key]
        name = table.output if table.period != "quarter" else f"{table.output}_quarter"
        period = "time" if table.period == "quarter" else table.period
        dim = f"quarterly_{table.dim}" if table.period == "quarter" else table.dim
        attrs: dict[str, Any] = {"units": ALL[table.output].unit, "long_name": ALL[table.output].long_name}
        if table.output in PARTLY_MISSING:
            attrs["missing_ok"] = 1
        arrays[name] = xr.DataArray(
            values,
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
        values = np.array([_quantiles(member) for member in prior.table.values()]).T.reshape(len(levels), *shape)
        arrays[name] = xr.DataArray(
            values,
            dims=("quantile", *prior.dims),
            coords={"quantile": levels, **{dim: list(axes[dim]) for dim in prior.dims}},
            attrs=_prior_attrs(prior),
        )
    return xr.Dataset(arrays)


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
