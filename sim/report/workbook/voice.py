"""What a workbook calls things: its own words, the report's, and the book's names, in one language."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sim.report.naming import WRITTEN, Naming
from sim.report.words import Words, words
from sim.report.workbook.writing import Column

__all__ = ["Voice", "heading", "voice"]

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Voice:
    """Words of a workbook in one language; ``report`` and ``naming`` are those of the page."""

    own: Words
    report: Words
    naming: Naming

    def column(self, key: str, width: float = 10, form: str = "General", *, wrap: bool = False, **said: Any) -> Column:
        """A column with the heading at a key."""
        return Column(self.own.plain(f"columns.{key}", **said), width, form, wrap)

    def what(self, cell: str) -> str:
        """The quantity of a cell without its period, or the text itself where it is no cell."""
        match = WRITTEN.fullmatch(cell)
        return self.naming.what(match[1], match[2]) if match else cell

    def unit(self, unit: str) -> str:
        """A unit; shares are stored as fractions."""
        told = self.own.of("units", unit)
        return self.naming.unit(unit) if told == unit else told

    def yes(self, whether: bool) -> str:
        """Yes or no."""
        return self.own.raw("words.yes" if whether else "words.no")


def voice(lang: str, names: Mapping[str, str]) -> Voice:
    """The words of a language, with a book's own names. BookError: there are none in it."""
    told = words(lang)
    return Voice(_own(lang), told, Naming(told, names))


def heading(figure: str) -> str:
    """``P5`` of ``p05``."""
    return f"P{float(figure.removeprefix('p')):g}"


@functools.cache
def _own(lang: str) -> Words:
    return Words(yaml.safe_load((FOLDER / f"{lang}.yaml").read_text(encoding="utf-8")))
