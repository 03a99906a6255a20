"""Families of distributions a prior may have: how each is elicited, its quantiles and its draws.

A family is one small class. On the host (float64, SciPy) it checks what the analyst wrote and solves for its
natural parameters; on the device ``from_normal`` turns a standard normal score z into the value whose
probability below it is Phi(z). Every family keeps full relative precision at both of its ends in float32.

To add one, subclass ``Family``, give ``natural``, ``ppf``, ``params`` and ``from_normal``, and append it to
``Distribution``.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.lax import erfc
from jaxtyping import Float
from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, Strict, model_validator
from scipy import optimize, special, stats

__all__ = [
    "Beta",
    "Distribution",
    "Family",
    "Fixed",
    "LogNormal",
    "Normal",
    "Pert",
    "StudentT",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
]

Number = Annotated[float, Strict(), AllowInfNan(False)]
Host = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Scores = Float[Array, "*group draw"]
Values = Float[Array, "*group draw"]
Params = Float[Array, " param *group"]

LEVELS = {"p05": 0.05, "p10": 0.10, "p50": 0.50, "p90": 0.90, "p95": 0.95}
SYMMETRY = 1e-6
"""Slack of symmetry: of a normal's median, in sd, and of the skew ratio, 1 where symmetric, of a lognormal."""
SOLVED = 1e-7
"""Largest error of a solved quantile, as a share of the distance between the two that were asked."""
PERT_WEIGHT = 4.0
"""Weight of the mode in a PERT's mean (min + 4 mode + max) / 6, by definition."""
REACH = 6.6
"""Tables span scores from -REACH to REACH; a 32-bit uniform reaches 6.34."""
KNOTS = 513
"""Knots of a table, an odd number so that one stands at z = 0."""
SMALLEST_SHAPE = 0.05
"""Shapes of a beta below this put its draws on the bounds, beyond what float32 can tell from them."""
NEWTON_STEPS = 40
"""Most steps to a beta's quantiles; most betas need 6, the most skewed 15."""
NEWTON_CLOSE = 1e-12
"""A step in the logit this small is the last."""


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
        _ = self.natural
        return self

    def quantile(self, p: float) -> float:
        """Value with probability p below it."""
        return float(self.ppf(np.asarray(p, dtype=np.float64)))

    def scaled(self, factor: float) -> Self:
        """Equal distribution in a unit 1 / factor as large. ValueError unless 0 < factor < infinity."""
        if not 0 < factor < math.inf:
            raise ValueError(f"a unit's factor must be positive and finite, not {factor:g}")
        given = self.model_dump(exclude_none=True)
        return type(self)(**{k: v if k in self.unitless else v * factor for k, v in given.items()})

    def _given(self) -> dict[str, float]:
        """Fields of the one form that was used, its quantiles checked to increase and its ``sd`` to be positive."""
        names = dict.fromkeys(name for form in self.forms for name in form.split())
        given = {name: getattr(self, name) for name in sorted(names, key=list(type(self).model_fields).index)}
        given = {name: value for name, value in given.items() if value is not None}
        if set(given) not in [set(form.split()) for form in self.forms]:
            ways = "; or ".join(form.replace(" ", " + ") for form in self.forms)
            raise ValueError(f"got {' + '.join(given) or 'nothing'}; give exactly one of: {ways}")
        quantiles = [value for name, value in given.items() if name in LEVELS]
        if any(low >= high for low, high in pairwise(quantiles)):
            raise ValueError(f"quantiles must increase, got {_listed(given)}; for a known value use family: fixed")
        if "sd" in given:
            _positive("sd", given["sd"])
        return given


def _listed(given: dict[str, float]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in given.items())


def _positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be positive, got {value:g}; for a known value use family: fixed")


def _ordered(low: float, high: float, names: str = "lower and upper") -> None:
    if low >= high:
        raise ValueError(f"{names} must increase, got {low:g} and {high:g}; for a known value use family: fixed")


