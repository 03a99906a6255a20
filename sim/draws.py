"""Every random number as a pure function of (seed, stream, draw, element), and the values of priors made from it.

A stream is named; its 64-bit key is taken from SHA-256(seed, stream, high word of the draw's index), and threefry2x32
at the counter (low word of the draw's index, element) gives 32 bits. So draw i of a stream is the same for any number
of draws, in any block, beside any other streams and in any order of them. Bits become a standard normal score, the
scores of some streams are correlated, and each family turns its scores into values (``Family.from_normal``).

``plan`` does once on the host what depends on the priors; ``normals`` and ``values`` are traced into a program
that takes keys and parameters at run time: new numbers never recompile it, only another ``Layout`` does.
"""

import functools
import hashlib
import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Float64, UInt32
from scipy.sparse.csgraph import connected_components

from sim.distributions import Distribution, Family, Fixed
from sim.distributions.family import polynomial

__all__ = [
    "Entry",
    "Layout",
    "Numbers",
    "Plan",
    "bits",
    "correlated",
    "correlation",
    "keys",
    "normals",
    "plan",
    "scores",
    "valued",
    "values",
    "words",
]

WORD = 32
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
"""Left rotations of threefry2x32, by turns for four rounds each (Salmon et al. 2011, Random123)."""
PARITY = 0x1BD11BDA
"""Constant of threefry's third key word."""
FOURS = 5
"""Groups of four rounds: 20 rounds in all, the published default."""

# Phi^-1(p) / (2 p - 1) as a ratio of polynomials of s = sqrt(SHIFT - ln(4 p (1 - p))) - START, lowest power first, to
# 1.8e-7 out to p = 2^-33; and ln(1 + m) / m for |m| <= 1/3, to 5e-7. tests/test_draws.py fits both again.
SHIFT = 6.0
START = 2.5
OVER = (1.33631177, 1.68915273, 1.95426211, 1.47821834, 0.87470537, 0.34335463)
UNDER = (1.0, 0.00814636, 0.94280531, 0.13652162, 0.23610675)
LOG_OVER = (0.99999984, -0.50002243, 0.33337989, -0.24841635, 0.1979503, -0.19407857, 0.17111227)
TWO_THIRDS = 0x3F2AAAAB
"""Bits of 2/3 in float32, where each octave begins that a logarithm is reduced to."""
ONE = 0x3F800000
"""Bits of 1 in float32."""
MANTISSA = 23
"""Bits of a float32 below its exponent."""

NOT_A_CORRELATION = -1e-8
"""Eigenvalues of a correlation matrix below this are no rounding."""


class Entry(NamedTuple):
    """One number of each draw: the stream it is drawn from, its place in that stream and its distribution."""

    stream: str
    element: int
    distribution: Distribution


@dataclass(frozen=True)
class Layout:
    """The static part of a plan. Rows are entries in the order of work: copula, other random ones, fixed ones."""

    groups: tuple[tuple[type[Family], int], ...]
    """Runs of rows of one family: the family and how many."""
    members: int
    """How many of the first rows are in the copula."""
    factors: int
    """How many variates behind them are common factors, which only the copula reads."""
    sources: tuple[tuple[tuple[int, ...], ...], ...]
    """For each run of members that are sums of as many scores: the row of each term [term, member]."""
    order: tuple[int, ...]
    """The row of each entry."""


class Numbers(NamedTuple):
    """The numbers of a plan, passed to the program at run time."""

    elements: UInt32[np.ndarray, " variate"]
    params: tuple[Float64[np.ndarray, "_ _"], ...]
    """For each group, ``params()`` of its rows side by side [param, row]."""
    weights: tuple[Float64[np.ndarray, "_ _"], ...]
    """For each run of members, the weights of the independent scores at ``Layout.sources`` [term, member]."""


@dataclass(frozen=True)
class Plan:
    """How a sequence of entries is drawn; ``streams`` names the stream of each variate (row that is not fixed)."""

    layout: Layout
    numbers: Numbers
    streams: tuple[str, ...]


