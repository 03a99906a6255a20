"""Figures as they are printed: three significant digits, columns aligned, each tied to the cell that it is of."""

import math
from collections.abc import Iterable

from markupsafe import Markup

__all__ = ["aligned", "cell", "decimals", "percent", "printed", "signed", "spread", "three"]

DIGITS = 3
MOST = 4
"""Decimals that are ever printed."""
COLUMN = 2
"""Decimals of a column at most."""
DATE = 1900
"""Years from here on are dates."""
HUGE = 1e7


def decimals(values: Iterable[float | None], digits: int = DIGITS) -> int:
    """Decimals with which the largest of some values has so many significant digits."""
    largest = max((abs(value) for value in values if value is not None and math.isfinite(value)), default=0.0)
    if largest == 0:
        return 0
    return min(max(0, digits - 1 - math.floor(math.log10(largest))), MOST)


def aligned(values: Iterable[float]) -> int:
    """Decimals with which the least of some values still has three significant digits, but no more than two."""
    return min(decimals([min((abs(value) for value in values if value), default=0.0)]), COLUMN)


def printed(value: float | None, places: int) -> str:
    """A figure with so many decimals and thousands separated; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{round(value, places) + 0.0:,.{places}f}".replace("-", "−")


def three(value: float, unit: str = "") -> str:
    """Three significant digits; dates to a hundredth of a year, large figures with a power of ten."""
    if unit == "year" and value > DATE:
        return f"{value:.2f}"
    if abs(value) >= HUGE:
        return f"{value:.3g}"
    return printed(value, decimals([value]))


def signed(value: float, places: int) -> str:
    """A figure with its sign."""
    return f"+{printed(value, places)}" if round(value, places) > 0 else printed(value, places)


def percent(share: float, places: int = 0) -> str:
    """A share [1] in per cent."""
    return f"{printed(100 * share, places)} %"


def spread(error: float) -> str:
    """An error to two significant digits."""
    return printed(error, decimals([error], 2))


def cell(text: str, name: str, figure: str, run: str, scale: float = 1) -> Markup:
    """A printed figure that says which cell and figure of which run it is; ``scale`` is what it was multiplied by."""
    times = Markup(' data-scale="{}"').format(f"{scale:g}") if scale != 1 else Markup("")
    return Markup('<data value="{}" data-cell="{}" data-figure="{}" data-run="{}"{}>{}</data>').format(
        text.replace("−", "-").replace(",", ""), name, figure, run, times, text
    )
