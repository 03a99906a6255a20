"""The simulated base world: every invariant on every draw, the record reproduced, and what moves what."""

import csv
import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest

from sim import headline, reduce, simulate, world
from sim.book.load import priors_folder
from sim.distributions import Fixed, Normal
from sim.model.constants import A100_TFLOPS, H100_8BIT_TFLOPS, H100_TFLOPS, PRICE_YEAR

DRAWS = 2 * simulate.BLOCK
ROUNDING = 1e-5
"""Relative: MODEL.md's tolerance for invariants in float32."""


def simulated(built, draws=DRAWS, seed=0):
    """Flows [time, axis, draw] and beliefs by name [labels..., draw] of a world, in float64."""
    found = list(simulate.blocks(built, seed, 0, draws))
    flows = {
        name: np.concatenate([block.flows[name] for block in found], axis=-1).astype(np.float64)
        for name in found[0].flows
    }
    values = np.concatenate([block.values for block in found], axis=1).astype(np.float64)
    beliefs, start = {}, 0
    for name, shape in built.shapes.items():
        size = int(np.prod(shape))
        beliefs[name] = values[start : start + size].reshape(*shape, -1)
        start += size
    return SimpleNamespace(world=built, flows=flows, beliefs=beliefs, blocks=found)


@pytest.fixture(scope="module")
def base(base_world):
    return simulated(base_world)


def with_prior(book, name, table):
    prior = book.priors[name]
    return book.model_copy(
        update={"priors": book.priors | {name: prior.model_copy(update={"table": prior.table | table})}}
    )


def grouped(values, groups, size):
    """Sums [time, group, draw] of the rows of each group."""
    return np.stack([values[:, np.array(groups) == group].sum(axis=1) for group in range(size)], axis=1)


def line_up(base, name, step=None):
    """A property of every chip [chip, draw], successors as multiples of (or dates after) the chip they follow."""
    structure = base.world.structure
    rows = dict(zip(structure.catalogue, base.beliefs[name], strict=True))
    for i, (chip, before) in enumerate(structure.successors):
        if step is None:
            rows[chip] = rows[before]
        elif name == "launch":
            rows[chip] = rows[before] + base.beliefs[step][i]
        else:
            rows[chip] = rows[before] * base.beliefs[step][i]
    return np.stack([rows[chip] for chip in range(structure.chips)])


def test_flows__are_finite_and_never_negative(base):
    for name, flow in base.flows.items():
        assert np.isfinite(flow).all(), name
        assert np.all(flow >= 0), name
        assert flow.shape[-1] == DRAWS


def test_h100e__by_pair_is_that_by_supplier_and_by_buyer(base):
    structure, flows = base.world.structure, base.flows
    by_supplier = grouped(flows["pair_h100e"], structure.pair_supplier, structure.suppliers)
    by_buyer = grouped(flows["pair_h100e"], structure.pair_buyer, structure.buyers)
    np.testing.assert_allclose(by_supplier, flows["h100e"], rtol=ROUNDING, atol=1e-9)
    np.testing.assert_allclose(by_buyer, flows["buyer_h100e"], rtol=ROUNDING, atol=1e-9)
    np.testing.assert_allclose(flows["buyer_h100e"].sum(axis=1), flows["h100e"].sum(axis=1), rtol=ROUNDING)


def test_spend__by_buyer_is_revenue_by_supplier(base):
    spend, revenue = (base.flows[name].sum(axis=1) for name in ("accelerator_spend", "revenue"))
    np.testing.assert_allclose(spend, revenue, rtol=ROUNDING)


def attach_share(base):
    """Networking share [time, supplier, draw]: the record, then straight to the belief for the end of 2030."""
    record, axes = base.world.record, base.world.book.axes
    share = np.zeros((len(axes["time"]), len(axes["supplier"]), DRAWS))
    ahead, horizon = np.arange(len(axes["time"])) - record.handover, axes["time"].index("2030Q4") - record.handover
    path = np.clip(ahead / horizon, 0, 1)
    for i, supplier in enumerate(axes["reported_supplier"]):
        last = record.attach[:, i, None]
        at = axes["supplier"].index(supplier)
        share[:, at] = last + path[:, None] * (base.beliefs["attach_share_2030"][i] - last)
    return share


def prices(base):
    """Price of each chip [time, chip, draw]."""
    age = base.world.record.year[:, None, None] - np.maximum(line_up(base, "launch", "successor_cadence"), PRICE_YEAR)
    return line_up(base, "price", "successor_price") * np.exp(-base.beliefs["price_decline"] * np.maximum(age, 0))


def test_ai_capex__holds_the_accelerators_bought(base):
    buyers = base.world.structure.capex_buyers
    assert np.all(base.flows["ai_capex"] >= base.flows["accelerator_spend"][:, list(buyers)])


