"""A few values, each with its probability."""

import math
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from pydantic import Field
from scipy import special

from sim.distributions.family import Family, Host, Number, Params, Scores, Values, sums_to_one

__all__ = ["Discrete"]

FEWEST, MOST = 2, 32
"""Values a discrete distribution may have."""


class Discrete(Family):
    """Known values with known probabilities, such as the number of plants that open.

    Its quantile function is a step, so ``from_normal`` is constant between the scores at which it jumps: a small
    change of z changes nothing or everything, and of a correlation it keeps what steps can.
    """

    family: Literal["discrete"]
    values: Annotated[tuple[Number, ...], Field(json_schema_extra={"minItems": FEWEST, "maxItems": MOST})]
    probabilities: Annotated[tuple[Number, ...], Field(json_schema_extra={"minItems": FEWEST, "maxItems": MOST})]

    unitless = frozenset({"family", "probabilities"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """The probabilities, their sum brought to 1."""
        count = len(self.values)
        if not FEWEST <= count <= MOST:
            raise ValueError(f"a discrete has {FEWEST} to {MOST} values, got {count}; for one value use family: fixed")
        if len(self.probabilities) != count:
            raise ValueError(f"got {count} values and {len(self.probabilities)} probabilities; give as many of each")
        for low, high in pairwise(self.values):
            if low >= high:
                raise ValueError(
                    f"values must increase, got {low:g} before {high:g}; write each once, the least first, "
                    "and its probability in the same place"
                )
        return sums_to_one("probabilities", self.probabilities)

    @cached_property
    def _below(self) -> Host:
        """Probability of each value or less, but for the last."""
        return np.cumsum(self.natural)[:-1]

    def ppf(self, u: Host) -> Host:
        """The least value whose probability of it or less is at least u."""
        return np.asarray(self.values)[np.searchsorted(self._below, u, side="left")]

    def params(self) -> tuple[float, ...]:
        """(MOST values, the MOST - 1 scores above which each next one starts), the last value repeated."""
        above = np.cumsum(self.natural[::-1])[-2::-1]
        starts = np.where(self._below < 1 / 2, special.ndtri(self._below), -special.ndtri(above))
        missing = MOST - len(self.values)
        return *self.values, *[self.values[-1]] * missing, *starts.tolist(), *[math.inf] * missing

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = the last whose start lies below z: one of those given, never between them."""
        values, starts = params[:MOST, ..., None], params[MOST:, ..., None]
        value = jnp.broadcast_to(values[0], z.shape)
        for k in range(1, MOST):
            value = jnp.where(z > starts[k - 1], values[k], value)
        return value