def plan(
    entries: Sequence[Entry],
    correlated: Sequence[str] = (),
    rank_correlation: Float[np.ndarray, "member member"] | None = None,
) -> Plan:
    """Arrange entries for drawing; ``rank_correlation`` is Spearman's, between the streams named in ``correlated``.

    ValueError: an entry given twice, an element that is no 32-bit word, a correlated stream that is missing,
    fixed or of several elements, a matrix that is no correlation matrix.
    """
    _check_entries(entries)
    names = sorted(correlated)
    _check_members(entries, names)
    sums, factors = _sums(names, _pearson(correlated, rank_correlation, names))
    terms = {name: len(total) for name, total in zip(names, sums, strict=True)}

    def kind(i: int) -> tuple[bool, bool, int, str]:
        stream, _, distribution = entries[i]
        family = type(distribution)
        return family is Fixed, stream not in terms, terms.get(stream, 0), family.__name__

    rows = sorted(range(len(entries)), key=kind)
    runs = [list(run) for _, run in itertools.groupby(rows, key=kind)]
    variates = [entries[i] for i in rows if not isinstance(entries[i].distribution, Fixed)]
    sources, weights = _arranged(names, sums, [entry.stream for entry in variates[: len(names)]])
    drawn = [(entry.stream, entry.element) for entry in variates]
    drawn[len(names) : len(names)] = [(factor, 0) for factor in factors]
    numbers = Numbers(
        elements=np.array([element for _, element in drawn], dtype=np.uint32),
        params=tuple(np.array([_params(entries[i].distribution) for i in run]).T for run in runs),
        weights=weights,
    )
    layout = Layout(
        groups=tuple((type(entries[run[0]].distribution), len(run)) for run in runs),
        members=len(names),
        factors=len(factors),
        sources=sources,
        order=tuple(np.argsort(rows).tolist()),
    )
    return Plan(layout, numbers, tuple(stream for stream, _ in drawn))


@functools.lru_cache(maxsize=4096)
def _params(distribution: Distribution) -> Float64[np.ndarray, " param"]:
    """``params()``, kept from one plan to the next: a scenario solves only for what it changes."""
    return np.array(distribution.params())


def _check_entries(entries: Sequence[Entry]) -> None:
    seen: set[tuple[str, int]] = set()
    for stream, element, _ in entries:
        if (stream, element) in seen:
            raise ValueError(f"element {element} of stream {stream!r} is given twice; name its streams apart")
        if not 0 <= element < 1 << WORD:
            raise ValueError(f"element {element} of stream {stream!r} must lie between 0 and 2^{WORD} - 1")
        seen.add((stream, element))


def _check_members(entries: Sequence[Entry], names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"a stream is correlated twice in {', '.join(names)}; name each once")
    members: dict[str, list[Entry]] = {name: [] for name in names}
    for entry in entries:
        members.get(entry.stream, []).append(entry)
    for name, found in members.items():
        if len(found) != 1:
            raise ValueError(f"correlated stream {name!r} must have one element, it has {len(found)}")
        if isinstance(found[0].distribution, Fixed):
            raise ValueError(f"correlated stream {name!r} is fixed; leave it out of the correlations or widen it")


def _pearson(
    correlated: Sequence[str], rank_correlation: Float[np.ndarray, "member member"] | None, names: Sequence[str]
) -> Float64[np.ndarray, "member member"]:
    """Correlations 2 sin(pi rho / 6) of the scores, in the order of ``names``."""
    size = len(correlated)
    given = np.eye(size) if rank_correlation is None else np.asarray(rank_correlation, dtype=np.float64)
    if given.shape != (size, size) or not (np.array_equal(given, given.T) and np.all(np.diag(given) == 1)):
        raise ValueError(f"rank_correlation must be a symmetric {size} x {size} matrix with ones on its diagonal")
    if not np.all(np.abs(given) <= 1):
        raise ValueError("rank correlations must lie between -1 and 1")
    order = [correlated.index(name) for name in names]
    pearson = 2 * np.sin(np.pi / 6 * given[np.ix_(order, order)])
    np.fill_diagonal(pearson, 1)
    return pearson


def _sums(
    names: Sequence[str], pearson: Float64[np.ndarray, "member member"]
) -> tuple[list[list[tuple[int, float]]], list[str]]:
    """Each member's correlated score as a sum of independent ones, (source, weight) by term, and the factors' streams.

    Sources are the members' own scores, then the factors. Members that are all equally and positively correlated
    share one factor, so that one more of them leaves the others' numbers alone; any other group of members that hang
    together is mixed by the symmetric square root of its matrix, which exists for singular ones too.
    """
    sums: list[list[tuple[int, float]]] = [[] for _ in names]
    factors: list[str] = []
    for group in _groups(pearson):
        block, shared = pearson[np.ix_(group, group)], float(pearson[group[0], group[-1]])
        if len(group) > 1 and shared > 0 and np.array_equal(block, _equal(len(group), shared)):
            for i in group:
                sums[i] = [(i, math.sqrt(1 - shared)), (len(names) + len(factors), math.sqrt(shared))]
            factors.append(_factor([names[i] for i in group]))
        else:
            for i, weights in zip(group, _symmetric_root(block, [names[i] for i in group]), strict=True):
                sums[i] = list(zip(group, weights.tolist(), strict=True))
    return sums, factors


