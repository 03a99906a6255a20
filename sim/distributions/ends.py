"""Values between bounds as values on the whole line and back, so that one formula serves any set of bounds."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from sim.distributions.family import Host, Params, Values, from_nearer

__all__ = ["Ends", "from_line"]


class Ends(NamedTuple):
    """Bounds, infinite where there is none, and the distance from a single bound that counts as 1.

    y = log((x - low) / (high - x))    between two bounds
    y = log((x - low) / scale)         above one
    y = -log((high - x) / scale)       below one
    y = x                              without any
    """

    low: float = -math.inf
    high: float = math.inf
    scale: float = 1.0

    @property
    def are_open(self) -> bool:
        """Whether there is no bound."""
        return math.isinf(self.low) and math.isinf(self.high)

    def on_line(self, x: Host) -> Host:
        """The y of values inside the bounds."""
        if self.are_open:
            return x
        below = 0.0 if math.isinf(self.low) else np.log(x - self.low)
        above = 0.0 if math.isinf(self.high) else np.log(self.high - x)
        return np.asarray(below - above - self._shift)

    def slope(self, x: Host) -> Host:
        """Derivative dy / dx at values inside the bounds."""
        return np.ones_like(x) if self.are_open else 1 / (x - self.low) + 1 / (self.high - x)

    def off_line(self, y: Host) -> Host:
        """The values of y."""
        if self.are_open:
            return y
        if math.isinf(self.high):
            return self.low + self.scale * np.exp(y)
        if math.isinf(self.low):
            return self.high - self.scale * np.exp(-y)
        share = (self.high - self.low) / (1 + np.exp(np.abs(y)))
        return np.where(y < 0, self.low + share, self.high - share)

    @property
    def _shift(self) -> float:
        if math.isinf(self.high):
            return math.log(self.scale)
        return -math.log(self.scale) if math.isinf(self.low) else 0.0

    def params(self) -> tuple[float, ...]:
        """Five numbers for ``from_line``: whether there is a lower bound and an upper one, the bounds, the scale."""
        low, high = (0.0 if math.isinf(bound) else bound for bound in (self.low, self.high))
        return float(math.isfinite(self.low)), float(math.isfinite(self.high)), low, high, self.scale


def from_line(y: Values, without: Values, ends: Params) -> Values:
    """Value of y, ``without`` where there is no bound; the first ``ends`` are ``Ends.params()``."""
    is_low, is_high, low, high, scale = ends[:5, ..., None]
    odds = jnp.exp(-jnp.abs(y))
    between = from_nearer(y, low, high, (high - low) * (odds / (1 + odds)))
    one = jnp.where(is_low == 1, low + scale * jnp.exp(y), high - scale * jnp.exp(-y))
    return jnp.where(is_low + is_high == 0, without, jnp.where(is_low == is_high, between, one))
