"""One report of a small run and a scenario of it, computed once for all test processes, with few draws and pairs."""

import dataclasses
import fcntl
import pickle
from pathlib import Path
from typing import NamedTuple

import pytest

from sim import forecast
from sim.report import Contents, contents, html

DRAWS, PAIRS = 2_048, 512
SCENARIO = "custom_silicon"
SHOWN = ("revenue", "h100e", "capex", "binding")
FEW = ("capex_drift", "price", "supplier_walk", "wave", "tokens")


class Made(NamedTuple):
    """A report: the folders of its runs, what it says, and its page."""

    runs: list[Path]
    contents: Contents
    page: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Made:
    """A base run and a scenario beside it, in the folder that test processes share. Tests only read it."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if hasattr(request.config, "workerinput") else folder
    kept = folder / "report.pickle"
    with (folder / "report.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_made(folder / "report-runs")))
        found: Made = pickle.loads(kept.read_bytes())
    return found


def _made(out: Path) -> Made:
    worlds = [forecast.load(name) for name in ("base", SCENARIO)]
    trees = [forecast.run(world, draws=DRAWS, seed=7, out=out) for world in worlds]
    runs = [out / str(tree.attrs["run"]) for tree in trees]
    found = contents(runs, draws=DRAWS, pairs=PAIRS)
    return Made(runs, found, html(found))


@pytest.fixture(scope="session")
def short(made: Made) -> str:
    """The page with every section, but a few priors, tables, scores and published points instead of all."""
    contents, told = made.contents, made.contents.sensitivities[0]
    swings = tuple(each for each in told.swings if each.prior in FEW)
    rows = tuple(row for row in contents.first.rows if row.output in SHOWN or row.label == "foundry")
    past = contents.past
    return html(
        dataclasses.replace(
            contents,
            shown=(dataclasses.replace(contents.first, rows=rows), *contents.shown[1:]),
            beliefs=tuple(contents.belief(name) for name in FEW),
            changed=(contents.changed[0][:1],),
            sensitivities=(dataclasses.replace(told, swings=swings, elasticities=told.elasticities[:0]),),
            standings=tuple(each for each in contents.standings if not each.over),
            past=dataclasses.replace(past, dated=past.dated[-6:], rolling=past.rolling[:2]),
            correlated=contents.correlated[:2],
        )
    )
