"""A distribution drawn in a few hundred bytes of SVG: its density on a scale of its own, with a mark at the median."""

import numpy as np
from markupsafe import Markup

from sim.figures import BLUE, INK
from sim.report.beliefs import SHAPE, Case

__all__ = ["drawn"]

WIDE, HIGH, FLOOR = 120, 26, 24
LEAST = 1e-9
"""Part of its width below which a distribution has no density to draw: it is a list of values."""


def drawn(case: Case) -> Markup:
    """The picture of a distribution; it is not read out, because the figures beside it say the same."""
    values = np.array(case.shape)
    low, high = values[0], values[-1]
    if len(values) == 1 or high <= low:
        return _svg(f"M{WIDE / 2:g} 4V{FLOOR}", "", "")
    x = (values - low) / (high - low) * WIDE
    width = np.diff(x)
    if (width < LEAST * WIDE).any():
        return _svg(
            f"M{_at(case, low, high)} 4V{FLOOR}", "", "".join(f"M{each:.1f} 12V{FLOOR}" for each in np.unique(x))
        )
    density = np.diff(SHAPE) / width
    middle = (x[1:] + x[:-1]) / 2
    y = FLOOR - density / density.max() * (FLOOR - 3)
    points = " ".join(f"{a:.0f} {b:.1f}" for a, b in zip(middle, y, strict=True))
    area = f"M0 {FLOOR}L{points} {WIDE} {FLOOR}Z"
    return _svg(f"M{_at(case, low, high)} 2V{FLOOR}", area, "")


def _at(case: Case, low: float, high: float) -> str:
    return f"{(case.figures['p50'] - low) / (high - low) * WIDE:.0f}"


def _svg(median: str, area: str, marks: str) -> Markup:
    parts = [f'<path class="b" d="{area}" fill="{BLUE}" fill-opacity=".35"/>'] if area else []
    parts += [f'<path class="c" d="{marks}" stroke="{BLUE}" stroke-width="2"/>'] if marks else []
    line = f'<path class="i" d="M0 {FLOOR}H{WIDE}{median}" stroke="{INK}" fill="none"/>'
    return Markup(
        f'<svg class="d" viewBox="0 0 {WIDE} {HIGH}" width="{WIDE}" height="{HIGH}" aria-hidden="true">'
        f"{''.join(parts)}{line}</svg>"
    )
