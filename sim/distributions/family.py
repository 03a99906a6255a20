"""What every family of distributions can do, and how its parameters are solved from what an analyst gave."""

import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float
from pydantic import AllowInfNan, BaseModel, ConfigDict, Strict, model_validator
from scipy import optimize, special

__all__ = [
    "LEVELS",
    "Continuous",
    "Family",
    "Host",
    "Known",
    "Number",
    "Params",
    "Scores",
    "Values",
    "from_nearer",
    "increasing",
    "inside",
    "is_solution",
    "listed",
    "logit",
    "lower_tail",
    "middle_and_spread",
    "ordered",
    "polynomial",
    "positive",
    "solve",
    "sums_to_one",
    "three_point",
]

Number = Annotated[float, Strict(), AllowInfNan(False)]
Host = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Scores = Float[Array, "*group draw"]
Values = Float[Array, "*group draw"]
Params = Float[Array, " param *group"]

LEVELS = {
    f"p{percent:02}": percent / 100 for percent in (1, 2, 5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95, 98, 99)
}
"""Probability below each quantile a prior may be written by."""
SOLVED = 1e-7
"""Largest error of a solved quantile, as a share of the distance between the two that were asked."""
MILLS_OVER = (0.4999999599, 0.3381212886, 0.1063394554, 0.0140375145)
MILLS_UNDER = (1.0, 1.4741225227, 0.8889012334, 0.2660596927, 0.0352044366)
"""Phi(-x) exp(x^2 / 2) as a ratio of polynomials of x from 0 to 6.6, to 1e-7; tests/test_draws.py fits it again."""
ROUNDED = 1e-6
"""Shares sum to 1 if they miss it by no more."""


class Family(BaseModel):
    """What every family can do. Instances are immutable, checked and solved when they are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    forms: ClassVar[tuple[str, ...]] = ()
    """The sets of fields that each fix the distribution; empty where all fields are needed."""
    unitless: ClassVar[frozenset[str]] = frozenset({"family"})
    """The fields that a change of unit leaves alone."""

    @property
    @abstractmethod
    def natural(self) -> tuple[float, ...]:
        """The natural parameters, solved from what was given. ValueError if there are none."""

    @abstractmethod
    def ppf(self, u: Host) -> Host:
        """Value with probability u below it, by SciPy in float64: the reference for ``from_normal``."""

    @abstractmethod
    def params(self) -> tuple[float, ...]:
        """Numbers that ``from_normal`` needs; as many for every instance of a class."""

    @staticmethod
    @abstractmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value at each standard normal score z, increasing in z; ``params`` stacks ``params()`` of a group."""

    @model_validator(mode="after")
    def _is_solvable(self) -> Self:
        self.__dict__["natural"] = _solved(self)
        return self

    def quantile(self, p: float) -> float:
        """Value with probability p below it."""
        return float(self.ppf(np.asarray(p, dtype=np.float64)))

    def scaled(self, factor: float) -> Self:
        """Equal distribution in a unit 1 / factor as large. ValueError unless 0 < factor < infinity."""
        if not 0 < factor < math.inf:
            raise ValueError(f"a unit's factor must be positive and finite, not {factor:g}")
        given = self.model_dump(exclude_none=True)
        return type(self)(**{k: v if k in self.unitless else _times(v, factor) for k, v in given.items()})

    def _given(self) -> dict[str, float]:
        """Fields of the one form that was used, its quantiles checked to increase and its ``sd`` to be positive."""
        names = dict.fromkeys(name for form in self.forms for name in form.split())
        given = {name: getattr(self, name) for name in sorted(names, key=list(type(self).model_fields).index)}
        given = {name: value for name, value in given.items() if value is not None}
        if set(given) not in [set(form.split()) for form in self.forms]:
            ways = "; or ".join(form.replace(" ", " + ") for form in self.forms)
            raise ValueError(f"got {' + '.join(given) or 'nothing'}; give exactly one of: {ways}")
        increasing(given)
        if "sd" in given:
            positive("sd", given["sd"])
        return given


class Continuous(Family):
    """A family with a density: what a mixture needs of its components, all in float64."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Least and greatest value, infinite where there is none."""

    @abstractmethod
    def at(self, z: Host) -> Host:
        """Value at each standard normal score, each tail computed from its own side."""

    @abstractmethod
    def tails(self, x: Host) -> tuple[Host, Host, Host]:
        """Probability below x, probability above x and density at x."""


class Known(Continuous):
    """A family that SciPy has."""

    @property
    @abstractmethod
    def known(self) -> Any:
        """The distribution in SciPy."""

    @property
    def support(self) -> tuple[float, float]:
        """By SciPy."""
        low, high = self.known.support()
        return float(low), float(high)

    def ppf(self, u: Host) -> Host:
        """By SciPy."""
        return np.asarray(self.known.ppf(u))

    def at(self, z: Host) -> Host:
        """By SciPy."""
        known, tail = self.known, special.ndtr(-np.abs(z))
        return np.where(z < 0, known.ppf(tail), known.isf(tail))

    def tails(self, x: Host) -> tuple[Host, Host, Host]:
        """By SciPy."""
        known = self.known
        return known.cdf(x), known.sf(x), known.pdf(x)


