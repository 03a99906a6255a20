"""Scrambled Sobol points in place of random bits: the same draws spread evenly, so that fewer say as much.

Point i of a variate is the exclusive or of the direction numbers at the ones of i, so any part of the sequence can be
made alone. It is then scrambled after Owen: at every dyadic interval the halves are swapped or not at random, which
makes each point uniform and keeps the points even. ``bits`` takes the place of ``draws.bits``; everything behind it
stays as it is.

A variate's dimension follows from its stream and element alone: ``dimensions.txt`` lists the random numbers of the base
book, the most important first, and any other is sent by a hash of its name to a dimension behind them. A run is shared
out to ``RANDOMISATIONS`` independent scrambles of the sequence, whose spread is the error of its figures.
"""

import functools
import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int64, UInt32

from sim import draws
from sim.errors import RefusedError

__all__ = ["RANDOMISATIONS", "UNIT", "bits", "check", "dimensions", "directions", "keys", "place"]

WORD = draws.WORD

RANDOMISATIONS = 16
"""Independent scrambles that share a run; a power of two."""
DIGITS = 8
UNIT = 1 << DIGITS
"""Draws in a row that are of one randomisation, on any device."""

TABLE = "dimensions.txt"
NUMBERS = "stats/_sobol_direction_numbers.npz"
"""Within SciPy: primitive polynomials and first direction numbers of 21,201 dimensions (Joe and Kuo 2008)."""

# Vegdahl 2021, "Building a better LK hash", for Owen scrambling by hashing as Burley 2020 does (JCGT 9:4).
BEFORE = 0x3D20ADEA
AFTER = (0x05526C56, 0x53A22864)
SWAPS = ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF), (16, 0x0000FFFF))
"""Distance and mask of the five rounds that reverse a word."""

Words = TypeVar("Words", Array, np.ndarray)
Integer = TypeVar("Integer", int, Array)


def keys(streams: Sequence[str], elements: Iterable[int], seed: int) -> UInt32[np.ndarray, "randomisation variate 2"]:
    """What scrambles each variate in each randomisation, whose number stands where a draw's high word does."""
    names = _names(streams, elements)
    return np.stack([draws.keys(names, seed, randomisation) for randomisation in range(RANDOMISATIONS)])


