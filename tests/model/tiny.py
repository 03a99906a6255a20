"""A world small enough to work by hand: every kind of buyer, supplier and chip once or twice, and any array for it."""

import inspect
import typing

import jax.numpy as jnp
import numpy as np

from sim.axes import INPUTS
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

SIZES = {
    **{"buyer": 4, "reported_buyer": 2, "elicited_buyer": 1, "direct_buyer": 1, "capex_buyer": 3},
    **{"supplier": 4, "reported_supplier": 1, "band_supplier": 1, "units_supplier": 1, "backcast_supplier": 1},
    **{"chip": 8, "catalogue_chip": 7, "successor_chip": 1, "retiring_chip": 1, "retiring": 1, "pair": 8},
    **{"workload": 3, "from": 4, "to": 3, "axis": 4, "size": 2, "*axis": 4, "2": 2, "4": 4},
}
TIMED = ("time", "year", "season")


def number(value):
    """An array of the precision the suite runs in."""
    return jnp.asarray(value, dtype=float)


def shape(annotation, draws):
    """Sizes that a jaxtyping annotation asks for, with the draw axis if it has one."""
    dims = annotation.dim_str.split()
    drawn = [dim for dim in dims if dim.endswith("draw")]
    own = tuple(SIZES[dim] for dim in dims if dim not in drawn)
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


def beliefs(draws=None, rng=None, **given):
    """Every input of the model cut to one quarter, random or 1, those in ``given`` as told."""
    rng = rng or np.random.default_rng(1)
    result = {}
    for name, wanted in INPUTS.items():
        size = tuple(SIZES[dim] for dim in wanted.dims if dim not in TIMED) + ((draws,) if draws else ())
        result[name] = number(rng.uniform(0.5, 1.5, size))
    return result | {name: number(value) for name, value in given.items()}


def value(name, annotation, draws, rng):
    """An argument of the kind that an annotation names."""
    if is_array(annotation):
        return random_array(annotation, draws, rng)
    if is_tuple_of_arrays(annotation):
        hints = typing.get_type_hints(annotation)
        return annotation(**{field: value(field, hints[field], draws, rng) for field in annotation._fields})
    raise TypeError(f"{name}: {annotation}")