def _times(value: Any, factor: float) -> Any:
    return tuple(each * factor for each in value) if isinstance(value, tuple) else value * factor


def listed(given: dict[str, float]) -> str:
    """What was given, for a message."""
    return ", ".join(f"{name} = {value:g}" for name, value in given.items())


def increasing(given: dict[str, float]) -> None:
    """Check that the quantiles among ``given`` increase: ValueError."""
    quantiles = [value for name, value in given.items() if name in LEVELS]
    if any(low >= high for low, high in pairwise(quantiles)):
        raise ValueError(f"quantiles must increase, got {listed(given)}; for a known value use family: fixed")


def inside(given: dict[str, float], low: float, high: float) -> None:
    """Check that all that is given, but ``sd``, lies between the bounds: ValueError."""
    for name, value in given.items():
        if name != "sd" and not low < value < high:
            raise ValueError(
                f"{name} = {value:g} must lie between lower = {low:g} and upper = {high:g}; move it or widen the bounds"
            )


def positive(name: str, value: float) -> None:
    """Check that a scale is positive: ValueError."""
    if value <= 0:
        raise ValueError(f"{name} must be positive, got {value:g}; for a known value use family: fixed")


@functools.lru_cache(maxsize=1 << 12)
def _solved(family: Family) -> tuple[float, ...]:
    """Natural parameters, solved once for all equal distributions: a scenario repeats most of its book's."""
    return family.natural


def ordered(low: float, high: float, names: str = "lower and upper") -> None:
    """Check that bounds increase: ValueError."""
    if low >= high:
        raise ValueError(f"{names} must increase, got {low:g} and {high:g}; for a known value use family: fixed")


def three_point(low: float, mode: float, high: float) -> None:
    """Check that a mode lies between its bounds: ValueError."""
    ordered(low, high, "min and max")
    if not low <= mode <= high:
        given = listed({"min": low, "mode": mode, "max": high})
        raise ValueError(f"mode must lie between min and max, got {given}; move one of them")


def sums_to_one(name: str, shares: tuple[float, ...]) -> tuple[float, ...]:
    """Shares that are positive and sum to 1, what rounding left spread over them; ValueError for any others."""
    if min(shares) <= 0:
        raise ValueError(f"{name} must be positive, got {min(shares):g}; leave out what cannot be")
    total = math.fsum(shares)
    if abs(total - 1) > ROUNDED:
        given = " + ".join(f"{share:g}" for share in shares)
        raise ValueError(f"{name} must sum to 1, got {given} = {total:g}; divide each by {total:g}")
    return tuple(share / total for share in shares)


def middle_and_spread(given: dict[str, float], score: Callable[[float], float]) -> tuple[float, float]:
    """Centre and scale of a symmetric family from two outer quantiles; ``score`` is its standard quantile."""
    (low_name, low), *_, (high_name, high) = given.items()
    return (low + high) / 2, float((high - low) / (score(LEVELS[high_name]) - score(LEVELS[low_name])))


def solve(cdf: Callable[[Host, Host], tuple[Host, Host]], start: Host, given: dict[str, float]) -> Host:
    """Two parameters x for which ``cdf(x, quantiles)``, as logs of both tails, has the levels of ``given``."""
    values = np.array(list(given.values()))
    target = special.logit([LEVELS[name] for name in given])

    def miss(x: Host) -> Host:
        below, above = cdf(x, values)
        return np.nan_to_num(below - above - target, nan=1e3, posinf=1e3, neginf=-1e3)

    with np.errstate(all="ignore"):
        solution: Host = optimize.root(miss, start, method="hybr", options={"xtol": 1e-13}).x
    return solution


def is_solution(family: Family, given: dict[str, float]) -> bool:
    """Whether a family has the quantiles given, to SOLVED."""
    values = np.array(list(given.values()))
    with np.errstate(all="ignore"):
        miss = np.abs(family.ppf(np.array([LEVELS[name] for name in given])) - values)
    return bool(np.all(miss <= SOLVED * np.ptp(values)))


def polynomial(x: Values, coefficients: Sequence[float] | Array) -> Values:
    """Sum of coefficients times powers of x, lowest first."""
    total = jnp.full_like(x, 0) + coefficients[-1]
    for power in range(len(coefficients) - 2, -1, -1):
        total = total * x + coefficients[power]
    return total


def lower_tail(z: Scores) -> Values:
    """Phi(-|z|), the probability beyond z on its own side: full relative precision for either sign of z."""
    size = jnp.abs(z)
    return jnp.exp(-z * z / 2) * polynomial(size, MILLS_OVER) / polynomial(size, MILLS_UNDER)


def from_nearer(z: Scores, low: Array, high: Array, distance: Values) -> Values:
    """Value at ``distance`` from the bound on z's side: near either bound nothing cancels."""
    return jnp.where(z < 0, low + distance, high - distance)


def logit(z: Scores) -> Values:
    """Logit of Phi(z), in full relative precision at both ends."""
    tail = lower_tail(z)
    size = jnp.log1p(-tail) - jnp.log(tail)
    return jnp.where(z < 0, -size, size)