def test_spend__is_units_times_price(base):
    structure = base.world.structure
    paid = grouped(base.flows["chip_units"] * prices(base), structure.chip_supplier, structure.suppliers)
    hardware = base.beliefs["hardware_share"] * (1 - attach_share(base))
    np.testing.assert_allclose(paid, hardware * base.flows["revenue"], rtol=1e-4, atol=1e-9)  # launch dates in float32


def test_equivalents__are_units_times_performance(base):
    structure, units = base.world.structure, base.flows["chip_units"]
    of_suppliers = grouped(units, structure.chip_supplier, structure.suppliers)
    np.testing.assert_allclose(of_suppliers, base.flows["units"], rtol=ROUNDING, atol=1e-9)
    for name, performance, of_one in (
        ("h100e", line_up(base, "performance", "successor_performance"), H100_TFLOPS),
        ("h100e8", line_up(base, "performance_8bit", "successor_performance_8bit"), H100_8BIT_TFLOPS),
    ):
        made = grouped(units * performance / of_one, structure.chip_supplier, structure.suppliers)
        np.testing.assert_allclose(made, base.flows[name], rtol=ROUNDING, atol=1e-9)


def test_a100e__are_h100e_by_definition():
    assert headline.A100_PER_H100 == H100_TFLOPS / A100_TFLOPS == 989 / 312


def test_chips__not_launched_ship_nothing(base):
    """But for the first of a supplier whose series is reported or elicited by quarter: it carries the whole series."""
    structure, units = base.world.structure, base.flows["chip_units"]
    launch = line_up(base, "launch", "successor_cadence")
    carried_back = structure.backcast_suppliers
    first = {structure.chip_supplier.index(s) for s in range(structure.suppliers) if s not in carried_back}
    later = np.array([chip for chip in range(structure.chips) if chip not in first])
    early = base.world.record.year[:, None, None] < launch[later]
    assert early.mean() > 0.3
    assert np.all(units[:, later][early] == 0)


def test_chips__sold_as_their_maker_reported(base):
    """11 bn USD of Blackwell in FY25Q4, 4.6 of H20 in FY26Q1 (history/revenue), spread over quarters by days."""
    axes = base.world.book.axes
    sold = base.flows["chip_units"] * prices(base) / base.beliefs["hardware_share"][0]
    time, chip = axes["time"].index, axes["chip"].index
    blackwell = sold[:, [chip("b200"), chip("b300")]].sum(axis=1)
    for found, reported in (
        (blackwell[time("2024Q4")] * 65 / 92 + blackwell[time("2025Q1")] * 26 / 90, 11.0),
        (sold[time("2025Q1"), chip("h20")] * 64 / 90 + sold[time("2025Q2"), chip("h20")] * 27 / 91, 4.6),
    ):
        low, high = np.quantile(found, (0.05, 0.95))
        assert low < reported < high


def test_chips__withdrawn_ship_nothing(base):
    for i, chip in enumerate(base.world.structure.retiring):
        over = base.beliefs["retirement"][i] + base.beliefs["ramp"][chip] + 1e-3
        late = base.world.record.year[:, None] > over
        assert late.any()
        assert np.all(base.flows["chip_units"][:, chip][late] == 0)


def test_shipments__stay_within_capacity(base):
    """Packaging area shipped after the hand-over against capacity made again from the last quarter before it."""
    record, structure, axes = base.world.record, base.world.structure, base.world.book.axes
    area = line_up(base, "package_area")
    shipped = grouped(base.flows["chip_units"] * area, structure.chip_supplier, structure.suppliers)
    capacity = shipped[record.handover] / base.beliefs["capacity_use"]
    binding = 0
    for t in range(record.handover + 1, len(axes["time"])):
        year = axes["year"].index(axes["time"][t][:4])
        capacity = capacity * np.exp(base.beliefs["capacity_growth"][:, year] / 4)
        whole = record.cover[t] == 0
        assert np.all(shipped[t, whole] <= capacity[whole] * (1 + 1e-4))
        at_limit = (base.flows["shortfall"][t] > 0) & whole[:, None]
        np.testing.assert_allclose(shipped[t][at_limit], capacity[at_limit], rtol=1e-4)
        binding += at_limit.sum()
    assert binding > 1000


def test_shortfall__begins_at_the_handover(base):
    ahead = base.world.record.handover + 1
    assert np.all(base.flows["shortfall"][:ahead] == 0)
    assert (base.flows["shortfall"][ahead:] > 0).any(axis=(0, 2)).all()


