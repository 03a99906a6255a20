"""Chips: which generations a supplier sells, at what price, and what a dollar buys (equations 4 and 5)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from sim.model.constants import H100_8BIT_TFLOPS, H100_TFLOPS, PRICE_YEAR
from sim.model.structure import Structure, pick_some, stacked, sums

__all__ = ["Content", "Generations", "content", "generations", "price", "ramp", "revenue_share"]


class Generations(NamedTuple):
    """What is fixed for a chip within a draw, over the chips of all suppliers."""

    launch: Float[Array, "chip *draw"]  # decimal year of first volume
    ramp: Float[Array, "chip *draw"]  # years to the full share
    ceiling: Float[Array, "chip *draw"]  # share at the peak
    retirement: Float[Array, "chip *draw"]  # decimal year of withdrawal; infinite without one
    performance: Float[Array, "chip *draw"]  # dense 16-bit TFLOP/s a unit
    performance_8bit: Float[Array, "chip *draw"]  # dense 8-bit TFLOP/s a unit
    price: Float[Array, "chip *draw"]  # first-year price, bn USD / M unit
    decline: Float[Array, "chip *draw"]  # fall of the log price a year
    power: Float[Array, "chip *draw"]  # system W a unit
    area: Float[Array, "chip *draw"]  # packaging area a unit
    memory: Float[Array, "chip *draw"]  # GB of HBM a unit


class Content(NamedTuple):
    """What one bn USD of a supplier's accelerators holds in one quarter."""

    units: Float[Array, "chip *draw"]  # M unit of each chip / bn USD of its supplier
    h100e: Float[Array, "supplier *draw"]  # M H100e / bn USD, 16-bit
    h100e8: Float[Array, "supplier *draw"]  # M H100e / bn USD, 8-bit
    power: Float[Array, "supplier *draw"]  # MW / bn USD
    made: Float[Array, "2 supplier *draw"]  # M package areas and PB of HBM / bn USD


def generations(structure: Structure, beliefs: dict[str, Array]) -> Generations:
    """All chips of a draw: the catalogue as believed, successors as multiples of the chip they follow (equation 4).

    launch = launch_before + cadence,  performance = performance_before * multiple,  likewise price and power
    """

    def extend(catalogue: Array, step: Array, product: bool) -> Array:
        rows: dict[int, Array] = {chip: catalogue[i] for i, chip in enumerate(structure.catalogue)}
        for i, (chip, before) in enumerate(structure.successors):
            rows[chip] = rows[before] * step[i] if product else rows[before] + step[i]
        return jnp.stack([rows[chip] for chip in range(structure.chips)])

    withdrawn = [structure.retiring.index(i) if i in structure.retiring else None for i in range(structure.chips)]
    never = jnp.full_like(beliefs["ramp"], jnp.inf)
    same_area = jnp.ones_like(beliefs["successor_price"])
    return Generations(
        launch=extend(beliefs["launch"], beliefs["successor_cadence"], product=False),
        ramp=beliefs["ramp"],
        ceiling=beliefs["ceiling"],
        retirement=pick_some(beliefs["retirement"], withdrawn, jnp.inf) if structure.retiring else never,
        performance=extend(beliefs["performance"], beliefs["successor_performance"], product=True),
        performance_8bit=extend(beliefs["performance_8bit"], beliefs["successor_performance_8bit"], product=True),
        price=extend(beliefs["price"], beliefs["successor_price"], product=True),
        decline=beliefs["price_decline"],
        power=extend(beliefs["system_power"], beliefs["successor_power"], product=True),
        area=extend(beliefs["package_area"], same_area, product=True),
        memory=extend(beliefs["memory"], beliefs["successor_memory"], product=True),
    )


def ramp(year: Float[Array, ""], start: Float[Array, "*axis"], length: Float[Array, "*axis"]) -> Float[Array, "*axis"]:
    """S-shaped rise from 0 at ``start`` to 1 after ``length`` years [1] (equation 4).

        x = clip((year - start) / length, 0, 1),  ramp = x^2 (3 - 2x)

    Exactly 0 before the start, so that a chip not yet launched ships nothing.
    """
    x = jnp.clip((year - start) / length, 0, 1)
    return x * x * (1 + 2 * (1 - x))


def risen(chips: Generations, year: Float[Array, ""]) -> Float[Array, "chip *draw"]:
    """How far each chip has come at mid-quarter, against the older ones of its supplier [1] (equation 4).

        risen = ceiling * ramp

    A line that is withdrawn falls along the same ramp, mirrored, from its date of retirement.
    """
    return chips.ceiling * ramp(year, chips.launch, chips.ramp) * (1 - ramp(year, chips.retirement, chips.ramp))


def revenue_share(structure: Structure, risen: Float[Array, "chip *draw"]) -> Float[Array, "chip *draw"]:
    """Share of each chip in its supplier's accelerator revenue at mid-quarter [1]; they sum to 1 (equation 4).

    w_k = r_k * prod_{j > k} (1 - r_j),  r = risen,  r_0 = 1
    """
    share = pick_some(risen, [None if first else chip for chip, first in enumerate(structure.first_chips)], 1)
    for later in structure.later_chips:
        share = share * (1 - pick_some(risen, later))
    return share


def price(chips: Generations, year: Float[Array, ""]) -> Float[Array, "chip *draw"]:
    """Selling price of each chip [bn USD / M unit] (equation 5).

    price = first price * exp(-decline * age),  age = years since launch or since 2022, whichever is later
    """
    age = jnp.maximum(year - jnp.maximum(chips.launch, PRICE_YEAR), 0)
    return chips.price * jnp.exp(-chips.decline * age)


def content(
    structure: Structure, chips: Generations, risen: Float[Array, "chip *draw"], year: Float[Array, ""]
) -> Content:
    """What one bn USD of each supplier's accelerators holds: revenue-weighted means over its generations (equation 4).

    units_k = w_k / price_k,  h100e = sum_k units_k * performance_k / 989, and so on
    """
    units = revenue_share(structure, risen) / price(chips, year)

    def per_supplier(each: Array) -> Array:
        return sums(units * each, structure.chip_supplier, structure.suppliers)

    return Content(
        units=units,
        h100e=per_supplier(chips.performance / H100_TFLOPS),
        h100e8=per_supplier(chips.performance_8bit / H100_8BIT_TFLOPS),
        power=per_supplier(chips.power),
        made=stacked(per_supplier(chips.area), per_supplier(chips.memory)),
    )
