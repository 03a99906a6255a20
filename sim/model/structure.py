"""The shape of a world, known before any number: who buys from whom, which chip follows which.

Indices count along the axis their name ends in. A structure is hashable, so that a program is compiled once for it;
all numbers are passed at run time. Sums over the small leading axes are chains of additions, which fuse and whose
order is fixed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["Structure", "along_draws", "pick", "place", "sums", "total"]


class Structure(NamedTuple):
    """Index lists of a world's axes; a draw axis never appears here."""

    pair_buyer: tuple[int, ...]
    """Buyer of each pair."""
    pair_supplier: tuple[int, ...]
    """Supplier of each pair."""
    chip_supplier: tuple[int, ...]
    """Supplier of each chip."""
    catalogue: tuple[int, ...]
    """Chip of each catalogue chip."""
    successors: tuple[tuple[int, int], ...]
    """Of each successor: its chip and the chip it follows, which stands before it."""
    retiring: tuple[int, ...]
    """Chip of each line with a date of withdrawal."""
    reported_buyers: tuple[int, ...]
    elicited_buyers: tuple[int, ...]
    direct_buyers: tuple[int, ...]
    reported_suppliers: tuple[int, ...]
    band_suppliers: tuple[int, ...]
    units_suppliers: tuple[int, ...]
    backcast_suppliers: tuple[int, ...]
    buyers: int
    suppliers: int
    chips: int

    @property
    def capex_buyers(self) -> tuple[int, ...]:
        """Buyers with capital expenditure of their own, in the order of the buyer axis."""
        return tuple(sorted(self.reported_buyers + self.elicited_buyers))


def pick(values: Float[Array, "from *draw"], index: Sequence[int]) -> Float[Array, "to *draw"]:
    """Rows of ``values`` in the order of ``index``."""
    return values[jnp.asarray(index, dtype=jnp.int32)] if index else values[:0]


def total(values: Float[Array, "axis *draw"]) -> Float[Array, "*draw"]:
    """Sum over a small leading axis."""
    return sum((values[i] for i in range(1, len(values))), start=values[0])


def sums(values: Float[Array, "from *draw"], groups: Sequence[int], size: int) -> Float[Array, "size *draw"]:
    """Sums of the rows of each of ``size`` groups; ``groups`` names the group of each row."""
    nothing = jnp.zeros_like(values[0])
    members = [[values[i] for i, group in enumerate(groups) if group == wanted] for wanted in range(size)]
    return jnp.stack([sum(rows[1:], start=rows[0]) if rows else nothing for rows in members])


def place(like: Array, *parts: tuple[tuple[int, ...], Array]) -> Array:
    """Rows of several groups put at their indices of one axis, each broadcast to the draws of ``like``."""
    rows = {i: jnp.broadcast_to(values[k], like.shape) for index, values in parts for k, i in enumerate(index)}
    return jnp.stack([rows[i] for i in range(len(rows))])


def along_draws(values: Float[Array, " axis"], like: Float[Array, "*draw"]) -> Float[Array, "axis *#draw"]:
    """Values that are the same in every draw, shaped to broadcast along the draws of ``like``."""
    return values.reshape(values.shape + (1,) * like.ndim)
