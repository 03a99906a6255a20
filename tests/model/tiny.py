"""Worlds small enough to work by hand, and any array, belief, quarter or state for them.

``STRUCTURE`` has every kind of buyer, supplier and chip once or twice. ``PLAIN`` is two buyers, two suppliers and one
chip each, of which one bn USD buys one H100e, one package area and one PB: money, compute and capacity are one number.
"""

import inspect
import typing

import jax.numpy as jnp
import numpy as np

from sim.axes import CONSTRAINTS, INPUTS, TIERS, WORKLOADS
from sim.model import chips, quarter, workloads
from sim.model.state import Course, Fixed, Known, Setting, State
from sim.model.stock import Stock
from sim.model.structure import Structure

STRUCTURE = Structure(
    pair_buyer=(0, 0, 1, 1, 2, 3, 3, 3),
    pair_supplier=(0, 1, 0, 2, 0, 0, 3, 1),
    chip_supplier=(0, 0, 0, 0, 1, 2, 2, 3),
    catalogue=(0, 1, 3, 4, 5, 6, 7),
    successors=((2, 1),),
    retiring=(3,),
    reported_buyers=(0, 1),
    elicited_buyers=(2,),
    direct_buyers=(3,),
    reported_suppliers=(0,),
    band_suppliers=(1,),
    units_suppliers=(2,),
    backcast_suppliers=(3,),
    buyers=4,
    suppliers=4,
    chips=8,
)

PLAIN = Structure(
    pair_buyer=(0, 0, 1),
    pair_supplier=(0, 1, 0),
    chip_supplier=(0, 1),
    catalogue=(0, 1),
    successors=(),
    retiring=(),
    reported_buyers=(0,),
    elicited_buyers=(),
    direct_buyers=(1,),
    reported_suppliers=(0,),
    band_suppliers=(1,),
    units_suppliers=(),
    backcast_suppliers=(),
    buyers=2,
    suppliers=2,
    chips=2,
)

TIMED = ("time", "year", "season")


def sizes(structure):
    """Members of every axis that an annotation names."""
    of_kind = {
        f"{kind}_{axis}": len(getattr(structure, f"{kind}_{axis}s"))
        for axis, kinds in {
            "buyer": ("reported", "elicited", "direct", "capex"),
            "supplier": ("reported", "band", "units", "backcast"),
        }.items()
        for kind in kinds
    }
    return of_kind | {
        **{"buyer": structure.buyers, "supplier": structure.suppliers, "pair": len(structure.pair_buyer)},
        **{"chip": structure.chips, "catalogue_chip": len(structure.catalogue)},
        **{"successor_chip": len(structure.successors), "retiring_chip": len(structure.retiring)},
        **{"tier": len(TIERS), "workload": len(WORKLOADS), "constraint": len(CONSTRAINTS)},
        **{
            "retiring": len(structure.retiring),
            "from": 4,
            "to": 3,
            "axis": 4,
            "size": 2,
            "*axis": 4,
            "*shape": 4,
            "2": 2,
            "4": 4,
        },
    }


SIZES = sizes(STRUCTURE)


def number(value):
    """An array of the precision the suite runs in."""
    return jnp.asarray(value, dtype=float)


def shape(annotation, draws):
    """Sizes that a jaxtyping annotation asks for, with the draw axis if it has one."""
    dims = annotation.dim_str.split()
    drawn = [dim for dim in dims if dim.endswith("draw")]
    own = tuple(SIZES[dim.removeprefix("#")] for dim in dims if dim not in drawn)
    return own + ((draws,) if drawn and draws else ())


def is_array(annotation):
    return hasattr(annotation, "dim_str")


def is_tuple_of_arrays(annotation):
    return inspect.isclass(annotation) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")


def random_array(annotation, draws, rng):
    size = shape(annotation, draws)
    if "bool" in annotation.dtypes:
        return jnp.asarray(rng.uniform(size=size) < 0.5)
    return number(rng.uniform(0.5, 1.5, size))


def value(name, annotation, draws, rng):
    """An argument of the kind that an annotation names."""
    if is_array(annotation):
        return random_array(annotation, draws, rng)
    if is_tuple_of_arrays(annotation):
        hints = typing.get_type_hints(annotation)
        return annotation(**{field: value(field, hints[field], draws, rng) for field in annotation._fields})
    raise TypeError(f"{name}: {annotation}")


def belief_shapes(structure=STRUCTURE):
    """Shape of every input of the model, cut to one quarter."""
    each = sizes(structure)
    return {name: tuple(each[dim] for dim in wanted.dims if dim not in TIMED) for name, wanted in INPUTS.items()}


def filled_in(structure, given, draws=None):
    """Values by name broadcast to the shape that each input has in a structure."""
    tail = (draws,) if draws else ()
    shapes = {name: (*size, *tail) for name, size in belief_shapes(structure).items()}
    return {name: number(np.broadcast_to(np.asarray(each, float), shapes[name])) for name, each in given.items()}


def beliefs(draws=None, rng=None, **given):
    """Every input of the model cut to one quarter, random, those in ``given`` as told."""
    rng = rng or np.random.default_rng(1)
    tail = (draws,) if draws else ()
    result = {name: number(rng.uniform(0.5, 1.5, (*size, *tail))) for name, size in belief_shapes().items()}
    return result | {name: number(value) for name, value in given.items()}


