"""The shape of a world, known before any number: who buys from whom, which chip follows which.

Indices count along the axis their name ends in. A structure is hashable, so that a program is compiled once for it;
all numbers are passed at run time. Sums over the small leading axes are chains of additions, which fuse and whose
order is fixed.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["Structure", "along_draws", "highest", "pick", "pick_some", "place", "stacked", "sums", "total"]


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

    @property
    def first_chips(self) -> tuple[bool, ...]:
        """Whether each chip is the oldest of its supplier."""
        return tuple(supplier not in self.chip_supplier[:chip] for chip, supplier in enumerate(self.chip_supplier))

    @property
    def later_chips(self) -> tuple[tuple[int | None, ...], ...]:
        """Of each chip the one after it in its supplier's line, then the one after that, and so on to the longest."""
        longest = max(self.chip_supplier.count(supplier) for supplier in range(self.suppliers))
        chips = range(self.chips)
        return tuple(
            tuple(
                i + n if i + n in chips and self.chip_supplier[i + n] == self.chip_supplier[i] else None for i in chips
            )
            for n in range(1, longest)
        )


def pick(values: Float[Array, "from *draw"], index: Sequence[int]) -> Float[Array, "to *draw"]:
    """Rows of ``values`` in the order of ``index``."""
    return values[jnp.asarray(index, dtype=jnp.int32)] if index else values[:0]


def pick_some(
    values: Float[Array, "from *draw"], index: Sequence[int | None], otherwise: Float[Array, "#to *#draw"] | float = 0
) -> Float[Array, "to *draw"]:
    """Rows of ``values`` in the order of ``index``, and those of ``otherwise`` where it names none.

    A selection, because a concatenation of rows would keep the loop it is fused into from using vectors.
    """
    rows = pick(values, [i or 0 for i in index])
    there = jnp.asarray([i is not None for i in index])
    return jnp.where(along_draws(there, rows[0]), rows, otherwise) if None in index else rows


def once(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The same values divided by one: XLA's CPU compiler makes a division once, cheaper steps anew for every reader."""
    return values / jnp.where(values < jnp.inf, 1, 2).astype(values.dtype)


def total(values: Float[Array, "axis *draw"]) -> Float[Array, "*draw"]:
    """Sum over a small leading axis."""
    return sum((values[i] for i in range(1, len(values))), start=values[0])


def sums(values: Float[Array, "from *draw"], groups: Sequence[int], size: int) -> Float[Array, "size *draw"]:
    """Sums of the rows of each of ``size`` groups; ``groups`` names the group of each row."""
    first, *rest = (pick_some(values, turn) for turn in _turns(groups, size))
    return sum(rest, start=first)


def highest(values: Float[Array, "from *draw"], groups: Sequence[int], size: int) -> Float[Array, "size *draw"]:
    """The greatest row of each of ``size`` groups, none of them empty."""
    first, *rest = _turns(groups, size)
    greatest = pick_some(values, first)
    for turn in rest:
        greatest = jnp.maximum(greatest, pick_some(values, turn, greatest))
    return greatest


def _turns(groups: Sequence[int], size: int) -> list[list[int | None]]:
    """The first row of each group, the second of each, and so on until all are named; nothing where there is none."""
    members = [[i for i, group in enumerate(groups) if group == wanted] for wanted in range(size)]
    return [[*column] for column in itertools.zip_longest(*members)]


def place(like: Array, *parts: tuple[tuple[int, ...], Array]) -> Array:
    """Rows of several groups put at their indices of one axis, each broadcast to the draws of ``like``."""
    size = sum(len(index) for index, _ in parts)
    placed = jnp.zeros((size, *like.shape), like.dtype)
    for index, values in parts:
        if index:
            where = [index.index(i) if i in index else None for i in range(size)]
            placed = pick_some(jnp.broadcast_to(values, (len(index), *like.shape)), where, placed)
    return placed


def stacked(*rows: Float[Array, "*#shape"]) -> Float[Array, "row *shape"]:
    """Equal arrays side by side on a new leading axis, by selection as in ``pick_some``."""
    result = jnp.broadcast_to(rows[0], (len(rows), *jnp.broadcast_shapes(*(row.shape for row in rows))))
    for i, row in enumerate(rows[1:], start=1):
        there = jnp.asarray([n == i for n in range(len(rows))])
        result = jnp.where(along_draws(there, row), row, result)
    return result


def along_draws(values: Float[Array, " axis"], like: Float[Array, "*draw"]) -> Float[Array, "axis *#draw"]:
    """Values that are the same in every draw, shaped to broadcast along the draws of ``like``."""
    return values.reshape(values.shape + (1,) * like.ndim)
