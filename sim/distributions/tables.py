"""Quantile functions as tables over evenly spaced scores, built on the host and read on the device."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from sim.distributions.family import Host, Scores, Values

__all__ = ["KNOTS", "REACH", "interpolated", "table_scores"]

REACH = 6.6
"""Tables span scores from -REACH to REACH; a 32-bit uniform reaches 6.34."""
KNOTS = 513
"""Knots of a table, an odd number so that one stands at z = 0."""


def interpolated(z: Scores, table: Float[Array, " knot *group"]) -> Values:
    """Table at z: the cubic through the four nearest knots, found by arithmetic instead of a search.

    Differences from the knot on z's left keep the rounding of the result at that of the table.
    """
    steps = z * ((KNOTS - 1) / (2 * REACH))
    half = KNOTS // 2
    left = jnp.clip(jnp.floor(steps), 1 - half, half - 2)
    x = steps - left
    index = left.astype(jnp.int32) + half
    rows = jnp.moveaxis(table, 0, -1)
    before, start, end, after = (
        jnp.take_along_axis(rows, index + k, axis=-1, mode="promise_in_bounds") for k in (-1, 0, 1, 2)
    )
    before, end, after = before - start, end - start, after - start
    cubic = (after - before) / 6 - end / 2
    square = (before + end) / 2
    linear = end - before / 3 - after / 6
    return start + x * (linear + x * (square + x * cubic))


def table_scores() -> Host:
    """Scores at which tables stand."""
    return np.linspace(-REACH, REACH, KNOTS)
