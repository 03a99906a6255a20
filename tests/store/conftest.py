import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sim.store import publish

SUPPLIERS = ["nvidia", "amd", "microsoft_maia", "=cmd()|'x'!A1", "Ünïcødé"]
TIME = ["2026Q1", "2026Q2", "2026Q3", "2026Q4"]


def make_tree(scale: float = 1.0, draws: int = 100) -> xr.DataTree:
    """A summary as a run leaves one; all its numbers grow with ``scale``."""
    rng = np.random.default_rng(draws)
    revenue = np.sort(rng.lognormal(size=(5, 5, 4)), axis=0).astype(np.float32) * np.float32(scale)
    summary = xr.Dataset(
        {
            "revenue": (("quantile", "supplier", "time"), revenue, {"units": "bn USD", "long_name": "revenue"}),
            "h100e_total": (("time",), revenue.sum((0, 1)), {"units": "M H100e", "long_name": "shipments"}),
            "shortfall": (("supplier", "time"), np.zeros((5, 4), np.float32), {"units": "M H100e", "long_name": "s"}),
        },
        coords={"quantile": [0.05, 0.25, 0.5, 0.75, 0.95], "supplier": SUPPLIERS, "time": TIME},
    )
    history = xr.Dataset(
        {"revenue": (("supplier", "quarter"), np.array([[1.5, np.nan]] * 5), {"units": "bn USD", "missing_ok": 1})},
        coords={"supplier": SUPPLIERS, "quarter": ["2025Q3", "2025Q4"]},
    )
    constant = xr.Dataset({"name": ("supplier", SUPPLIERS), "as_of": "2026-02-28"}, coords={"supplier": SUPPLIERS})
    groups = {"/prior_predictive": summary, "/observed_data": history, "/constant_data": constant}
    return xr.DataTree.from_dict(groups)


def make_part(first: int, last: int) -> tuple[int, int, xr.Dataset]:
    """Draws ``first`` to ``last``; the value of a draw is its index plus a tenth of its quarter."""
    draw = np.arange(first, last + 1, dtype=np.float32)
    values = draw + np.arange(4, dtype=np.float32)[:, None] / 10 + np.zeros((5, 1, 1), np.float32)
    data = {"revenue": (("supplier", "time", "draw"), values, {"units": "bn USD"})}
    return first, last, xr.Dataset(data, coords={"supplier": SUPPLIERS, "time": TIME})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs are announced to ``io.before`` all the same; waiting for the disk is most of the time and shows nothing."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture
def tree() -> xr.DataTree:
    return make_tree()


def make_run() -> dict[str, Any]:
    config = {"as_of": "2026-02-28", "book": "ab" * 32, "seed": 0, "sampler": "mc"}
    return {"config": config | {"stream_version": 1}, "scenario": "base", "device": "cpu", "dtype": "float32"}


@pytest.fixture
def run() -> dict[str, Any]:
    return make_run()


@pytest.fixture
def part() -> Callable[[int, int], tuple[int, int, xr.Dataset]]:
    return make_part


@pytest.fixture
def trees() -> Callable[..., xr.DataTree]:
    return make_tree


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("original") / "runs"
    return publish(out, make_run(), make_tree(), [make_part(0, 19), make_part(20, 29)], draws=100)


@pytest.fixture
def published(tmp_path: Path, original: Path) -> Path:
    """A run of 100 draws, of which 30 are kept in two parts."""
    shutil.copytree(original.parent, tmp_path / "runs")
    return tmp_path / "runs" / original.name