QUIET = ("drift", "growth", "walk", "shock", "wave", "decline", "error", "beat", "step", "response", "cadence")
"""Parts of the names of what makes a number move."""
SILENT = ("headroom", "cancellation", "spill", "backlog_start", "discipline", "transit", "capex_lead", "cash_cycle")
"""What else is 0 in a still world: buyers order their budgets, all that is shipped is in service."""


def still(structure=STRUCTURE, **given):
    """Beliefs under which nothing moves of itself: no growth, walk, response, limit of cash, networking or wear.

    All other numbers are 1; a value in ``given`` is broadcast to its input's shape.
    """
    found = {name: 1.0 for name in INPUTS}
    found |= {name: 0.0 for name in INPUTS if name in SILENT or any(part in name for part in QUIET)}
    found |= {"ai_share": 0.5, "ai_share_2030": 0.5, "capacity_use": 0.5, "memory_use": 0.5}
    found |= {"attach_share_2030": 0.2 if structure is STRUCTURE else 0.0, "ceiling": 0.5}
    found |= {"launch": 2000.0, "retirement": 2100.0, "performance": 989.0, "performance_8bit": 1979.0}
    found |= {"capex_ceiling": 1e6, "order_cover": 1e6, "lifetime": 1e6, "adoption_midpoint": 1000.0}
    found |= {"training_growth_relaxation": 2.0, "token_growth_relaxation": 2.0}
    return filled_in(structure, found | given)


def known(structure=STRUCTURE, **given):
    """A quarter ahead, ten quarters of twenty from the hand-over, in which nothing is reported, guided or expected."""
    each = sizes(structure)
    buyers, suppliers = np.zeros(each["reported_buyer"]), np.zeros(each["reported_supplier"])
    fields = {
        **{"year": 2028.375, "quarters_ahead": 10, "horizon": 20, "progress": 1, "capex_growth": 1},
        **{"capex": buyers, "line": suppliers, "outlook": suppliers, "cover": np.zeros(structure.suppliers)},
        "reach": buyers + 1,
        "attach": suppliers + (0.2 if structure is STRUCTURE else 0.0),
    } | given
    flags = {"ahead": fields.pop("ahead", True), "guided": fields.pop("guided", buyers > 0)}
    return Known(
        **{name: number(each) for name, each in fields.items()},
        **{name: jnp.asarray(each) for name, each in flags.items()},
    )


def stock(structure=STRUCTURE, installed=0, moving=0, power=0):
    """H100e of each buyer in service, all in the first stage of life, and on the way."""
    on_the_way, stages = np.zeros((2, structure.buyers)), np.zeros((4, 2, structure.buyers))
    on_the_way[0], stages[0, 0], stages[0, 1] = moving, installed, power
    return Stock(moving=number(on_the_way), stages=number(stages))


def state(structure=STRUCTURE, **given):
    """What a quarter is handed: spending 10, 20, 30, .., equal mixes, capacity without end, nothing in service."""
    each = sizes(structure)
    spending = 10 * np.arange(1, structure.buyers + 1)
    fields = {
        **{"intended": spending, "spending": spending, "spending_before": spending, "cash": np.ones(structure.buyers)},
        **{"share_start": np.zeros(each["capex_buyer"]), "share_change": np.zeros(each["capex_buyer"])},
        **{"weight": np.zeros(each["pair"]), "backlog": np.zeros(each["pair"])},
        **{"revenue": np.arange(1, structure.suppliers + 1), "pressure": np.ones(structure.suppliers)},
        **{"capacity": np.full((2, structure.suppliers), 1e6), "installed_start": np.ones(structure.buyers)},
    } | given
    held = fields.pop("stock", stock(structure))
    return State(stock=held, **{name: number(each) for name, each in fields.items()})


def fixed(structure, believed, guided=0.0, year=2025.875):
    """What is fixed within a draw; ``year`` is that of the hand-over."""
    loads = workloads.at_handover(believed)
    growths = np.broadcast_to(np.asarray(guided, float), (len(structure.reported_buyers),))
    return Fixed(
        line_up=chips.generations(structure, believed),
        workloads=loads,
        raw_start=workloads.raw_need(believed, loads, number(year), number(0)),
        guided=number(growths),
    )


def content(believed, structure=STRUCTURE):
    """What a bn USD of each supplier's accelerators holds in the quarter of ``known``."""
    line_up, year = chips.generations(structure, believed), number(2028.375)
    return chips.content(structure, line_up, chips.risen(line_up, year), year)


def only(kind, **given):
    """A named tuple of which a test may read only what is given."""
    return kind(**(dict.fromkeys(kind._fields) | given))


def setting(**given):
    """What a quarter is given, as far as a test says."""
    return only(Setting, **given)


def course(**given):
    """What a quarter came to, as far as a test says."""
    return only(Course, **given)


def step(structure, believed, held, begin, now):
    """One quarter put together from its three parts: the state after it, and its flows."""
    told = quarter.setting(structure, believed, held, chips.risen(held.line_up, now.year), now)
    after, made = quarter.move(structure, believed, held, told, begin, now)
    return after, quarter.flows(structure, believed, told, made, now)
