"""A figure as SVG for HTML: text as text, colours as CSS variables, no style that a content policy could refuse.

Matplotlib's own SVG says the same in ten times the bytes, with ids that meet those of the next picture on the page.
"""

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from sim.figures.layout import reading
from sim.figures.style import LIGHT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["themed_svg"]

INCH = 72
NAMES = {value: name for name, value in LIGHT.items()}
LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
ANCHORS = {"left": "", "center": "middle", "right": "end"}
BOLD = ("bold", "semibold", "heavy")


def themed_svg(figure: "Figure", prefix: str) -> bytes:
    """The figure without its paper, as one ``svg`` element [72 units an inch]."""
    wide, high = figure.get_size_inches() * INCH
    pen = Pen(wide, high, prefix)
    patches = [figure.patch, *(axes.patch for axes in figure.axes)]
    seen, dpi = [patch.get_visible() for patch in patches], figure.dpi
    for patch in patches:
        patch.set_visible(False)
    figure.dpi = INCH
    try:
        figure.draw(pen)
    finally:
        figure.dpi = dpi
        for patch, visible in zip(patches, seen, strict=True):
            patch.set_visible(visible)
    return pen.document(str(figure.get_label()), reading(figure)).encode()


class Pen(RendererBase):
    """Writes what matplotlib draws as SVG elements."""

    def __init__(self, wide: float, high: float, prefix: str) -> None:
        super().__init__()
        self.wide, self.high, self.prefix = wide, high, prefix
        self.elements: list[str] = []
        self.clips: dict[tuple[str, ...], str] = {}

    def document(self, title: str, described: str) -> str:
        """The whole picture, named and described for those who do not see it."""
        ids = f"{self.prefix}title {self.prefix}desc"
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {plain(self.wide)} {plain(self.high)}"'
            f' role="img" aria-labelledby={quoteattr(ids)} font-family="sans-serif">',
            f"<title id={quoteattr(self.prefix + 'title')}>{escape(title)}</title>",
            f"<desc id={quoteattr(self.prefix + 'desc')}>{escape(described)}</desc>",
        ]
        clips = [
            f"<clipPath id={quoteattr(name)}><rect{attributes(x=x, y=y, width=wide, height=high)}/></clipPath>"
            for (x, y, wide, high), name in self.clips.items()
        ]
        return "\n".join([*head, *clips, *self.elements, "</svg>"])

    def draw_path(self, gc: Any, path: Path, transform: Any, rgbFace: Any = None) -> None:
        """Write a line or an area."""
        placed = path.transformed(transform + Affine2D().scale(1, -1).translate(0, self.high))
        line = gc.get_linewidth() > 0 and gc.get_rgb()[3] > 0
        dashes = gc.get_dashes()[1] if line else None
        told = {
            "d": "".join(steps(placed)),
            **paint("fill", rgbFace, gc),
            **(paint("stroke", gc.get_rgb(), gc) if line else {}),
            "stroke-width": plain(gc.get_linewidth()) if line else "",
            "stroke-dasharray": " ".join(map(plain, dashes)) if dashes is not None else "",
            "stroke-linecap": {"round": "round", "projecting": "square"}.get(str(gc.get_capstyle()), "")
            if line
            else "",
            "clip-path": self.clip(gc, placed),
        }
        self.elements.append(f"<path{attributes(**told)}/>")

    def clip(self, gc: Any, placed: Path) -> str:
        """What a path is cut to, where it reaches beyond its axes."""
        bounds = gc.get_clip_rectangle()
        if bounds is None:
            return ""
        x, y, wide, high = bounds.x0, self.high - bounds.y1, bounds.width, bounds.height
        ends = placed.get_extents()
        if ends.x0 >= x - 0.5 and ends.x1 <= x + wide + 0.5 and ends.y0 >= y - 0.5 and ends.y1 <= y + high + 0.5:
            return ""
        rectangle = tuple(map(plain, (x, y, wide, high)))
        return f"url(#{self.clips.setdefault(rectangle, f'{self.prefix}clip{len(self.clips)}')})"

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
    ) -> None:
        """Write a text, held at the side that it was aligned to: a browser's letters have other widths."""
        anchor = ""
        if mtext is not None:
            x = mtext.get_transform().transform(mtext.get_unitless_position())[0]
            anchor = ANCHORS[mtext.get_ha()]
        told = {
            "x": plain(x),
            "y": plain(y),
            "font-size": plain(prop.get_size_in_points()),
            "font-weight": "bold" if prop.get_weight() in BOLD else "",
            "text-anchor": anchor,
            **paint("fill", gc.get_rgb(), gc),
        }
        self.elements.append(f"<text{attributes(**told)}>{escape(s)}</text>")

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Size [72 units an inch]."""
        return self.wide, self.high

    def points_to_pixels(self, points: Any) -> Any:
        """A point is a unit."""
        return points


def steps(path: Path) -> list[str]:
    """A path in SVG's letters."""
    found = []
    for vertices, code in path.iter_segments(simplify=False, curves=True):
        found.append("Z" if code == Path.CLOSEPOLY else LETTERS[code] + " ".join(map(plain, vertices)))
    return found


def paint(what: str, colour: Any, gc: Any) -> dict[str, str]:
    """A colour as a variable of the page, with the picture's own where the page has none, and its opacity."""
    if colour is None:
        return {what: "none"}
    written = to_hex(colour)
    name = NAMES.get(written)
    opacity = gc.get_alpha() if gc.get_forced_alpha() else (colour[3] if len(colour) == 4 else 1.0)
    return {
        what: f"var(--{name}, {written})" if name else written,
        f"{what}-opacity": plain(opacity) if opacity < 1 else "",
    }


def attributes(**told: str) -> str:
    """Attributes of an element, those that say nothing left out."""
    return "".join(f" {name}={quoteattr(value)}" for name, value in told.items() if value)


def plain(value: float) -> str:
    """A number to a hundredth, in its shortest form."""
    return f"{round(float(value), 2) + 0.0:.2f}".rstrip("0").rstrip(".")