def _arranged(
    names: Sequence[str], sums: Sequence[Sequence[tuple[int, float]]], members: Sequence[str]
) -> tuple[tuple[tuple[tuple[int, ...], ...], ...], tuple[Float64[np.ndarray, "_ _"], ...]]:
    """Sources' rows and weights [term, member] of the sums, in runs of as many terms; ``members`` name the rows."""
    row = {i: members.index(name) for i, name in enumerate(names)}
    total = [sums[names.index(name)] for name in members]
    runs = [list(run) for _, run in itertools.groupby(total, key=len)]
    sources = tuple(tuple(tuple(row.get(i, i) for i, _ in term) for term in zip(*run, strict=True)) for run in runs)
    return sources, tuple(np.array([[weight for _, weight in each] for each in run]).T for run in runs)


def _factor(names: Sequence[str]) -> str:
    """Stream of a group's common factor: of one prior's labels it keeps its name when a label is added."""
    priors = dict.fromkeys(name.partition("[")[0] for name in names)
    return f"{next(iter(priors))}[*]" if len(priors) == 1 else f"copula({', '.join(names)})"


def _groups(correlation: Float64[np.ndarray, "member member"]) -> list[list[int]]:
    """Members that hang together by correlations other than 0, each group in order."""
    _, group = connected_components(correlation != 0, directed=False)
    return [np.flatnonzero(group == which).tolist() for which in range(group.max() + 1)] if len(group) else []


def _equal(size: int, correlation: float) -> Float64[np.ndarray, "member member"]:
    return np.where(np.eye(size, dtype=bool), 1.0, correlation)


def _symmetric_root(correlation: Float64[np.ndarray, "member member"], names: Sequence[str]) -> np.ndarray:
    """Symmetric square root. ValueError if no scores have these correlations together."""
    eigenvalues, vectors = np.linalg.eigh(correlation)
    if np.any(eigenvalues < NOT_A_CORRELATION):
        raise ValueError(
            f"no normal scores have these rank correlations of {', '.join(names)} together (smallest eigenvalue "
            f"{eigenvalues.min():.3g}); bring the largest ones closer to 0"
        )
    root: np.ndarray = (vectors * np.sqrt(np.maximum(eigenvalues, 0))) @ vectors.T
    return root


def correlation(plan: Plan) -> Float64[np.ndarray, "member member"]:
    """Correlations of the scores of the copula's members, in the order of work."""
    found, start = np.zeros((plan.layout.members, plan.layout.members + plan.layout.factors)), 0
    for weights, sources in zip(plan.numbers.weights, plan.layout.sources, strict=True):
        rows = np.arange(start, start + weights.shape[1])
        for weight, source in zip(weights, sources, strict=True):
            np.add.at(found, (rows, np.array(source)), weight)
        start += len(rows)
    return found @ found.T


def words(first: int, n: int) -> tuple[int, np.uint32]:
    """Split the index of a block's first draw into its high and low words. ValueError if the block crosses 2^32."""
    high, low = first >> WORD, first & ((1 << WORD) - 1)
    if first < 0 or low + n > 1 << WORD:
        raise ValueError(f"draws {first} to {first + n - 1} are no block: its high word must be one number above 0")
    return high, np.uint32(low)


def keys(streams: Sequence[str], seed: int, high: int = 0) -> UInt32[np.ndarray, "variate 2"]:
    """Keys of streams: the first 8 bytes of SHA-256 over seed, name and the high word of the draw's index.

    The seed may be any integer; each part is preceded by its length, so that no two triples share their bytes.
    """
    prefix = _framed(_integer_bytes(operator.index(seed)))
    suffix = _framed(_integer_bytes(high))
    digests = [hashlib.sha256(prefix + _framed(stream.encode()) + suffix).digest() for stream in streams]
    return np.frombuffer(b"".join(digest[:8] for digest in digests), dtype="<u4").astype(np.uint32).reshape(-1, 2)


def _integer_bytes(number: int) -> bytes:
    """Two's complement, least byte first, as short as the sign allows."""
    return number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(8, "little") + part


