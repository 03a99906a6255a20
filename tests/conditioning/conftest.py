"""One ensemble of the book of February 2025: what was disclosed of early 2025, and figures of late 2025."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from sim import forecast
from sim.book.load import priors_folder
from sim.conditioning import Observation, read
from sim.conditioning.observations import quantities
from sim.ensemble import Quantity, ensemble, quantity
from sim.world import World

DRAWS = 8_192
CAPEX = ("microsoft", "alphabet", "amazon", "meta")
LATER = (
    *(f"capex[{buyer},{quarter}]" for quarter in ("2025Q3", "2025Q4") for buyer in CAPEX),
    *("line[nvidia,FY26Q3]", "line[nvidia,FY26Q4]"),
)

BELIEFS = ("guidance_beat[alphabet]", "guidance_beat[microsoft]", "price[b200]", "supply_response")


class Vintage(NamedTuple):
    """A world, the shipped observations, their quantities in every draw, and figures of later quarters."""

    world: World
    observations: list[Observation]
    wanted: list[Quantity]
    drawn: np.ndarray
    later: np.ndarray
    beliefs: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The observations of early 2025 that are shipped."""
    return priors_folder() / "observations" / "2025H1.csv"


@pytest.fixture(scope="session")
def vintage(shipped: Path) -> Vintage:
    """Draws of the book of 12 February 2025. Tests only read them."""
    world, observations = forecast.load("2025-02-12"), read(shipped)
    wanted = quantities(world, observations)
    later = [quantity(world, text) for text in LATER]
    found = ensemble(world, [*wanted, *later], draws=DRAWS, seed=1, beliefs=True)
    streams = [entry.stream for entry in world.entries]
    beliefs = {name: found.beliefs[streams.index(name)] for name in BELIEFS}
    drawn = found.quantities
    return Vintage(world, observations, wanted, drawn[: len(wanted)], drawn[len(wanted) :], beliefs)
