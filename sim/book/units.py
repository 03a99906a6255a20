"""Units as products and quotients of named atoms, so that a prior is written in its source's own unit.

A unit is atoms joined by ``*`` and ``/`` and read from left to right: ``bn USD / M unit``, ``USD / unit / year``.
An atom may carry a scale, joined (``kUSD``, ``MW``) or as a word of its own (``bn USD``, ``k unit``).
``FLOP/s`` is one atom, so that ``TFLOP/s / unit`` is compute per unit. A calendar date is written as a decimal
year in the unit ``year``.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

__all__ = ["factor"]

_SCALES = {"k": 10**3, "M": 10**6, "G": 10**9, "bn": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
LONGEST = 60
"""Characters of a unit."""
_SECONDS_A_YEAR = 31_557_600  # 365.25 days, so that a quarter is exactly a fourth of a year

_ATOMS: dict[str, tuple[str, Fraction]] = {
    "1": ("", Fraction(1)),
    "%": ("", Fraction(1, 100)),
    "USD": ("money", Fraction(1)),
    "unit": ("unit", Fraction(1)),
    "H100e": ("H100e", Fraction(1)),
    "FLOP/s": ("compute", Fraction(1)),
    "FLOP": ("work", Fraction(1)),
    "W": ("power", Fraction(1)),
    "B": ("memory", Fraction(1)),
    "parameters": ("parameters", Fraction(1)),
    "tokens": ("tokens", Fraction(1)),
    "users": ("users", Fraction(1)),
    "year": ("time", Fraction(_SECONDS_A_YEAR)),
    "quarter": ("time", Fraction(_SECONDS_A_YEAR, 4)),
    "month": ("time", Fraction(_SECONDS_A_YEAR, 12)),
    "day": ("time", Fraction(86_400)),
    "hour": ("time", Fraction(3_600)),
    "second": ("time", Fraction(1)),
}
_TOKEN = re.compile(r"\s*([A-Za-z]*FLOP/s\b|[A-Za-z][A-Za-z0-9]*|[1%*/])\s*")


class _Unit(NamedTuple):
    """A unit as a multiple of base units: the exponent of each dimension, and the scale."""

    dimension: dict[str, int]
    scale: Fraction


def factor(from_unit: str, to_unit: str) -> float:
    """What a number in ``from_unit`` is multiplied by to stand in ``to_unit``.

    Raises ValueError for a unit that cannot be read, and for two units of different dimension, naming both.
    """
    given, wanted = _parse(from_unit), _parse(to_unit)
    if given.dimension != wanted.dimension:
        raise ValueError(
            f"unit {from_unit!r} ({_dimension_text(given)}) does not convert to {to_unit!r} ({_dimension_text(wanted)})"
        )
    return float(given.scale / wanted.scale)


@lru_cache(maxsize=256)
def _parse(text: str) -> _Unit:
    if len(text) > LONGEST:
        raise ValueError(f"unit {text[:LONGEST]!r}... is too long; write it like 'bn USD / M unit'")
    dimension: Counter[str] = Counter()
    scale = Fraction(1)
    for sign, (name, size) in _terms(text):
        dimension[name] += sign
        scale *= size**sign
    return _Unit({name: power for name, power in sorted(dimension.items()) if name and power}, scale)


def _terms(text: str) -> Iterator[tuple[int, tuple[str, Fraction]]]:
    """Each atom of a unit with +1 where it multiplies and -1 where it divides."""
    words: list[str] = []
    sign = 1
    for token in [*_tokens(text), "*"]:
        if token not in ("*", "/"):
            words.append(token)
            continue
        yield sign, _atom(words, text)
        words, sign = [], 1 if token == "*" else -1


def _tokens(text: str) -> list[str]:
    tokens, start = [], 0
    while start < len(text):
        match = _TOKEN.match(text, start)
        if match is None:
            raise ValueError(f"unit {text!r} cannot be read from {text[start:]!r} on; write it like 'bn USD / M unit'")
        tokens.append(match[1])
        start = match.end()
    return tokens


def _atom(words: list[str], text: str) -> tuple[str, Fraction]:
    """The dimension and size of one atom, given as its words: an atom, or a scale and an atom."""
    match words:
        case [word] if word in _ATOMS:
            return _ATOMS[word]
        case [word]:
            scale, name = _split(word, text)
            return _scaled(scale, name)
        case [scale, name] if scale in _SCALES and name in _ATOMS:
            return _scaled(scale, name)
        case _:
            raise ValueError(
                f"unit {text!r} lacks a known unit in {' '.join(words)!r}; write it like 'bn USD / M unit'"
            )


def _split(word: str, text: str) -> tuple[str, str]:
    """Scale and atom of a joined word such as ``kUSD``."""
    for scale in _SCALES:
        if word.startswith(scale) and word.removeprefix(scale) in _ATOMS:
            return scale, word.removeprefix(scale)
    near = difflib.get_close_matches(word, _ATOMS, n=1)
    known = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_ATOMS)}"
    raise ValueError(f"unknown unit {word!r} in {text!r}; {known}")


def _scaled(scale: str, name: str) -> tuple[str, Fraction]:
    dimension, size = _ATOMS[name]
    return dimension, _SCALES[scale] * size


def _dimension_text(unit: _Unit) -> str:
    """The dimension in words: ``money / unit``, or ``a plain number``."""
    above = " * ".join(name for name, power in unit.dimension.items() for _ in range(power))
    below = "".join(f" / {name}" for name, power in unit.dimension.items() for _ in range(-power))
    return f"{above or '1'}{below}" if unit.dimension else "a plain number"
