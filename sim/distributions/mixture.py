"""Several distributions, one of which holds: each with the probability that it is the one."""

import math
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from pydantic import BeforeValidator, Field
from scipy import special, stats

from sim.distributions.bounded import Beta, Pert, TruncatedNormal
from sim.distributions.ends import Ends, from_line
from sim.distributions.family import Family, Host, Number, Params, Scores, Values, sums_to_one
from sim.distributions.metalog import Metalog
from sim.distributions.plain import Logistic, LogNormal, Normal, Triangular, Uniform
from sim.distributions.tables import REACH
from sim.distributions.tailed import Gamma, StudentT

__all__ = ["Component", "Mixture"]

FEWEST, MOST = 2, 8
"""Components a mixture may have."""
PLACES = 1024
"""Places of a mixture's table, shared by its components."""
STEEPEST = 3.0
"""A cubic that starts and ends at most this many times as steep as its chord never decreases (Fritsch-Carlson)."""
CLOSE = 1e-9
"""Distance of the places beyond a component from its own, as a share of its width."""
HALVINGS = 60

NO_DENSITY = {
    "mixture": "write its components into this one, their weights multiplied",
    "discrete": "use a narrow uniform or normal for each of its values",
    "fixed": "use a narrow uniform or normal",
}
"""Families that no component can be of, and what to write instead."""


def _has_density(given: object) -> object:
    family = given.get("family") if isinstance(given, dict) else getattr(given, "family", None)
    if isinstance(family, str) and family in NO_DENSITY:
        raise ValueError(f"a mixture cannot hold a {family}; {NO_DENSITY[family]}")
    return given


Component = Annotated[
    Uniform | Normal | LogNormal | Logistic | TruncatedNormal | Triangular | Pert | Beta | Gamma | StudentT | Metalog,
    Field(discriminator="family"),
    BeforeValidator(_has_density),
]
"""A family that a mixture may hold: any with a density."""


