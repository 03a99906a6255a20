"""A figure as PNG or SVG: same figure, same bytes."""

import re
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from sim.figures.style import style
from sim.figures.text import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["render", "settled"]


def render(
    figure: "Figure", format: Literal["png", "svg"], *, source: str = "", themed: bool = False, prefix: str = ""
) -> bytes:
    """Write a figure as PNG or SVG. ``source``, the run and its commit, is metadata.

    ``themed`` is an SVG to stand inside an HTML page: its text is text, its colours are CSS variables (``--ink``,
    ``--blue`` and so on, as ``LIGHT`` names them), and its ids start with ``prefix``.
    """
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a box is drawn for it
        if themed:
            from sim.figures.themed import themed_svg

            return themed_svg(figure, prefix)
        return _written(figure, format, source)


def _written(figure: "Figure", format: Literal["png", "svg"], source: str) -> bytes:
    metadata: dict[str, str | None] = {
        "Title": str(figure.get_label() or "chipcast"),
        "Source": one_line(source) or "-",
    }
    metadata |= {"Software": "chipcast"} if format == "png" else {"Creator": "chipcast", "Date": None}
    file = BytesIO()
    figure.savefig(file, format=format, metadata=metadata, facecolor="white")
    return file.getvalue()


def settled(svg: bytes) -> bytes:
    """Make a themed SVG's colours those of white paper, for what knows no CSS variables."""
    return re.sub(rb'="var\(--\w+, (#[0-9a-f]{6})\)"', rb'="\1"', svg)
