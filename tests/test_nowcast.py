"""Shipments to date against Epoch AI's, and how the forecast opens from them.

Epoch's estimates are a peer's, published after the book's date; no prior here is taken from their units or H100e but
Trainium's units, so Trainium's centre is a consistency check only and its width is no test at all.
"""

import csv

import numpy as np
import pytest

from sim import engine, world
from sim.book.load import priors_folder
from sim.book.schema import Citation

DRAWS = 16_384
STARTS = {"nvidia": "2022Q1", "google_tpu": "2023Q1", "amd": "2024Q1", "amazon_trainium": "2024Q1"}
ENDS = ("2023Q4", "2024Q4", "2025Q4")
CASES = [(supplier, end) for supplier, start in STARTS.items() for end in ENDS if end > start]
WIDTH = {"nvidia": 0.2, "google_tpu": 0.2, "amd": 0.4}


def drawn(built, *names):
    """Chosen flows [time, supplier, draw] of a fixed seed."""
    blocks = [{name: block.flows[name] for name in names} for block in engine.blocks(built, 0, 0, DRAWS)]
    return [np.concatenate([block[name] for block in blocks], axis=-1) for name in names]


@pytest.fixture(scope="module")
def flows(base_world):
    """H100e by 16 and 8 bits and revenue [time, supplier, draw]; by default up to 2026Q4."""
    last = base_world.book.axes["time"].index("2026Q4") + 1
    names = ("h100e", "h100e8", "revenue")
    return {name: flow[:last].copy() for name, flow in zip(names, drawn(base_world, *names), strict=True)}


@pytest.fixture(scope="module")
def peer():
    with (priors_folder() / "history" / "shipments.csv").open(encoding="utf-8") as file:
        return {row["key"]: float(row["value"]) for row in csv.DictReader(file)}


def cumulative(built, h100e8, supplier, end):
    """H100e, 8-bit, from the start of the supplier's series there to the end of a quarter [draw]."""
    time = built.book.axes["time"]
    window = slice(time.index(STARTS[supplier]), time.index(end) + 1)
    return h100e8[window, built.book.axes["supplier"].index(supplier)].sum(axis=0, dtype=np.float64)


def log_width(values):
    low, high = np.quantile(values, [0.05, 0.95])
    return np.log(high / low)


@pytest.mark.parametrize(("supplier", "end"), CASES)
def test_nowcast__median_lies_within_epochs_band(base_world, flows, peer, supplier, end):
    median = np.median(cumulative(base_world, flows["h100e8"], supplier, end))
    assert peer[f"{supplier}.cum_h100e_p5.{end}"] < median < peer[f"{supplier}.cum_h100e_p95.{end}"]


@pytest.mark.parametrize(("supplier", "end"), [case for case in CASES if case[0] in WIDTH])
def test_nowcast__is_as_wide_as_epochs(base_world, flows, peer, supplier, end):
    """Smallest defect seen: a width off by the tolerance; its Monte Carlo error at 16,384 draws is about 1 %."""
    theirs = np.log(peer[f"{supplier}.cum_h100e_p95.{end}"] / peer[f"{supplier}.cum_h100e_p5.{end}"])
    ours = log_width(cumulative(base_world, flows["h100e8"], supplier, end))
    assert ours / theirs == pytest.approx(1, abs=WIDTH[supplier])


def test_nowcast__correlation_of_prices_sets_the_width(base_world, flows):
    book = base_world.book
    prices = [pair for pair in book.correlated if all(name.startswith("price[") for name in pair)]
    assert {book.correlated[pair] for pair in prices} == {0.5}
    apart = world.build(book.model_copy(update={"correlated": book.correlated | dict.fromkeys(prices, 0.0)}))
    (h100e8,) = drawn(apart, "h100e8")
    without = cumulative(apart, h100e8, "nvidia", "2025Q4")
    with_it = cumulative(base_world, flows["h100e8"], "nvidia", "2025Q4")
    assert 1.36 <= log_width(with_it) / log_width(without) <= 1.56
    assert np.median(with_it) / np.median(without) == pytest.approx(1, abs=0.02)


def test_priors__cite_no_units_or_h100e_of_epoch_but_trainiums(base_world):
    for name, prior in base_world.book.priors.items():
        cited = [source for source in prior.source if isinstance(source, Citation)]
        assert not any(source.cite == "history/shipments" for source in cited), name
        counts = [source.where for source in cited if source.cite == "history/peer_inputs" and "units" in source.where]
        assert not counts or name == "units_band", (name, counts)
        assert all(where.startswith("amazon_trainium.") for where in counts)


def growth(built, flows):
    """Growth of each supplier's median revenue over each quarter [quarter, supplier], by the quarter it ends in."""
    median = np.median(flows["revenue"], axis=-1)
    return {
        quarter: median[t] / np.where(median[t - 1] > 0, median[t - 1], np.nan) - 1
        for t, quarter in enumerate(built.book.axes["time"][: len(median)])
        if t > 0
    }


def test_handover__nvidia_grows_as_it_did(base_world, flows):
    grown, nvidia = growth(base_world, flows), base_world.book.axes["supplier"].index("nvidia")
    past = [grown[f"{year}Q{n}"][nvidia] for year in (2024, 2025) for n in (1, 2, 3, 4)]
    assert min(past) <= grown["2026Q1"][nvidia] <= max(past)


def reported_quarters(built, supplier):
    """Quarters with revenue by report or by a dated band: those of a back-cast are no report."""
    if built.book.world.suppliers[supplier].revenue == "backcast":
        return []
    covered = built.record.cover[:, built.book.axes["supplier"].index(supplier)]
    return [t for t in range(built.record.handover + 1) if covered[t] > 0]


def test_handover__no_series_jumps(base_world, flows):
    grown, axes = growth(base_world, flows), base_world.book.axes
    for i, supplier in enumerate(axes["supplier"]):
        step = grown["2026Q1"][i]
        if len(reported_quarters(base_world, supplier)) >= 8:
            begun = axes["time"].index(STARTS[supplier])
            past = [grown[axes["time"][t]][i] for t in range(begun + 1, base_world.record.handover + 1)]
            assert abs(np.log1p(step)) <= np.max(np.abs(np.log1p(past))), supplier
        else:
            assert abs(step) < 0.35, supplier


def test_handover__uncertainty_grows_smoothly(base_world, flows):
    """The sd of log total H100e never falls by 10 % nor rises by 50 % in a quarter from 2025Q3 to 2026Q4."""
    time = base_world.book.axes["time"]
    sd = np.log(flows["h100e"].sum(axis=1)).std(axis=-1)[time.index("2025Q3") : time.index("2026Q4") + 1]
    steps = sd[1:] / sd[:-1]
    assert len(steps) == 5
    assert np.all((steps > 0.9) & (steps < 1.5))
    assert sd[-1] > sd[0]
