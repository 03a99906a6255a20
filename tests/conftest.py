"""What every test runs under: the CPU, and an error wherever two number types would mix silently; and one small run."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import pytest
from hypothesis import settings

from sim import devices

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_dtype_promotion", "strict")
devices.cache_programs()  # a program that one test process has compiled is read by the others

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from sim.engine import Engine
    from sim.world import World


class BaseRun(NamedTuple):
    """A run of the base book: its world, its folder and its tree as opened from there."""

    world: "World"
    folder: Path
    tree: "xr.DataTree"


@pytest.fixture(scope="session")
def base_world() -> "World":
    """The base book and its history, as shipped. Tests only read it."""
    from sim import forecast

    return forecast.load("base")


@pytest.fixture(scope="session")
def base_engine(base_world: "World") -> "Engine":
    """Draws of the base book, seed 7, on this process's CPU devices."""
    from sim.engine import Engine

    return Engine(base_world, 7, devices.mesh("cpu"))


@pytest.fixture(scope="session")
def base_cells(base_engine: "Engine") -> "np.ndarray":
    """All cells of the first 4,096 draws of the base book, seed 7 [cell, draw], simulated once."""
    import numpy as np

    return np.concatenate([cells for _, cells in base_engine.cells_of(range(16), 4096)], axis=1)


@pytest.fixture(scope="session")
def base_run(tmp_path_factory: pytest.TempPathFactory, base_world: "World") -> BaseRun:
    """4,096 draws of the base book, seed 7, stored with their draws in two parts. Tests only read it."""
    from sim import forecast
    from sim.forecast import runs

    world = base_world
    out = tmp_path_factory.mktemp("base") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "PART", 2048)
        tree = forecast.run(world, draws=4096, seed=7, out=out, keep_draws=True)
    return BaseRun(world, out / tree.attrs["run"], tree)


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def chipcast(monkeypatch, capsys, tmp_path):
    """Run the command line in this process, in an empty folder: ``chipcast("run", "--draws", "2048")``."""
    from sim import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("os.fsync", lambda handle: None)
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["chipcast", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        ended = Ended(caught.value.code or 0, *capsys.readouterr())
        assert "Traceback" not in ended.out + ended.err
        return ended

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def nothing_simulated(monkeypatch):
    """Fail the test where anything is simulated."""
    monkeypatch.setattr("sim.engine.Engine._sampled", lambda *_: pytest.fail("simulated"))
