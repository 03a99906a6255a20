"""One figure of each kind, on numbers of a shape that runs have, with names that a caller may choose."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from sim import figures

LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
YEARS = ["2026", "2027", "2028"]


def of_years(scale: float = 1.0) -> xr.DataArray:
    """Quantiles by year."""
    values = scale * np.outer([60, 80, 100, 130, 190], [1.0, 1.5, 2.0])
    return xr.DataArray(values, {"quantile": LEVELS, "time": YEARS}, ["quantile", "time"])


KINDS = ("fan", "headline", "tornado", "waterfall", "stacked", "scenarios", "intervals")


def drawn(name: str = "NVIDIA", kinds: Sequence[str] = KINDS, **words: object) -> dict[str, Figure]:
    """A figure of each of these kinds, with this name wherever there is one."""
    told: dict = {"title": name, "unit": name, "sources": name, **words}
    series = [figures.Series(name, None, of_years(scale)) for scale in (1, 1.2)]
    panel = figures.Panel(name, name, "2026-02-28", series)
    row = figures.Row(name, 60, 80, 100, 130, 190, [(name, 95), (name, 96), (name, 180)])
    bars = [figures.Bar(name, 90, 100, 120), figures.Bar(name, 104, 100, 101)]
    shares = xr.DataArray(np.full((8, 3), 0.125), {"group": [f"{i}{name}" for i in range(8)], "time": YEARS})
    makers: dict[str, Callable[[], Figure]] = {
        "fan": lambda: figures.fan(None, of_years(), as_of="2026-02-28", **told),
        "headline": lambda: figures.headline([panel], **{key: told[key] for key in told if key != "unit"}),
        "tornado": lambda: figures.tornado(bars, **told),
        "waterfall": lambda: figures.waterfall([(name, 4.0), (name, -9.0)], start=(name, 100), end=(name, 95), **told),
        "stacked": lambda: figures.stacked(shares, **told),
        "scenarios": lambda: figures.scenarios(series, **told),
        "intervals": lambda: figures.intervals([row, row._replace(markers=())], **told),
    }
    return {kind: makers[kind]() for kind in kinds}


def texts(figure: Figure) -> list[str]:
    """All texts that a figure shows."""
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text() and text.get_visible()]


@pytest.fixture(scope="session")
def draw() -> Callable[..., dict[str, Figure]]:
    return drawn


@pytest.fixture(scope="session")
def shown() -> Callable[[Figure], list[str]]:
    return texts


@pytest.fixture(scope="session")
def quantiles_of_years() -> Callable[[float], xr.DataArray]:
    return of_years
