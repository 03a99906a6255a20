"""The posterior as groups of a DataTree with ArviZ's names, beside those of the run that was conditioned."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64

from sim import label
from sim.axes import INPUTS
from sim.conditioning.observations import Observation
from sim.conditioning.sample import Sample, moments, moved, statistics
from sim.conditioning.weights import FEW, Weighing
from sim.ensemble import Quantity
from sim.world import World

__all__ = ["Fit", "posterior_tree"]


class Fit(NamedTuple):
    """The observations, what the draws make of them before and after, and how well the posterior is known."""

    observations: Sequence[Observation]
    quantities: Sequence[Quantity]
    before: Float64[np.ndarray, "quantity draw"]
    after: Float64[np.ndarray, "quantity particle"]
    weights: Float64[np.ndarray, " particle"]
    weighing: Weighing
    """How the prior's draws were weighted, also where that was not enough."""
    effective: float
    tempering: Mapping[str, Any]
    """Stages and acceptance; empty where the prior's draws were enough."""

    @property
    def warning(self) -> str:
        """What every figure has to say of itself, or nothing."""
        if self.effective < FEW:
            return f"rough: only {self.effective:.0f} effective draws, of {FEW} or more for a fair figure"
        if not self.tempering and self.weighing.shape > self.weighing.fair:
            return f"rough: Pareto k {self.weighing.shape:.2f} is above {self.weighing.fair:.2f}, few draws decide"
        return ""

    @property
    def attrs(self) -> dict[str, Any]:
        """Method and diagnostics for the root of the tree."""
        shape = self.weighing.shape
        return {
            "method": "tempering" if self.tempering else "weights",
            "effective_draws": round(self.effective, 1),
            "weighted_effective_draws": round(self.weighing.effective, 1),
            "pareto_k": round(shape, 3) if math.isfinite(shape) else "infinite",
            **self.tempering,
            "warning": self.warning,
        }


def posterior_tree(world: World, before: Sample, after: Sample, fit: Fit, attrs: Mapping[str, Any]) -> xr.DataTree:
    """A run's summary from its draws, with ``posterior``, ``posterior_predictive/*`` and the observations added."""
    trees = [
        label.summary_tree(world, statistics(each.cells, each.weights, each.effective), attrs)
        for each in (before, after)
    ]
    tree = trees[0]
    tree["posterior"] = xr.DataTree(_marked(_beliefs(world, after, tree["prior"].to_dataset()), fit.warning))
    tree["posterior/moved"] = xr.DataTree(_marked(_moved(world, before, after), fit.warning))
    for period, node in trees[1]["prior_predictive"].children.items():
        tree[f"posterior_predictive/{period}"] = xr.DataTree(_marked(node.to_dataset(), fit.warning))
    tree["observed_data/observations"] = xr.DataTree(_observations(fit))
    return tree


def _marked(data: xr.Dataset, warning: str) -> xr.Dataset:
    """The dataset with a warning on each of its figures, if there is one."""
    if warning:
        for variable in data.data_vars.values():
            variable.attrs["warning"] = warning
    return data


def _beliefs(world: World, after: Sample, prior: xr.Dataset) -> xr.Dataset:
    """Quantiles of every prior after the observations, as the group ``prior`` has those before."""
    found = statistics(after.values, after.weights, after.effective).quantiles
    variables, start = {}, 0
    for name, shape in world.shapes.items():
        if name not in prior:  # an axis without labels
            continue
        here = slice(start, start + math.prod(shape))
        variables[name] = prior[name].dims, found[:, here].reshape((len(found), *shape)), dict(prior[name].attrs)
        start = here.stop
    return xr.Dataset(variables, coords=prior.coords)


def _moved(world: World, before: Sample, after: Sample) -> xr.Dataset:
    """Mean and standard deviation of every single belief before and after, one after another, and how far it moved."""
    change = moved(before, after)
    columns = {
        "mean_before": (change.mean_before, "mean before, in the belief's unit"),
        "sd_before": (change.sd_before, "standard deviation before"),
        "mean": (change.mean, "mean after"),
        "sd": (change.sd, "standard deviation after"),
        "shift": (change.shift, "change of the mean in standard deviations before"),
        "shift_error": (change.ratio / math.sqrt(after.effective), "Monte Carlo standard error of the shift"),
        "sd_ratio": (change.ratio, "standard deviation after over before"),
    }
    priors = world.book.priors
    labels = [(name, each) for name in INPUTS if name in priors for each in priors[name].table]
    units = np.array([INPUTS[name].unit for name, _ in labels])
    return xr.Dataset(
        {name: ("belief", values, {"long_name": says}) for name, (values, says) in columns.items()}
        | {"unit": ("belief", units, {"long_name": "unit of the belief"})},
        coords={"belief": [f"{name}[{','.join(each)}]" if each else name for name, each in labels]},
    )


def _observations(fit: Fit) -> xr.Dataset:
    """The observations, and what the draws make of them before and after."""
    flat = np.full(fit.before.shape[1], 1 / fit.before.shape[1])
    mean, sd = moments(fit.before, flat)
    mean_after, sd_after = moments(fit.after, fit.weights)
    value, error = (np.array([getattr(each, name) for each in fit.observations]) for name in ("value", "error"))
    columns: dict[str, tuple[np.ndarray, str]] = {
        "value": (value, "value observed, in the unit of its metric"),
        "error": (error, "its standard error"),
        "mean_before": (mean, "mean of the draws before"),
        "sd_before": (sd, "their standard deviation"),
        "mean_after": (mean_after, "mean of the draws after"),
        "sd_after": (sd_after, "their standard deviation"),
        "surprise": ((value - mean) / np.hypot(sd, error), "value less mean before, over the sd of both"),
        "unit": (np.array([each.declared.unit for each in fit.quantities]), "unit of the metric"),
    }
    names = [str(each) for each in fit.observations]
    return xr.Dataset(
        {name: ("observation", values, {"long_name": says}) for name, (values, says) in columns.items()},
        coords={"observation": names},
    )