def bits(
    keys: UInt32[Array, "randomisation variate 2"],
    directions: UInt32[Array, "variate 32"],
    unit: UInt32[Array, ""],
    n: int,
) -> UInt32[Array, "variate draw"]:
    """32 bits of each variate for the n draws, a multiple of ``UNIT``, that begin with unit ``unit``."""
    randomisation, first = place(unit + jnp.arange(n // UNIT, dtype=jnp.uint32))
    low = _xor(directions[:, :DIGITS], jnp.arange(UNIT, dtype=jnp.uint32))
    high = _xor(directions[:, DIGITS:], first >> jnp.uint32(DIGITS))
    key = jnp.moveaxis(keys[randomisation], 0, 1)
    return _reversed(_scrambled(high[:, :, None] ^ low[:, None, :], key)).reshape(-1, n)


def place(unit: Integer) -> tuple[Integer, Integer]:
    """Randomisation of a unit of draws, and the point of its sequence that the unit begins with.

    Units go to the randomisations by turns, so that a draw is the same in a run of any length.
    """
    return unit % RANDOMISATIONS, unit // RANDOMISATIONS * UNIT


def _xor(directions: UInt32[Array, "variate digit"], index: UInt32[Array, " draw"]) -> UInt32[Array, "variate draw"]:
    """Exclusive or of the direction numbers at the ones of each index."""
    total = jnp.zeros((directions.shape[0], index.shape[0]), jnp.uint32)
    for digit in range(directions.shape[1]):
        chosen = -((index >> jnp.uint32(digit)) & jnp.uint32(1))  # all ones or all zeros
        total = total ^ (directions[:, digit, None] & chosen)
    return total


def _scrambled(
    word: UInt32[Array, "variate unit draw"], key: UInt32[Array, "variate unit 2"]
) -> UInt32[Array, "variate unit draw"]:
    """Owen scrambling of words whose first binary digit is the lowest bit: no bit is changed by a higher one.

    A random sum and odd factor give each pair of points exactly the joint distribution of Owen's scrambling, hence
    every mean its variance; the fixed steps around them mix what three points and more have in common.
    """
    word = word ^ (word * jnp.uint32(BEFORE))
    word = (word + key[..., :1]) * (key[..., 1:] | jnp.uint32(1))
    for factor in AFTER:
        word = word ^ (word * jnp.uint32(factor))
    return word


def _reversed(word: Words) -> Words:
    """32-bit words with their bits in reverse."""
    for distance, mask in SWAPS:
        kept, moved = np.uint32(mask), np.uint32(distance)
        word = ((word >> moved) & kept) | ((word & kept) << moved)
    return word


def check(count: int) -> None:
    """RefusedError unless so many draws give every randomisation the same power of two of points."""
    least, most = RANDOMISATIONS * UNIT, RANDOMISATIONS << WORD
    if count.bit_count() == 1 and least <= count <= most:
        return
    floor = 1 << max(count, 1).bit_length() - 1
    nearest = sorted({min(max(power, least), most) for power in (floor, 2 * floor)})
    raise RefusedError(
        "sobol-draws",
        f"the sobol sampler makes a power of two of draws, from {least:,} to {most:,}, not {count:,}",
        remedy=f"ask for {' or '.join(f'{each:,}' for each in nearest)} draws, or for the mc sampler",
    )


def dimensions(streams: Sequence[str], elements: Iterable[int]) -> Int64[np.ndarray, " variate"]:
    """Dimension of each variate: its line in the table, or one behind the table by a hash of its name.

    The next free one where two hashes meet, in order of the names. RefusedError if there are more than free ones.
    """
    names = _names(streams, elements)
    known, count = _table(), len(_published()[0])
    new, free = sorted(set(names) - known.keys()), count - len(known)
    if len(new) > free:
        problem = f"the sobol sampler has {free:,} dimensions for random numbers that a book adds, not {len(new):,}"
        raise RefusedError("sobol-dimensions", problem, remedy="ask for the mc sampler")
    taken: dict[int, str] = {}
    for name in new:
        behind = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") % free
        while behind in taken:
            behind = (behind + 1) % free
        taken[behind] = name
    found = known | {name: len(known) + behind for behind, name in taken.items()}
    return np.array([found[name] for name in names], dtype=np.int64)


def _names(streams: Sequence[str], elements: Iterable[int]) -> list[str]:
    """Each variate as the table names it."""
    return [f"{stream} {element}" for stream, element in zip(streams, elements, strict=True)]


@functools.cache
def _table() -> dict[str, int]:
    """Dimension of each variate that the table names."""
    lines = resources.files("sim").joinpath(TABLE).read_text(encoding="utf-8").splitlines()
    return {name: dimension for dimension, name in enumerate(line for line in lines if not line.startswith("#"))}


@functools.cache
def _published() -> tuple[Int64[np.ndarray, " dimension"], Int64[np.ndarray, "dimension first"]]:
    """Each dimension's primitive polynomial, its lowest power in the lowest bit, and its first direction numbers."""
    with resources.as_file(resources.files("scipy").joinpath(NUMBERS)) as path, np.load(path) as numbers:
        return numbers["poly"], numbers["vinit"]


def directions(dimensions: Int64[np.ndarray, " variate"]) -> UInt32[np.ndarray, "variate 32"]:
    """Direction number of each dimension for each binary digit of an index, lowest digit first.

    Their first binary digit is in the lowest bit. They follow from a polynomial over {0, 1} of degree s
    (Bratley and Fox 1988, algorithm 659, with x_i the direction number of digit i)::

        x_i = a_1 x_(i-1) ^ ... ^ a_(s-1) x_(i-s+1) ^ x_(i-s) ^ x_(i-s) / 2^s
    """
    polynomials, published = (numbers[dimensions] for numbers in _published())
    degrees = np.frexp(polynomials)[1] - 1
    numbers = np.zeros((len(dimensions), WORD), dtype=np.int64)
    rows = np.arange(len(dimensions))
    numbers[:, : published.shape[1]] = published << WORD - 1 - np.arange(published.shape[1])
    for digit in range(1, WORD):
        begun = numbers[rows, digit - degrees]
        following = begun ^ begun >> degrees
        for back in range(1, min(digit, degrees.max())):
            chosen = np.where(back < degrees, polynomials >> np.maximum(degrees - back, 0) & 1, 0)
            following ^= numbers[:, digit - back] * chosen
        numbers[:, digit] = np.where(digit < degrees, numbers[:, digit], following)
    numbers[dimensions == 0] = 1 << WORD - 1 - np.arange(WORD)
    return _reversed(numbers.astype(np.uint32))
