"""The book of 27 May 2024, run once, and a row of scores to be changed by hand."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from sim import forecast, history
from sim.backtest import vintages
from sim.backtest.opponents import METHODS, RANDOM_WALK
from sim.backtest.scoreboard import Scoreboard
from sim.backtest.scored import OURS, Case, Scored, summaries
from sim.backtest.vintages import CONSENSUS
from sim.book.load import priors_folder
from sim.fit.record import Record, record
from sim.world import World

DRAWS = 2_048
UNSCALED = {group: dict.fromkeys(METHODS, 1.0) for group in ("company", "total")}
ROW = Scored(
    metric="capex, total, years",
    quantity="capex[reported,2024]",
    made="2024-05-27",
    time=2024,
    horizon=0.75,
    truth=223.0,
    method=OURS,
    p05=167.2,
    p50=196.1,
    p95=234.4,
    crps=0.08,
    log_score=-0.5,
    pit=0.896,
    covered=(False, True, True),
    width=0.338,
    bias=-0.128,
)


@pytest.fixture(scope="session")
def folder() -> Path:
    """The cited history."""
    return priors_folder() / "history"


@pytest.fixture(scope="session")
def capex_rows(folder: Path) -> list[history.Row]:
    """Every cited figure of capital expenditure."""
    return history.read(folder / "capex.csv")


@pytest.fixture(scope="session")
def annual(capex_rows: list[history.Row]) -> Record:
    """The annual record known on 27 May 2024."""
    return record(capex_rows, as_of=dt.date(2024, 5, 27))


@pytest.fixture(scope="session")
def spring() -> World:
    """The book of 27 May 2024. Tests only read it."""
    return forecast.load("2024-05-27")


@pytest.fixture(scope="session")
def spring_cases(spring: World, base_world: World, folder: Path, annual: Record) -> dict[str, Case]:
    """Its forecasts and those of its opponents, without spread factors, by figure."""
    made = vintages.cases(spring, base_world, folder, annual, UNSCALED, draws=DRAWS)
    return {case.quantity: case for case in made}


@pytest.fixture
def row():
    """A scored forecast with some fields changed."""
    return lambda **changes: replace(ROW, **changes)


@pytest.fixture
def board(row) -> Scoreboard:
    """Two books and their opponents, of one figure each year."""
    rows = [
        row(made="2024-02-08", pit=0.754, p50=202.4, p05=160, p95=260),
        row(
            made="2024-02-08",
            quantity="capex[reported,2025]",
            time=2025,
            truth=372.6,
            pit=0.91,
            p50=272,
            p05=180,
            p95=408,
        ),
        row(made="2024-05-27"),
        row(made="2024-05-27", method=CONSENSUS, p50=199.3, crps=0.1),
        row(
            made="2024-05-27",
            metric="NVIDIA data centre, years",
            quantity="line[nvidia,2024]",
            p50=106,
            truth=111,
            pit=0.793,
        ),
        row(made="2024-05-27", method=RANDOM_WALK, crps=0.16),
    ]
    rolled = [
        row(made=str(y), time=y, method=m, crps=c) for y in (2010, 2011) for m, c in ((OURS, 0.2), (RANDOM_WALK, 0.25))
    ]
    return Scoreboard(
        scored_by=dt.date(2026, 2, 28),
        draws=20_480,
        seed=0,
        vintages=("2024-02-08", "2024-05-27"),
        rows=tuple(rows),
        summary=tuple(summaries(rows, block=1, pooled="all figures")),
        rolling=tuple(rolled),
        rolling_summary=tuple(summaries(rolled, block=3)),
    )