def _three_point(low: float, mode: float, high: float) -> None:
    _ordered(low, high, "min and max")
    if not low <= mode <= high:
        raise ValueError(f"mode must lie between min and max, got min = {low:g}, mode = {mode:g}, max = {high:g}")


def _middle_and_spread(given: dict[str, float], score: Callable[[float], float]) -> tuple[float, float]:
    """Centre and scale of a symmetric family from two outer quantiles; ``score`` is its standard quantile."""
    (low_name, low), *_, (high_name, high) = given.items()
    return (low + high) / 2, float((high - low) / (score(LEVELS[high_name]) - score(LEVELS[low_name])))


def _solve(cdf: Callable[[Host, Host], tuple[Host, Host]], start: Host, given: dict[str, float]) -> Host:
    """Two parameters x for which ``cdf(x, quantiles)``, as logs of both tails, has the levels of ``given``."""
    values = np.array(list(given.values()))
    target = special.logit([LEVELS[name] for name in given])

    def miss(x: Host) -> Host:
        below, above = cdf(x, values)
        return np.nan_to_num(below - above - target, nan=1e3, posinf=1e3, neginf=-1e3)

    with np.errstate(all="ignore"):
        solution: Host = optimize.root(miss, start, method="hybr", options={"xtol": 1e-13}).x
    return solution


def _is_solution(family: Family, given: dict[str, float]) -> bool:
    values = np.array(list(given.values()))
    with np.errstate(all="ignore"):
        miss = np.abs(family.ppf(np.array([LEVELS[name] for name in given])) - values)
    return bool(np.all(miss <= SOLVED * np.ptp(values)))


def _lower_tail(z: Scores) -> Values:
    """Phi(-|z|), the probability beyond z on its own side: full relative precision for either sign of z."""
    return 0.5 * erfc(jnp.abs(z) * math.sqrt(0.5))


def _from_nearer(z: Scores, low: Array, high: Array, distance: Values) -> Values:
    """Value at ``distance`` from the bound on z's side: near either bound nothing cancels."""
    return jnp.where(z < 0, low + distance, high - distance)


class Fixed(Family):
    """A known value."""

    family: Literal["fixed"]
    value: Number

    @property
    def natural(self) -> tuple[float, ...]:
        """(value,)."""
        return (self.value,)

    def ppf(self, u: Host) -> Host:
        """``value`` at every u."""
        return np.full(np.shape(u), self.value)

    def params(self) -> tuple[float, ...]:
        """(value,)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = value."""
        return jnp.broadcast_to(params[0][..., None], z.shape)


class Uniform(Family):
    """Every value between ``lower`` and ``upper`` equally likely."""

    family: Literal["uniform"]
    lower: Number
    upper: Number

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(lower, upper)."""
        _ordered(self.lower, self.upper)
        return self.lower, self.upper

    def ppf(self, u: Host) -> Host:
        """Lower + u (upper - lower)."""
        return np.asarray(stats.uniform.ppf(u, self.lower, self.upper - self.lower))

    def params(self) -> tuple[float, ...]:
        """(lower, upper, width)."""
        return self.lower, self.upper, self.upper - self.lower

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = lower + Phi(z) width."""
        low, high, width = params[..., None]
        return _from_nearer(z, low, high, width * _lower_tail(z))


