"""What stands in a figure: words, numbers, and text of others made harmless."""

import math
from typing import NamedTuple
from unicodedata import east_asian_width

import numpy as np

__all__ = ["ENGLISH", "Words", "number", "one_line", "places", "shorten", "width", "wrap"]

NONE = "–"


class Words(NamedTuple):
    """Everything that figures say of themselves; another language is another ``Words``."""

    median: str = "median"
    as_of: str = "as of {day}"
    day: str = "%-d %b %Y"
    other: str = "other ({count})"
    low: str = "input at P10"
    high: str = "input at P90"
    sources: str = "Sources: {sources}"
    reported: str = "Line alone: reported. "
    fan: str = "Line in bands: median, P25 to P75, P5 to P95{brackets}."
    brackets: str = " (in brackets)"
    tornado: str = "Each bar: where the median lies with one input near its P10 (faint) and near its P90 (full)."
    waterfall: str = "Each bar: what one change adds (full) or takes away (faint), after those above it."
    stacked: str = "Height: share of the whole."
    intervals: str = "Dot: median. Bars: P25 to P75 and P5 to P95."
    diamonds: str = " Diamonds: published by others."
    scenarios: str = "Dot: median. Bars: P25 to P75 and P5 to P95. Dash: median of {first}."


ENGLISH = Words()


def places(value: float) -> int:
    """Decimal places that give a number three significant digits."""
    return min(max(0, 2 - int(np.floor(np.log10(abs(value))))), 6) if value and math.isfinite(value) else 0


def number(value: float, digits: int | None = None, sign: str = "") -> str:
    """Three significant digits, or so many places, with thousands separated; ``sign="+"`` for a change."""
    if not math.isfinite(value):
        return NONE
    return f"{value:{sign},.{places(value) if digits is None else digits}f}".replace("-", "−")


def one_line(text: str) -> str:
    """Text without line breaks and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def width(text: str) -> int:
    """Columns that a text takes: Chinese, Japanese and Korean signs take two."""
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def shorten(text: str, most: int) -> str:
    """One line of at most so many columns."""
    line = one_line(text)
    if width(line) <= most:
        return line
    while width(line) > most - 1:
        line = line[:-1]
    return line.rstrip() + "…"


def wrap(text: str, most: int, lines: int, after: str = " ") -> list[str]:
    """At most so many lines of at most so many columns; broken after one of these signs, else anywhere."""
    found: list[str] = []
    rest = one_line(text)
    while width(rest) > most and len(found) < lines - 1:
        room = len(shorten(rest, most + 1)) - 1
        at = max(rest.rfind(sign, 0, room) for sign in after) + 1
        at = at if at > room // 3 else room
        found.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*found, shorten(rest, most)]
