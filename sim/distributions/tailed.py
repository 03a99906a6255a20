"""Families with one or two open ends and no formula for their quantiles: Student t and gamma."""

import functools
import math
from functools import cached_property
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from scipy import optimize, special, stats

from sim.distributions.family import (
    LEVELS,
    Known,
    Number,
    Params,
    Scores,
    Values,
    listed,
    middle_and_spread,
    polynomial,
    positive,
)
from sim.distributions.tables import KNOTS, REACH, interpolated, table_scores

__all__ = ["Gamma", "StudentT"]

SMALLEST_SHAPE = 0.05
"""A gamma of a smaller shape has more than 1 % of its draws below the smallest number that float32 holds."""
LARGEST_SHAPE = 1e6
"""A gamma of a larger shape has an sd below 0.1 % of its mean: a normal, to all that can be told."""
STRETCHES = 12
"""Coefficients of a Student t."""
BEND = 30.0
"""Square of the score about which a Student t's abscissa bends: chosen so that the worst df fits best."""


class StudentT(Known):
    """A Student t with ``df`` degrees of freedom, by location and scale or by two quantiles."""

    family: Literal["student_t"]
    df: Number
    location: Number | None = None
    scale: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("location scale", "p05 p95", "p10 p90")
    unitless = frozenset({"family", "df"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(df, location, scale)."""
        given = self._given()
        if self.df < 1:
            raise ValueError(f"df must be at least 1, got {self.df:g}; a smaller one has tails no draw can carry")
        if "scale" in given:
            positive("scale", given["scale"])
            return self.df, given["location"], given["scale"]
        return self.df, *middle_and_spread(given, lambda level: float(stats.t.ppf(level, self.df)))

    @property
    def known(self) -> Any:
        """By ``scipy.stats.t``."""
        return stats.t(*self.natural)

    def params(self) -> tuple[float, ...]:
        """(location, scale, coefficients of the stretch, lowest power first)."""
        df, location, scale = self.natural
        return location, scale, *_stretch(df)

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = location + scale z exp(P(x)), with x = -1 at z = 0 and 1 at the end of z's reach."""
        location, scale = params[:2, ..., None]
        square = z * z
        x = ((1 + 2 * BEND / REACH**2) * square - BEND) / (square + BEND)
        return location + scale * z * jnp.exp(polynomial(x, params[2:, ..., None]))


@functools.lru_cache(maxsize=256)
def _stretch(df: float) -> tuple[float, ...]:
    """Coefficients of ln(t / z) in x, for t of ``df`` degrees at the score z: through the Chebyshev points of x.

    In x, which bends where a Cauchy's tail takes over, eleven powers are true to 7e-6 for every df from 1 on.
    """
    x = np.cos(np.pi * (np.arange(STRETCHES) + 0.5) / STRETCHES)
    z = np.sqrt(BEND * (1 + x) / (1 + 2 * BEND / REACH**2 - x))
    t = stats.t.isf(special.ndtr(-z), df)
    fitted = np.polynomial.Chebyshev.fit(x, np.log(t / z), STRETCHES - 1, domain=[-1, 1])
    return tuple(fitted.convert(kind=np.polynomial.Polynomial).coef.tolist())


class Gamma(Known):
    """A gamma, positive and skewed to the right, by shape and scale, by mean and sd or by two quantiles."""

    family: Literal["gamma"]
    shape: Number | None = None
    scale: Number | None = None
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("shape scale", "mean sd", "p05 p95", "p10 p90")
    unitless = frozenset({"family", "shape"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(shape, scale): mean = shape scale, variance = shape scale^2."""
        given = self._given()
        name, least = min(given.items(), key=lambda item: item[1])
        if least <= 0:
            raise ValueError(
                f"a gamma is positive, got {name} = {least:g}; use normal, or lognormal by three quantiles"
            )
        if "shape" in given:
            return self._usable(given["shape"], given["scale"], given)
        if "sd" in given:
            share = given["sd"] / given["mean"]
            return self._usable(1 / share**2, given["sd"] * share, given)
        return self._by_quantiles(given)

    @staticmethod
    def _usable(shape: float, scale: float, given: dict[str, float]) -> tuple[float, ...]:
        if shape < SMALLEST_SHAPE:
            raise ValueError(
                f"a gamma with {listed(given)} has its mass at 0: its shape would be {shape:g} and must be at least "
                f"{SMALLEST_SHAPE:g}; narrow it, or use lognormal"
            )
        if shape > LARGEST_SHAPE:
            raise ValueError(
                f"a gamma with {listed(given)} is a normal: its shape would be {shape:g} and must be at most "
                f"{LARGEST_SHAPE:g}; use normal"
            )
        return shape, scale

    def _by_quantiles(self, given: dict[str, float]) -> tuple[float, ...]:
        """The ratio of two quantiles falls as the shape grows."""
        (low_name, low), (high_name, high) = given.items()

        def ratio(log_shape: float) -> float:
            shape = math.exp(log_shape)
            upper, lower = (
                special.gammainccinv(shape, 1 - LEVELS[high_name]),
                special.gammaincinv(shape, LEVELS[low_name]),
            )
            return float(np.log(upper) - np.log(lower))

        asked, ends = math.log(high / low), (math.log(SMALLEST_SHAPE), math.log(LARGEST_SHAPE))
        if asked > ratio(ends[0]):
            raise ValueError(
                f"no usable gamma has {listed(given)}: its mass would lie at 0; bring the quantiles closer together, "
                "or use lognormal"
            )
        if asked < ratio(ends[1]):
            raise ValueError(f"a gamma with {listed(given)} is a normal to all that can be told; use normal")
        shape = math.exp(optimize.brentq(lambda x: ratio(x) - asked, *ends, xtol=1e-14, rtol=1e-14))
        return shape, high / float(special.gammainccinv(shape, 1 - LEVELS[high_name]))

    @property
    def known(self) -> Any:
        """By ``scipy.stats.gamma``."""
        shape, scale = self.natural
        return stats.gamma(shape, scale=scale)

    def params(self) -> tuple[float, ...]:
        """(mean, log of value / mean at each of the KNOTS scores)."""
        shape, scale = self.natural
        tail = special.ndtr(table_scores()[: KNOTS // 2 + 1])
        left, right = special.gammaincinv(shape, tail), special.gammainccinv(shape, tail)
        return shape * scale, *np.log(left / shape).tolist(), *np.log(right[-2::-1] / shape).tolist()

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = mean exp(table(z)): on the log scale nothing but the smallest numbers rounds to 0."""
        return params[0][..., None] * jnp.exp(interpolated(z, params[1:]))