class Normal(Family):
    """A normal distribution, by its mean and sd or by two quantiles; a third must be their middle."""

    family: Literal["normal"]
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("mean sd", "p05 p95", "p10 p90", "p05 p50 p95", "p10 p50 p90")

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(mean, sd)."""
        given = self._given()
        if "sd" in given:
            return given["mean"], given["sd"]
        mean, sd = _middle_and_spread(given, special.ndtri)
        if abs(given.get("p50", mean) - mean) > SYMMETRY * sd:
            raise ValueError(
                f"a normal with these outer quantiles has p50 = {mean:g}, not {given['p50']:g}; "
                "drop p50, or use lognormal (right skew), pert or triangular (either)"
            )
        return mean, sd

    def ppf(self, u: Host) -> Host:
        """Mean + sd Phi^-1(u)."""
        return np.asarray(stats.norm.ppf(u, *self.natural))

    def params(self) -> tuple[float, ...]:
        """(mean, sd)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = mean + sd z."""
        mean, sd = params[..., None]
        return mean + sd * z


class LogNormal(Family):
    """A lognormal, by its median and the sd of its logarithm or by two quantiles; three quantiles also shift it.

    The shift is such that all three quantiles are met; the support then starts at median - scale, not at 0.
    """

    family: Literal["lognormal"]
    sigma: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("p50 sigma", "p05 p95", "p10 p90", "p05 p50 p95", "p10 p50 p90")
    unitless = frozenset({"family", "sigma"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(median, scale, sigma): value = median - scale + scale exp(sigma z); scale = median unless shifted."""
        given = self._given()
        if len(given) == 3:
            return self._shifted(given)
        low = min(value for name, value in given.items() if name != "sigma")
        if low <= 0:
            raise ValueError(
                f"a lognormal by {' and '.join(given)} is positive, got {low:g}; "
                "use normal, or give three quantiles for a shifted lognormal"
            )
        if "sigma" in given:
            _positive("sigma", given["sigma"])
            return given["p50"], given["p50"], given["sigma"]
        logs = {name: math.log(value) for name, value in given.items()}
        mu, sigma = _middle_and_spread(logs, special.ndtri)
        return math.exp(mu), math.exp(mu), sigma

    @staticmethod
    def _shifted(given: dict[str, float]) -> tuple[float, ...]:
        """With r = (high - mid) / (mid - low): sigma = ln r / z_high and scale = (mid - low) / (1 - 1 / r)."""
        low, mid, high = given.values()
        skew = (high - mid) / (mid - low)
        if skew <= 1 + SYMMETRY:
            raise ValueError(
                f"a lognormal leans to the right, but {_listed(given)} does not; "
                "use normal without p50 if it is symmetric, pert, beta or triangular if it leans to the left"
            )
        scale = (mid - low) / (1 - 1 / skew)
        return mid, scale, math.log(skew) / float(special.ndtri(LEVELS[list(given)[-1]]))

    def ppf(self, u: Host) -> Host:
        """Median + scale (exp(sigma Phi^-1(u)) - 1)."""
        median, scale, sigma = self.natural
        return np.asarray(stats.lognorm.ppf(u, sigma, median - scale, scale))

    def params(self) -> tuple[float, ...]:
        """(median, scale, sigma)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = median + scale (exp(sigma z) - 1), in the form that does not cancel."""
        median, scale, sigma = params[..., None]
        shifted = median + scale * jnp.expm1(sigma * z)
        return jnp.where(median == scale, scale * jnp.exp(sigma * z), shifted)


class Triangular(Family):
    """A density that rises in a straight line from ``min`` to ``mode`` and falls to ``max``."""

    family: Literal["triangular"]
    min: Number
    mode: Number
    max: Number

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(min, mode, max)."""
        _three_point(self.min, self.mode, self.max)
        return self.min, self.mode, self.max

    def ppf(self, u: Host) -> Host:
        """By ``scipy.stats.triang``."""
        width = self.max - self.min
        return np.asarray(stats.triang.ppf(u, (self.mode - self.min) / width, self.min, width))

    def params(self) -> tuple[float, ...]:
        """(min, max, width, share of the width below the mode, share above it)."""
        low, mode, high = self.natural
        width = high - low
        return low, high, width, (mode - low) / width, (high - mode) / width

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Measured from the end on z's side, with t the probability beyond z and r, f the shares near that end and far.

        distance / width = sqrt(t r) before the mode, 1 - sqrt((1 - t) f) = (r + f t) / (1 + sqrt((1 - t) f)) after it
        """
        low, high, width, rise, fall = params[..., None]
        t, r, f = _lower_tail(z), jnp.where(z < 0, rise, fall), jnp.where(z < 0, fall, rise)
        share = jnp.where(t < r, jnp.sqrt(t * r), (r + f * t) / (1 + jnp.sqrt((1 - t) * f)))
        return _from_nearer(z, low, high, width * share)


