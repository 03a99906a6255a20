"""What cells, labels and units are called in a report: the book's names in the report's language."""

import re
from collections.abc import Mapping

from sim.axes import DERIVED, OUTPUTS
from sim.report.words import Words

__all__ = ["LEAD", "Naming"]

WRITTEN = re.compile(r"(\w+)\[([^\[\],]+),([^\[\],]+)\]")
THRESHOLD = re.compile(r"(\w+\[[^\[\]]+\]) ([<>]) ([\d.eE+-]+)")
LEAD = "NVIDIA"
LEADS = "NVIDIA data centre"
"""NVIDIA's revenue is that of its data centre."""
TOTAL = "total"
ALL = OUTPUTS | DERIVED
WHOLE = {"buyer": "all_buyers", "capex_buyer": "capex_buyers"}
"""Who is meant by the total along an axis."""
MONEY = ("revenue", "fiscal_revenue", "line")


class Naming:
    """Names in one language; ``names`` are a book's own of its suppliers, buyers and chips."""

    def __init__(self, words: Words, names: Mapping[str, str]) -> None:
        self._words, self._names = words, names

    def label(self, label: str) -> str:
        """A supplier, buyer, chip, tier or constraint; a pair with its two sides."""
        if "/" in label:
            return " / ".join(self.label(part) for part in label.split("/"))
        return self._words.of("names", self._names[label]) if label in self._names else self._words.of("labels", label)

    def whose(self, output: str, label: str) -> str:
        """Of whom an output is."""
        return self._all(output) if label == TOTAL else self.label(label)

    def what(self, output: str, label: str) -> str:
        """A quantity: of whom, and what."""
        if output in MONEY:
            lead = self._names.get(label) == LEAD
            own = self._words.of("names", LEADS) if lead else self.whose(output, label)
            return self._words.plain(f"what.{output}", label=own)
        return self._words.plain(
            "what.plain", label=self.whose(output, label), output=self._words.of("outputs", output)
        )

    def _all(self, output: str) -> str:
        """Who is meant by the total of an output."""
        dim = ALL[output].dims[0] if output in ALL else ""
        return self._words.plain(f"labels.{WHOLE.get(dim, 'all_suppliers')}")

    def cell(self, cell: str) -> str:
        """A quantity and its period, from ``output[label,period]``; anything else as it is."""
        match = WRITTEN.fullmatch(cell)
        return self._words.plain("what.dated", what=self.what(match[1], match[2]), period=match[3]) if match else cell

    def threshold(self, text: str) -> str:
        """A threshold with its cell named and its number in the cell's unit."""
        match = THRESHOLD.fullmatch(text)
        if match is None:
            return text
        cell, sign, value = match.groups()
        unit = ALL[cell.partition("[")[0]].unit
        number = f"{100 * float(value):g}" if unit == "1" else f"{float(value):,g}"
        return f"{self.cell(cell)} {sign} {number} {self.unit(unit)}"

    def unit(self, unit: str) -> str:
        """A unit; a share is told in per cent."""
        return self._words.of("units", unit)
