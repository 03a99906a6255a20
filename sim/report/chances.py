"""How likely thresholds are to be passed: those that a run counted, and why the shipped ones are worth knowing."""

from dataclasses import dataclass

import xarray as xr

from sim import headline, targets
from sim.world import World

__all__ = ["Chance", "chances"]


@dataclass(frozen=True)
class Chance:
    """How likely a threshold is to be passed [1], the Monte Carlo standard error of that, and why it is asked."""

    threshold: str
    probability: float
    error: float
    about: str


def chances(world: World, tree: xr.DataTree) -> tuple[Chance, ...]:
    """The thresholds that a run counted, those that it was asked for first."""
    abouts = {each.text: each.about for each in targets.defaults(world)}
    return tuple(
        Chance(each["threshold"], each["probability"], each["error"], abouts.get(each["threshold"], ""))
        for each in headline.exceedances(tree)
    )