def _interpolated(z: Scores, table: Float[Array, " knot *group"]) -> Values:
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


def _scores() -> Host:
    """Scores at which tables stand."""
    return np.linspace(-REACH, REACH, KNOTS)


class Bounded(Family):
    """Families between two bounds without a closed quantile function: a table of the logit of the value.

    On the logit scale both ends are smooth in z and keep their relative precision.
    """

    @abstractmethod
    def _window(self) -> tuple[float, float]:
        """Bounds between which the logit is taken."""

    @abstractmethod
    def _logits(self, scores: Host) -> tuple[Host, Host]:
        """Logits at these scores, none above 0, and those of the mirrored distribution."""

    def params(self) -> tuple[float, ...]:
        """(lower, upper, width, logit at each of the KNOTS scores)."""
        low, high = self._window()
        left, mirrored = self._logits(_scores()[: KNOTS // 2 + 1])
        return low, high, high - low, *left.tolist(), *(-mirrored[-2::-1]).tolist()

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = lower + width / (1 + exp(-logit(z)))."""
        low, high, width = params[:3, ..., None]
        logit = _interpolated(z, params[3:])
        odds = jnp.exp(-jnp.abs(logit))
        return _from_nearer(logit, low, high, width * (odds / (1 + odds)))


def _beta_logits(scores: Host, a: float, b: float) -> Host:
    """Logits of the quantiles of a beta at these scores, none above 0.

    By Newton on the logarithm of the distribution function, which is concave in the logit, from the closed form for
    small quantiles, which lies on the left, or a normal one if that is nearer. (SciPy's own fails at some tails.)
    """
    target = special.log_ndtr(scores)
    small = (target + np.log(a) + special.betaln(a, b)) / a
    normal = special.psi(a) - special.psi(b) + scores * np.sqrt(special.polygamma(1, a) + special.polygamma(1, b))
    logit: Host = np.maximum(small, normal)
    for _ in range(NEWTON_STEPS):
        x, y = special.expit(logit), special.expit(-logit)
        log_below = np.log(np.where(logit < 0, special.betainc(a, b, x), special.betaincc(b, a, y)))
        slope = np.exp(a * special.log_expit(logit) + b * special.log_expit(-logit) - special.betaln(a, b) - log_below)
        before, logit = logit, np.maximum(logit + (target - log_below) / slope, small)
        if np.all(np.abs(logit - before) <= NEWTON_CLOSE * (1 + np.abs(logit))):
            break
    return logit


class Beta(Bounded):
    """A beta between ``lower`` and ``upper``, by its shapes, by its mean and sd or by two quantiles."""

    family: Literal["beta"]
    a: Number | None = None
    b: Number | None = None
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None
    lower: Number = 0.0
    upper: Number = 1.0

    forms = ("a b", "mean sd", "p05 p95", "p10 p90")
    unitless = frozenset({"family", "a", "b"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(a, b)."""
        given = self._given()
        _ordered(self.lower, self.upper)
        if "a" in given:
            return self._usable(given["a"], given["b"])
        for name, value in given.items():
            if name != "sd" and not self.lower < value < self.upper:
                raise ValueError(
                    f"{name} = {value:g} must lie between lower = {self.lower:g} and upper = {self.upper:g}; "
                    "move it or widen the bounds"
                )
        return self._by_moments(given) if "sd" in given else self._by_quantiles(given)

    def _by_moments(self, given: dict[str, float]) -> tuple[float, ...]:
        """From a + b = m (1 - m) / v - 1 with mean m and variance v between 0 and 1; a = m (a + b)."""
        width = self.upper - self.lower
        m, v = (given["mean"] - self.lower) / width, (given["sd"] / width) ** 2
        total = m * (1 - m) / v - 1
        if total <= 0:
            raise ValueError(
                f"no beta between {self.lower:g} and {self.upper:g} with mean = {given['mean']:g} has sd = "
                f"{given['sd']:g}; it must be below {width * math.sqrt(m * (1 - m)):g}"
            )
        return self._usable(m * total, (1 - m) * total)

    @staticmethod
    def _usable(a: float, b: float) -> tuple[float, ...]:
        if min(a, b) < SMALLEST_SHAPE:
            raise ValueError(
                f"a beta with a = {a:g} and b = {b:g} has its mass on its bounds; both must be at least "
                f"{SMALLEST_SHAPE:g}, so narrow it or move it away from the bounds"
            )
        return a, b

    def _by_quantiles(self, given: dict[str, float]) -> tuple[float, ...]:
        width = self.upper - self.lower
        unit = {name: (value - self.lower) / width for name, value in given.items()}
        middle, sd = _middle_and_spread(unit, special.ndtri)
        total = max(middle * (1 - middle) / sd**2 - 1, 0.5)

        def cdf(x: Host, values: Host) -> tuple[Host, Host]:
            beta = stats.beta(*np.exp(np.clip(x, -10, 30)))
            return beta.logcdf(values), beta.logsf(values)

        a, b = np.exp(_solve(cdf, np.log([middle * total, (1 - middle) * total]), unit)).tolist()
        self._usable(a, b)
        solved = Beta(family="beta", a=a, b=b, lower=self.lower, upper=self.upper)
        if not _is_solution(solved, given):
            raise ValueError(
                f"no usable beta between {self.lower:g} and {self.upper:g} has {_listed(given)}; "
                "bring the quantiles closer together or away from the bounds"
            )
        return a, b

    def ppf(self, u: Host) -> Host:
        """By ``scipy.stats.beta``."""
        return np.asarray(stats.beta.ppf(u, *self.natural, self.lower, self.upper - self.lower))

    def _window(self) -> tuple[float, float]:
        return self.lower, self.upper

    def _logits(self, scores: Host) -> tuple[Host, Host]:
        a, b = self.natural
        return _beta_logits(scores, a, b), _beta_logits(scores, b, a)


class Pert(Bounded):
    """A beta between ``min`` and ``max`` with mean (min + 4 mode + max) / 6."""

    family: Literal["pert"]
    min: Number
    mode: Number
    max: Number

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(a, b) of the beta."""
        _three_point(self.min, self.mode, self.max)
        width = self.max - self.min
        return 1 + PERT_WEIGHT * (self.mode - self.min) / width, 1 + PERT_WEIGHT * (self.max - self.mode) / width

    @property
    def _beta(self) -> Beta:
        a, b = self.natural
        return Beta(family="beta", a=a, b=b, lower=self.min, upper=self.max)

    def ppf(self, u: Host) -> Host:
        """By ``scipy.stats.beta``."""
        return self._beta.ppf(u)

    def _window(self) -> tuple[float, float]:
        return self.min, self.max

    def _logits(self, scores: Host) -> tuple[Host, Host]:
        return self._beta._logits(scores)


class TruncatedNormal(Bounded):
    """A normal cut off below ``lower``, above ``upper`` or both.

    ``mean`` and ``sd`` are those of the normal before it is cut; quantiles are those of the result.
    """

    family: Literal["truncated_normal"]
    lower: Number | None = None
    upper: Number | None = None
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("mean sd", "p05 p95", "p10 p90")

    @property
    def _bounds(self) -> tuple[float, float]:
        """The bounds, infinite where there is none."""
        low = -math.inf if self.lower is None else self.lower
        return low, math.inf if self.upper is None else self.upper

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(mean, sd) of the normal before it is cut."""
        given = self._given()
        low, high = self._bounds
        if math.isinf(low) and math.isinf(high):
            raise ValueError("give lower, upper or both; without bounds use family: normal")
        _ordered(low, high)
        if "sd" in given:
            return given["mean"], given["sd"]
        for name, value in given.items():
            if not low < value < high:
                raise ValueError(
                    f"{name} = {value:g} must lie between lower = {low:g} and upper = {high:g}; "
                    "move it or widen the bounds"
                )
        return self._by_quantiles(given)

    def _by_quantiles(self, given: dict[str, float]) -> tuple[float, ...]:
        middle, spread = _middle_and_spread(given, special.ndtri)

        def cdf(x: Host, values: Host) -> tuple[Host, Host]:
            cut = self._cut(middle + spread * x[0], spread * math.exp(np.clip(x[1], -30, 30)))
            return cut.logcdf(values), cut.logsf(values)

        shift, log_scale = _solve(cdf, np.zeros(2), given).tolist()
        mean, sd = middle + spread * shift, spread * math.exp(min(log_scale, 30.0))
        solved = TruncatedNormal(family="truncated_normal", lower=self.lower, upper=self.upper, mean=mean, sd=sd)
        if not _is_solution(solved, given):
            low, high = self._bounds
            raise ValueError(
                f"no normal cut to {low:g} .. {high:g} has {_listed(given)}: they are too wide or too skewed for "
                "these bounds; widen the bounds, or use lognormal, beta or pert"
            )
        return mean, sd

    def _cut(self, mean: float, sd: float) -> stats.rv_continuous:
        low, high = self._bounds
        return stats.truncnorm((low - mean) / sd, (high - mean) / sd, mean, sd)

    def ppf(self, u: Host) -> Host:
        """By ``scipy.stats.truncnorm``."""
        return np.asarray(self._cut(*self.natural).ppf(u))

    def _window(self) -> tuple[float, float]:
        """Bounds that can be reached; a farther one gives way to a point well outside the reach of z."""
        cut = self._cut(*self.natural)
        tail = special.ndtr(-REACH)
        first, last = float(cut.ppf(tail)), float(cut.isf(tail))
        low, high = self._bounds
        return max(low, first - (last - first)), min(high, last + (last - first))

    def _logits(self, scores: Host) -> tuple[Host, Host]:
        cut, tail = self._cut(*self.natural), special.ndtr(scores)
        low, high = self._window()
        below, above = cut.ppf(tail) - low, high - cut.isf(tail)
        return np.log(below / (high - low - below)), np.log(above / (high - low - above))


class StudentT(Family):
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
            _positive("scale", given["scale"])
            return self.df, given["location"], given["scale"]
        return self.df, *_middle_and_spread(given, lambda level: float(stats.t.ppf(level, self.df)))

    def ppf(self, u: Host) -> Host:
        """By ``scipy.stats.t``."""
        return np.asarray(stats.t.ppf(u, *self.natural))

    def params(self) -> tuple[float, ...]:
        """(location, scale, arsinh of the standard value at each of the KNOTS scores)."""
        df, location, scale = self.natural
        left = np.arcsinh(stats.t.ppf(special.ndtr(_scores()[: KNOTS // 2]), df))
        return location, scale, *left.tolist(), 0.0, *(-left[::-1]).tolist()

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = location + scale t(z), where arsinh t(z) is tabulated."""
        location, scale = params[:2, ..., None]
        return location + scale * jnp.sinh(_interpolated(z, params[2:]))


Distribution = Annotated[
    Fixed | Uniform | Normal | LogNormal | TruncatedNormal | Triangular | Pert | Beta | StudentT,
    Field(discriminator="family"),
]
"""Any family, told apart by its field ``family``."""