class Mixture(Family):
    """A mixture of two to eight distributions, for beliefs with more than one mode; ``weights`` are probabilities."""

    family: Literal["mixture"]
    weights: Annotated[tuple[Number, ...], Field(json_schema_extra={"minItems": FEWEST, "maxItems": MOST})]
    components: Annotated[tuple[Component, ...], Field(json_schema_extra={"minItems": FEWEST, "maxItems": MOST})]

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """The weights, their sum brought to 1."""
        count = len(self.components)
        if not FEWEST <= count <= MOST:
            raise ValueError(
                f"a mixture has {FEWEST} to {MOST} components, got {count}; for one write its family itself, "
                "of many join the closest"
            )
        if len(self.weights) != count:
            raise ValueError(f"got {count} components and {len(self.weights)} weights; give as many of each")
        return sums_to_one("weights", self.weights)

    def scaled(self, factor: float) -> Self:
        """Equal distribution in a unit 1 / factor as large. ValueError unless 0 < factor < infinity."""
        components = tuple(component.scaled(factor) for component in self.components)
        return type(self)(family=self.family, weights=self.weights, components=components)

    def _tails(self, x: Host) -> tuple[Host, Host, Host]:
        """Probability below x, probability above x and density at x."""
        parts = [component.tails(x) for component in self.components]
        below, above, density = (
            sum(w * part[k] for w, part in zip(self.natural, parts, strict=True)) for k in range(3)
        )
        return np.asarray(below), np.asarray(above), np.asarray(density)

    def ppf(self, u: Host) -> Host:
        """By halving the interval between the least and the greatest of the components' quantiles."""
        quantiles = np.stack([component.ppf(u) for component in self.components])
        low, high = quantiles.min(axis=0), quantiles.max(axis=0)
        for _ in range(HALVINGS):
            middle = low + (high - low) / 2
            is_less = self._tails(middle)[0] < u
            low, high = np.where(is_less, middle, low), np.where(is_less, high, middle)
        return np.asarray(high)

    def _places(self) -> tuple[Host, Host, Host]:
        """Quantiles of the mixture, their scores and the slopes between: at evenly spaced scores of each component.

        So the table is as fine as each component needs where that one matters, and empty in a gap between two. Places
        just beyond each component carry the slope on the other side of an end where its density stops.
        """
        scores = np.linspace(-REACH, REACH, PLACES // len(self.components) - 2)
        x = np.unique(np.concatenate([_beyond(component.at(scores)) for component in self.components]))
        below, above, density = self._tails(x)
        z = np.where(below < above, special.ndtri(below), -special.ndtri(above))
        first, last = np.sum(z <= -REACH) - 1, np.sum(z < REACH)
        keep = np.isfinite(z)
        keep[keep] = np.diff(z[keep], prepend=-math.inf) > 0
        keep[: max(first, 0)] = keep[last + 1 :] = False
        x, z, density = x[keep], z[keep], density[keep]
        with np.errstate(divide="ignore"):
            return x, z, stats.norm.pdf(z) / density

    def _ends(self, x: Host, z: Host) -> tuple[Ends, float]:
        """Bounds to measure from, a far one left out, with the unit of the line and its zero."""
        supports = np.array([component.support for component in self.components])
        low, high, reach = supports[:, 0].min(), supports[:, 1].max(), x[-1] - x[0]
        low, high = low if low > x[0] - reach else -math.inf, high if high < x[-1] + reach else math.inf
        lower, middle, upper = np.interp([special.ndtri(0.05), 0, special.ndtri(0.95)], z, x)
        if math.isfinite(low):
            return Ends(low, high, 1.0 if math.isfinite(high) else middle - low), 0.0
        return Ends(low, high, high - middle if math.isfinite(high) else (upper - lower) / 2), middle

    def params(self) -> tuple[float, ...]:
        """(five numbers of the ends, zero of the line; by place: score, line, slopes after it and before the next).

        Slopes are those of the line over the whole step; the last place is repeated to fill the table.
        """
        x, z, slope = self._places()
        ends, zero = self._ends(x, z)
        within = (ends.low < x) & (x < ends.high)
        x, z, slope = x[within], z[within], slope[within]
        if ends.are_open:
            line, steepness = np.arcsinh((x - zero) / ends.scale), slope / np.hypot(ends.scale, x - zero)
        else:
            line, steepness = ends.on_line(x), slope * ends.slope(x)
        step, rise = np.diff(z, append=z[-1]), np.diff(line, append=line[-1])
        after = np.minimum(steepness * step, STEEPEST * rise)
        before = np.minimum(np.roll(steepness, -1) * step, STEEPEST * rise)
        table = np.pad(np.stack([z, line, after, before]), ((0, 0), (0, PLACES - len(z))), mode="edge")
        return *ends.params(), zero, *table.ravel().tolist()

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value of the table at z, by the cubic with the known slopes between the two nearest places."""
        y = _read(z, params[6:].reshape(4, PLACES, *params.shape[1:]))
        zero, scale = params[5][..., None], params[4][..., None]
        return from_line(y, zero + scale * jnp.sinh(y), params)


def _beyond(x: Host) -> Host:
    beyond = CLOSE * (x[-1] - x[0])
    return np.concatenate([[x[0] - beyond], x, [x[-1] + beyond]])


def _read(z: Scores, table: Float[jax.Array, "4 place *group"]) -> Values:
    scores, line, after, before = jnp.moveaxis(table, 1, -1)
    search = jnp.vectorize(lambda row, wanted: jnp.searchsorted(row, wanted, side="right"), signature="(k),(n)->(n)")
    left = jnp.clip(search(scores, z) - 1, 0, PLACES - 2)

    def at(rows: Any, index: Any) -> Values:
        return jnp.take_along_axis(rows, index, axis=-1, mode="promise_in_bounds")

    start, end = at(scores, left), at(scores, left + 1)
    low, high, first, last = at(line, left), at(line, left + 1), at(after, left), at(before, left)
    t = jnp.clip((z - start) / jnp.where(end > start, end - start, 1), 0, 1)
    rise = high - low
    return low + t * (first + t * (3 * rise - 2 * first - last + t * (first + last - 2 * rise)))
