"""The contents of the shipped vintages: dated books that hold nothing later than their date, and what they forecast."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import sim
from sim import history
from sim.book.load import load, priors_folder, shipped
from sim.book.schema import Book, Citation
from sim.history import Row
from sim.world import build

HANDOVERS = {"2024-02-08": "2023Q4", "2024-05-27": "2024Q1", "2024-09-01": "2024Q2", "2025-02-12": "2024Q4"}
GUIDED = {
    "2024-02-08": {"meta": 33.5},
    "2024-05-27": {"alphabet": 48, "amazon": 56, "meta": 37.5},
    "2024-09-01": {"alphabet": 49.2, "amazon": 61, "meta": 38.5},
    "2025-02-12": {"alphabet": 75, "amazon": 100, "meta": 62.5},
}
"""Middle of the newest range [bn USD] for the calendar year after the hand-over."""
OUTLOOKS = {"2024-02-08": 20, "2024-05-27": 28, "2024-09-01": 32.5, "2025-02-12": 37.5}
"""NVIDIA's outlook in force [bn USD]."""
DRAWS = 4_096
WIDEST = 4
"""P99 over P1 of the four-company capex of the following year may not exceed this."""
FRESH = timedelta(days=183)
"""A consensus older than this is no longer the market's."""

pytestmark = pytest.mark.parametrize("vintage", HANDOVERS)


@cache
def rows(file: str) -> dict[str, Row]:
    return {row.key: row for row in history.read(priors_folder() / f"{file}.csv")}


def citations(book: Book) -> list[tuple[str, Citation]]:
    dated = [(name, prior.source) for name, prior in book.priors.items()]
    dated += [(str(each.within or each.between), each.source) for each in book.correlations]
    return [(name, source) for name, sources in dated for source in sources if isinstance(source, Citation)]


@cache
def capex(vintage: str, folder: Path) -> xr.DataArray:
    """Quantiles of the four companies' capex by year."""
    cells = sim.run(sim.load(vintage), draws=DRAWS, seed=0, out=folder / vintage)["prior_predictive/year"]["capex"]
    return cells.sel(capex_buyer="reported").load()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vintages")


def test_vintage__is_shipped_and_starts_from_the_last_quarter_that_all_four_published(vintage):
    book = load(vintage)
    record = build(book).record
    assert shipped()[vintage] == book.as_of == date.fromisoformat(vintage)
    assert book.axes["time"][record.handover] == HANDOVERS[vintage]


def test_vintage__has_the_buyers_and_suppliers_of_the_base_book(vintage):
    book, base = load(vintage), load()
    assert book.axes["time"] == base.axes["time"]
    assert (book.axes["buyer"], book.axes["supplier"]) == (base.axes["buyer"], base.axes["supplier"])
    assert book.axes["pair"] == base.axes["pair"]


def test_vintage__holds_no_later_fact(vintage):
    book = load(vintage)
    assert {name for name, prior in book.priors.items() if prior.as_of > book.as_of} == set()
    later = {
        (name, source.cite, source.where) for name, source in citations(book) if published(book, source) > book.as_of
    }
    assert later == set()


def published(book: Book, source: Citation) -> date:
    if source.cite.startswith("history/"):
        return rows(source.cite)[source.where].published
    return book.references[source.cite].published


def test_vintage__cites_nothing_made_in_hindsight(vintage):
    for name, source in citations(load(vintage)):
        assert source.cite != "history/peer_inputs", name
        if source.cite.startswith("history/"):
            row = rows(source.cite)[source.where]
            assert row.source_kind != "retrospective_input", (name, row.key)
            assert not row.note.lower().startswith("retrospective"), (name, row.key)


def test_vintage__is_guided_by_what_was_said(vintage):
    record = build(load(vintage)).record
    buyers = load(vintage).axes["reported_buyer"]
    said = {buyer: target for buyer, target in zip(buyers, record.guidance.target.tolist(), strict=True) if target}
    assert said == pytest.approx(GUIDED[vintage])
    assert record.outlook.sum() == pytest.approx(OUTLOOKS[vintage])


def test_vintage__knows_chips_by_their_announcement(vintage):
    """A chip that was not announced is a successor by multiples; every supplier's line reaches past 2028."""
    book = load(vintage)
    announced = {
        "b200": "2024-03-18", "tpu_v6e": "2024-05-14", "mtia_v2": "2024-04-10", "mi325x": "2024-06-03",
        "ascend_910c": "2024-08-13", "mi355x": "2024-06-03", "b300": "2025-03-18", "rubin": "2025-03-18",
        "tpu_v7": "2025-04-09", "mi400": "2025-06-12", "maia_200": "2026-01-26",
    }  # fmt: skip
    early = {chip for chip in book.axes["catalogue_chip"] if announced.get(chip, "") > vintage}
    assert early == set()
    ends = {}
    for name, chip in book.world.chips.items():
        if chip.follows is None:
            ends[name] = book.priors["launch"].table[(name,)].quantile(0.5)
        else:
            ends[name] = ends[chip.follows] + book.priors["successor_cadence"].table[(name,)].quantile(0.5)
    last = {chip.supplier: max(ends[n] for n, c in book.world.chips.items() if c.supplier == chip.supplier)
            for chip in book.world.chips.values()}  # fmt: skip
    assert min(last.values()) > 2026
    assert min(last[name] for name in ("nvidia", "amd", "google_tpu", "amazon_trainium")) > 2028.5


def test_vintage__contains_the_consensus_of_its_day(vintage, folder):
    as_of = date.fromisoformat(vintage)
    forecast = capex(vintage, folder)
    given = [
        row
        for row in rows("history/capex").values()
        if row.entity == "four" and row.metric == "capex_consensus" and "report HT24" in row.source
        and as_of - FRESH < row.published <= as_of and int(row.period) - as_of.year in (0, 1)
    ]  # fmt: skip
    assert (len(given) > 0) == (vintage in ("2024-05-27", "2024-09-01"))
    for row in given:
        low, high = forecast.sel(year=row.period, quantile=[0.01, 0.99]).values
        assert low < row.value < high


def test_vintage__is_no_wider_next_year_than_a_factor_of_four(vintage, folder):
    forecast = capex(vintage, folder)
    year = int(vintage[:4])
    low, high = forecast.sel(year=str(year + 1), quantile=[0.01, 0.99]).values
    assert high / low < WIDEST
    now = forecast.sel(year=str(year), quantile=[0.01, 0.99]).values
    assert 1 < now[1] / now[0] < high / low
    assert np.all(np.diff(forecast.sel(year=str(year)).values) > 0)