def test_stocks__are_shipments_on_their_way_and_through_four_stages(base):
    """The installed base and its power, stepped again in float64."""
    record, structure, flows = base.world.record, base.world.structure, base.flows
    transit, lifetime = base.beliefs["transit"], base.beliefs["lifetime"]
    shape = (2, structure.buyers, DRAWS)
    chip_power = line_up(base, "system_power", "successor_power") * flows["chip_units"]
    per_h100e = grouped(chip_power, structure.chip_supplier, structure.suppliers) / np.maximum(flows["h100e"], 1e-30)
    pair_power = flows["pair_h100e"] * per_h100e[:, structure.pair_supplier]
    shipped = np.stack([flows["buyer_h100e"], grouped(pair_power, structure.pair_buyer, structure.buyers)], axis=1)
    moving, stages, retired = np.zeros(shape), np.zeros((4, *shape)), np.zeros(shape)
    for t in range(len(record.year)):
        waiting = moving + shipped[t]
        moving = waiting * transit / (1 + transit)
        out = stages / lifetime
        stages = stages - out
        stages[0] += waiting - moving
        stages[1:] += out[:3]
        retired += out[3]
        np.testing.assert_allclose(flows["installed"][t], stages.sum(axis=0)[0], rtol=1e-4, atol=1e-7)
        power = stages.sum(axis=0)[1] * base.beliefs["pue"]
        np.testing.assert_allclose(flows["power"][t], power, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(moving + stages.sum(axis=0) + retired, shipped.sum(axis=0), rtol=1e-9, atol=1e-9)


def test_cells__years_are_sums_of_quarters_and_shares_sum_to_one(base):
    block = base.blocks[0]
    cells = reduce.block_cells(base.world, block)
    first = base.world.book.axes["time"].index("2027Q1")
    year = base.world.book.axes["year"].index("2027")
    for name in ("units", "h100e", "revenue", "capex", "accelerator_spend", "pair_h100e", "chip_units"):
        flow = block.flows[name][first : first + 4].astype(np.float64).sum(axis=0)
        np.testing.assert_allclose(cells["year", name][: len(flow), year], flow, rtol=ROUNDING, atol=1e-9)
    for name in ("installed", "power"):
        flow = block.flows[name][first + 3]
        np.testing.assert_array_equal(cells["year", name][: len(flow), year], flow)
    share = cells["year", "revenue_share"]
    assert np.all(share >= 0)
    np.testing.assert_allclose(share[:-1].sum(axis=0), 1, rtol=ROUNDING)
    np.testing.assert_allclose(share[-1], 1)


def history(name):
    with (priors_folder() / "history" / f"{name}.csv").open(encoding="utf-8") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def test_fiscal_revenue__is_reported_in_every_draw(base):
    rows = history("revenue")
    years = ("FY2024", "FY2025", "FY2026")
    reported = {year: float(rows[f"nvidia.revenue_data_center.{year}"]["value"]) for year in years}
    assert reported == {"FY2024": 47.525, "FY2025": 115.186, "FY2026": 193.737}
    reported["FY2023"] = sum(float(rows[f"nvidia.revenue_data_center.FY23Q{n}"]["value"]) for n in (1, 2, 3, 4))
    table = reduce.tables(base.world)["fiscal_year", "fiscal_revenue"]
    for block in base.blocks:
        cells = reduce.block_cells(base.world, block)["fiscal_year", "fiscal_revenue"]
        for year, value in reported.items():
            np.testing.assert_allclose(cells[0, table.periods.index(year)], value, rtol=ROUNDING)


def test_revenue__is_the_reported_days_by_calendar_quarter(base):
    """NVIDIA's quarters spread day by day, those of a fiscal year scaled to the year, against every draw."""
    rows = history("revenue")
    daily: dict[dt.date, float] = {}
    for year in (22, 23, 24, 25, 26):
        keys = [key for n in (1, 2, 3, 4) if (key := f"nvidia.revenue_data_center.FY{year}Q{n}") in rows]
        annual = rows.get(f"nvidia.revenue_data_center.FY20{year}")
        factor = float(annual["value"]) / sum(float(rows[key]["value"]) for key in keys) if annual else 1
        for key in keys:
            start, end = (dt.date.fromisoformat(rows[key][name]) for name in ("start", "end"))
            days = (end - start).days + 1
            for n in range(days):
                daily[start + dt.timedelta(days=n)] = factor * float(rows[key]["value"]) / days
    at = base.world.book.axes["supplier"].index("nvidia")
    for t in range(base.world.record.handover + 1):
        quarter = base.world.book.axes["time"][t]
        year, number = int(quarter[:4]), int(quarter[-1])
        total = sum(v for day, v in daily.items() if day.year == year and (day.month + 2) // 3 == number)
        np.testing.assert_allclose(base.flows["revenue"][t, at], total, rtol=ROUNDING, err_msg=quarter)


@pytest.mark.parametrize("buyer", ["microsoft", "alphabet", "amazon", "meta"])
def test_capex__of_past_years_is_the_reported_one(base, buyer):
    rows, axes = history("capex"), base.world.book.axes
    for year in ("2022", "2023", "2024", "2025"):
        first = axes["time"].index(f"{year}Q1")
        made = base.flows["capex"][first : first + 4, axes["capex_buyer"].index(buyer)].sum(axis=0)
        np.testing.assert_allclose(made, float(rows[f"{buyer}.capex.{year}"]["value"]), rtol=ROUNDING)


@pytest.mark.parametrize("buyer", ["alphabet", "amazon", "meta"])
def test_capex__of_the_guided_year_is_guidance_times_bridge_and_beat(base, buyer):
    rows, axes = history("guidance"), base.world.book.axes
    own = [row for row in rows.values() if row["entity"] == buyer and row["period"] == "2026"]
    newest = [row for row in own if row["first_published"] == max(row["first_published"] for row in own)]
    middle = np.mean([float(row["value"]) for row in newest])
    i = axes["reported_buyer"].index(buyer)
    target = middle * base.beliefs["guidance_bridge"][i] * np.exp(base.beliefs["guidance_beat"][i])
    first = axes["time"].index("2026Q1")
    made = base.flows["capex"][first : first + 4, axes["capex_buyer"].index(buyer)].sum(axis=0)
    np.testing.assert_allclose(made, target, rtol=1e-4)


def test_growing_capacity__never_lowers_shipments(base):
    def faster(member):
        return Normal(family="normal", p05=member.p05 + 0.2, p95=member.p95 + 0.2)

    table = base.world.book.priors["capacity_growth"].table
    book = with_prior(base.world.book, "capacity_growth", {labels: faster(each) for labels, each in table.items()})
    more = simulated(world.build(book))
    for name in ("revenue", "units", "h100e"):
        change, size = more.flows[name] - base.flows[name], base.flows[name]
        assert np.all(change >= -ROUNDING * size), name
        ahead = slice(base.world.record.handover + 1, None)
        assert (change[ahead] > ROUNDING * size[ahead]).mean() > 0.1


def test_higher_ai_share__never_lowers_the_buyers_spend(base):
    prior = base.world.book.priors["ai_share_2030"].table["amazon",]
    higher = prior.__class__(family="beta", p05=0.6, p95=0.95)
    more = simulated(world.build(with_prior(base.world.book, "ai_share_2030", {("amazon",): higher})))
    axes = base.world.book.axes
    at = axes["capex_buyer"].index("amazon")
    raised = more.beliefs["ai_share_2030"][at] - base.beliefs["ai_share_2030"][at]
    assert raised.min() > 0
    buyer = axes["buyer"].index("amazon")
    spend = base.flows["accelerator_spend"][:, buyer]
    change = more.flows["accelerator_spend"][:, buyer] - spend
    assert np.all(change >= -ROUNDING * spend)
    assert (change[-1] > 0.01 * spend[-1]).mean() > 0.5
    others = [i for i in range(len(axes["capex_buyer"])) if i != at]
    np.testing.assert_array_equal(more.beliefs["ai_share_2030"][others], base.beliefs["ai_share_2030"][others])


def test_no_widths__give_the_same_path_in_every_draw(base):
    book = base.world.book
    priors = {}
    for name, prior in book.priors.items():
        medians = {labels: Fixed(family="fixed", value=float(each.ppf(0.5))) for labels, each in prior.table.items()}
        priors[name] = prior.model_copy(update={"table": medians})
    (only,) = simulate.blocks(world.build(book.model_copy(update={"priors": priors, "correlated": {}})), 0, 0, 1000)
    assert only.values.shape[1] == 1000
    for name, flow in only.flows.items():
        np.testing.assert_array_equal(flow, np.broadcast_to(flow[..., :1], flow.shape), err_msg=name)
    revenue = base.flows["revenue"].sum(axis=1)
    inside = np.quantile(revenue, [0.2, 0.8], axis=-1)
    path = only.flows["revenue"].sum(axis=1)[:, 0]
    assert np.all((inside[0] * (1 - ROUNDING) <= path) & (path <= inside[1] * (1 + ROUNDING)))


def test_totals__are_made_in_the_draw(base):
    """The sum of the suppliers' P95 is 10 to 23 % above the P95 of their sum: 3 % would show quantiles being added."""
    axes = base.world.book.axes
    for year in ("2026", "2027", "2028", "2029", "2030"):
        first = axes["time"].index(f"{year}Q1")
        h100e = base.flows["h100e"][first : first + 4].sum(axis=0)
        of_total = np.quantile(h100e.sum(axis=0), 0.95)
        assert np.quantile(h100e, 0.95, axis=-1).sum() > 1.03 * of_total
        cells = reduce.block_cells(base.world, base.blocks[0])["year", "h100e"][:, axes["year"].index(year)]
        np.testing.assert_allclose(cells[-1], cells[:-1].sum(axis=0), rtol=ROUNDING)