def _threefry(
    key: tuple[UInt32[Array, "*#shape"], UInt32[Array, "*#shape"]],
    counter: tuple[UInt32[Array, "*#shape"], UInt32[Array, "*#shape"]],
) -> tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]:
    """Threefry2x32 with 20 rounds, unrolled: plain uint32 operations that fuse with what follows."""
    schedule = (*key, key[0] ^ key[1] ^ jnp.uint32(PARITY))
    x, y = counter[0] + schedule[0], counter[1] + schedule[1]
    for four in range(FOURS):
        for turn in ROTATIONS[four % 2]:
            x = x + y
            y = x ^ ((y << jnp.uint32(turn)) | (y >> jnp.uint32(WORD - turn)))
        x = x + schedule[(four + 1) % 3]
        y = y + schedule[(four + 2) % 3] + jnp.uint32(four + 1)
    return x, y


def bits(
    keys: UInt32[Array, "variate 2"], elements: UInt32[Array, " variate"], first: UInt32[Array, ""], n: int
) -> UInt32[Array, "variate draw"]:
    """32 random bits of each variate for the n draws whose index has the low words first, first + 1, ..."""
    draw = first + jnp.arange(n, dtype=jnp.uint32)
    word, _ = _threefry((keys[:, :1], keys[:, 1:]), (draw[None, :], elements[:, None]))
    return word


def _log(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Natural logarithm of normal numbers to 5e-7: half the time of XLA's, which also serves 0, infinities and NaN."""
    octave = lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32) - jnp.int32(TWO_THIRDS)
    power = lax.shift_right_arithmetic(octave, jnp.int32(MANTISSA))
    scale = lax.bitcast_convert_type(jnp.int32(ONE) - (power << jnp.int32(MANTISSA)), jnp.float32)
    rest = x * scale.astype(x.dtype) - 1
    return power.astype(x.dtype) * math.log(2) + rest * polynomial(rest, LOG_OVER)


def scores(bits: UInt32[Array, "*shape"], dtype: Any = jnp.float32) -> Float[Array, "*shape"]:
    """Phi^-1((bits + 1/2) / 2^32), increasing in the bits, to 1e-6 in float32 from -6.34 to 6.34.

    Free of branches: 2 p - 1 gives sign and centre, and the tail's probability, counted from its own end, the rest.
    """
    centred = ((bits ^ jnp.uint32(1 << (WORD - 1))).astype(jnp.int32).astype(dtype) + 0.5) * 0.5 ** (WORD - 1)
    tail = (jnp.minimum(bits, ~bits).astype(jnp.int32).astype(dtype) + 0.5) * 0.5**WORD
    s = jnp.sqrt((SHIFT - math.log(4)) - _log(tail * (1 - tail))) - START
    # A division last: XLA's CPU compiler repeats everything cheaper, up to one, in each family that reads the scores.
    return centred * polynomial(s, OVER) / polynomial(s, UNDER)


def normals(
    keys: UInt32[Array, "variate 2"],
    elements: UInt32[Array, " variate"],
    first: UInt32[Array, ""],
    n: int,
    dtype: Any = jnp.float32,
) -> Float[Array, "variate draw"]:
    """Independent standard normal scores of a block: ``scores`` of ``bits``."""
    return scores(bits(keys, elements, first, n), dtype)


def values(layout: Layout, numbers: Numbers, z: Float[Array, "variate draw"]) -> Float[Array, "entry draw"]:
    """Values of the entries, in their order and in the precision of the independent scores z."""
    return valued(layout, numbers, correlated(layout, numbers, z))


def correlated(layout: Layout, numbers: Numbers, z: Float[Array, "variate draw"]) -> Float[Array, "random draw"]:
    """Scores of the entries that are not fixed, in the order of work, correlated as the copula has it."""
    return jnp.concatenate([*_tied(layout, numbers, z), z[layout.members + layout.factors :]])


def valued(layout: Layout, numbers: Numbers, random: Float[Array, "random draw"]) -> Float[Array, "entry draw"]:
    """Values of the entries, in their order, of their correlated scores."""
    blocks, start = [], 0
    for (family, size), params in zip(layout.groups, numbers.params, strict=True):
        rows = jnp.zeros((size, random.shape[1]), random.dtype) if family is Fixed else random[start : start + size]
        blocks.append(family.from_normal(rows, jnp.asarray(params, random.dtype)))
        start += size
    return jnp.concatenate(blocks)[np.array(layout.order)]


def _tied(layout: Layout, numbers: Numbers, z: Float[Array, "variate draw"]) -> list[Float[Array, "_ draw"]]:
    """Correlated scores of the copula's members by run, as chains of additions: they fuse and their order is fixed."""
    tied = []
    for weights, sources in zip(numbers.weights, layout.sources, strict=True):
        weight = jnp.asarray(weights, z.dtype)[..., None]
        terms = [weight[k] * z[np.array(rows)] for k, rows in enumerate(sources)]
        tied.append(sum(terms[1:], start=terms[0]))
    return tied
