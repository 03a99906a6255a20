"""Colours and settings of every figure."""

from contextlib import AbstractContextManager
from typing import Any

__all__ = ["BLUE", "DARK", "GRID", "INK", "LIGHT", "MUTED", "ORANGE", "PALE", "PAPER", "STYLE", "TEAL", "style"]

LIGHT = {
    "ink": "#1c2733",
    "muted": "#5d6975",
    "grid": "#e4e8ec",
    "paper": "#ffffff",
    "blue": "#17559b",
    "orange": "#c05318",
    "teal": "#157f6b",
    "pale_blue": "#adc2db",
    "pale_orange": "#e8c1ab",
    "pale_teal": "#abd1ca",
}
"""Colours by name, on white paper: all but grid and pale contrast with it by 4.5 and more, and ink does with pale."""
DARK = {
    "ink": "#e6ebf0",
    "muted": "#9aa7b4",
    "grid": "#2c353f",
    "paper": "#12171d",
    "blue": "#6ea6ec",
    "orange": "#f0935a",
    "teal": "#6fe0bd",
    "pale_blue": "#334a68",
    "pale_orange": "#624433",
    "pale_teal": "#335f57",
}
"""The same for a page that is dark: what a themed picture's CSS variables are set to there."""
INK, MUTED, GRID, PAPER = (LIGHT[name] for name in ("ink", "muted", "grid", "paper"))
BLUE, ORANGE, TEAL = (LIGHT[name] for name in ("blue", "orange", "teal"))
PALE = {LIGHT[name]: LIGHT[f"pale_{name}"] for name in ("blue", "orange", "teal")}
"""The pale neighbour of a colour, in which what is told apart from it in grey is drawn."""
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.labelcolor": MUTED,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.hashsalt": "chipcast",
    "svg.fonttype": "path",
    "path.simplify": False,
    "figure.dpi": 160,
    "savefig.dpi": 160,
}


def style() -> AbstractContextManager[None]:
    """Set everything that drawing depends on, whatever the user's own settings are."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **STYLE}
    del settings["backend"]
    return mpl.rc_context(settings)
