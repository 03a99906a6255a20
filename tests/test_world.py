"""The world: indices that join the axes, and the record against figures worked out from the history files by hand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import sim
from sim import history, world
from sim.axes import INPUTS
from sim.book.load import load, priors_folder
from sim.errors import BookError
from tests.simulated import our_cells, path

HISTORY = priors_folder() / "history"


@pytest.fixture(scope="module")
def base(base_world):
    return base_world


@pytest.fixture(scope="module")
def figures():
    """Every shipped figure of capex, guidance and revenue by key."""
    files = ("capex", "guidance", "revenue")
    return {row.key: row.value for file in files for row in history.read(HISTORY / f"{file}.csv")}


def quarter(base, name: str) -> int:
    return base.book.axes["time"].index(name)


def supplier(base, name: str) -> int:
    return base.book.axes["supplier"].index(name)


def test_structure__indices_name_what_the_book_names(base):
    axes, spec, structure = base.book.axes, base.book.world, base.structure
    pairs = zip(structure.pair_buyer, structure.pair_supplier, strict=True)
    assert tuple(f"{axes['buyer'][b]}/{axes['supplier'][s]}" for b, s in pairs) == axes["pair"]
    assert [axes["supplier"][s] for s in structure.chip_supplier] == [chip.supplier for chip in spec.chips.values()]
    assert tuple(axes["chip"][c] for c in structure.catalogue) == axes["catalogue_chip"]
    assert {axes["chip"][c] for c in structure.retiring} == {"h20", "mi300a"}
    follows = {axes["chip"][chip]: axes["chip"][before] for chip, before in structure.successors}
    assert follows == {name: chip.follows for name, chip in spec.chips.items() if chip.follows}
    assert [axes["chip"][chip] for chip, _ in structure.successors] == list(axes["successor_chip"])
    assert (structure.buyers, structure.suppliers, structure.chips) == (8, 9, 43)


def test_structure__splits_buyers_and_suppliers_by_how_they_are_known(base):
    axes, structure = base.book.axes, base.structure
    assert [axes["buyer"][b] for b in structure.reported_buyers] == ["microsoft", "alphabet", "amazon", "meta"]
    assert [axes["buyer"][b] for b in structure.elicited_buyers] == ["oracle"]
    assert [axes["buyer"][b] for b in structure.direct_buyers] == ["neocloud", "china", "rest"]
    kinds = ("reported", "band", "units", "backcast")
    every = [index for kind in kinds for index in getattr(structure, f"{kind}_suppliers")]
    assert sorted(every) == list(range(structure.suppliers))
    assert [axes["supplier"][s] for s in structure.reported_suppliers] == ["nvidia", "google_tpu"]


def test_indices__of_years_and_seasons(base):
    time = base.book.axes["time"]
    assert (time[0], time[-1], len(time)) == ("2022Q1", "2030Q4", 36)
    assert base.year_index.tolist() == [i // 4 for i in range(36)]
    assert base.season_index.tolist() == [0, 1, 2, 3] * 9
    assert base.record.year[[0, 35]].tolist() == [2022.125, 2030.875]


def test_record__hands_over_after_the_last_quarter_that_all_report(base):
    assert base.book.axes["time"][base.record.handover] == "2025Q4"
    assert (base.record.capex[: base.record.handover + 1] > 0).all()
    assert (base.record.capex[base.record.handover + 1 :] == 0).all()


def test_record__puts_amazons_gross_quarters_on_the_years_net(base, figures):
    amazon = base.record.capex[:, base.book.axes["reported_buyer"].index("amazon")]
    gross = np.array([figures[f"amazon.capex_quarter.2025Q{n}"] for n in (1, 2, 3, 4)])
    last = quarter(base, "2025Q1")
    assert gross.sum() > 130
    np.testing.assert_allclose(amazon[last : last + 4], gross * 128.32 / gross.sum(), rtol=1e-12)
    for i, year in enumerate(("2022", "2023", "2024", "2025")):
        assert amazon[4 * i : 4 * i + 4].sum() == pytest.approx(figures[f"amazon.capex.{year}"], rel=1e-12)


def test_record__growth_compares_two_quarters_with_the_two_a_quarter_earlier(base):
    total, growth = base.record.capex.sum(axis=1), base.record.capex_growth
    last = base.record.handover
    assert growth[last] == pytest.approx((total[last] + total[last - 1]) / (total[last - 1] + total[last - 2]))
    assert (growth[:2] == 1).all()
    assert (growth[last + 1 :] == 1).all()


def test_record__guidance_is_the_middle_of_the_newest_range(base, figures):
    found, record = base.record.guidance, base.record
    buyers = base.book.axes["reported_buyer"]
    assert found.year == "2026"
    assert dict(zip(buyers, found.target, strict=True)) == {
        "microsoft": 0,
        "alphabet": 180,
        "amazon": 200,
        "meta": 125,
    }
    guides = [key for key in figures if key.startswith("meta.guidance_") and ".2026@" in key]
    newest = max(key.split("@")[1] for key in guides)
    assert np.mean([figures[key] for key in guides if key.endswith(newest)]) == 125
    assert (found.reported == 0).all()
    assert found.open_quarters.tolist() == [[False, True, True, True]] * 4
    assert [base.book.axes["time"][t] for t in range(36) if found.guided[t].any()] == [
        f"2026Q{n}" for n in (1, 2, 3, 4)
    ]
    assert (found.guided[record.handover + 1] == found.open_quarters[0]).all()


def test_record__reported_is_the_part_of_days_reported(base):
    part = base.record.reported
    assert part[quarter(base, "2025Q4"), supplier(base, "google_tpu")] == pytest.approx(33 / 92, rel=1e-14)
    assert part[quarter(base, "2026Q1"), supplier(base, "nvidia")] == pytest.approx(25 / 90, rel=1e-14)
    assert (part[: quarter(base, "2025Q4")] == 1).all()
    others = [i for i, name in enumerate(base.book.axes["supplier"]) if name not in ("nvidia", "google_tpu")]
    assert (part[: base.record.handover + 1, others] == 1).all()
    assert (part[base.record.handover + 1 :, others] == 0).all()
    assert (part[quarter(base, "2026Q2") :] == 0).all()


def test_record__outlook_of_nvidia_is_spread_over_its_days(base, figures):
    """78.0 bn USD from 26 January to 26 April 2026: 65 of 91 days in the first quarter, 26 in the second."""
    outlook = base.record.outlook
    nvidia = base.book.axes["reported_supplier"].index("nvidia")
    assert figures["nvidia.revenue_guidance.FY27Q1@2026-02-25"] == 78
    assert outlook[quarter(base, "2026Q1"), nvidia] == pytest.approx(78 * 65 / 91, rel=1e-12)
    assert outlook[quarter(base, "2026Q2"), nvidia] == pytest.approx(78 * 26 / 91, rel=1e-12)
    assert outlook.sum() == pytest.approx(78, rel=1e-12)  # nobody else gives one


def test_record__cover_counts_every_day_once(base):
    """What is reported and what is under outlook, from the day after on: 25 and 65 of 90 days, then 26 of 91."""
    cover, reported = base.record.cover, base.record.reported
    nvidia = supplier(base, "nvidia")
    assert cover[quarter(base, "2026Q1"), nvidia] == 1
    assert cover[quarter(base, "2026Q1"), nvidia] - reported[quarter(base, "2026Q1"), nvidia] == pytest.approx(65 / 90)
    assert cover[quarter(base, "2026Q2"), nvidia] == pytest.approx(26 / 91, rel=1e-12)
    assert (cover[quarter(base, "2026Q3") :] == 0).all()
    assert ((reported <= cover) & (cover <= 1)).all()
    others = [i for i in range(cover.shape[1]) if i != nvidia]
    assert (cover[:, others] == reported[:, others]).all()


def test_record__the_ceiling_comes_into_force_over_the_year_after_guidance(base):
    reach = base.record.guidance.reach
    buyers = base.book.axes["reported_buyer"]
    first = quarter(base, "2026Q1")
    for buyer in ("alphabet", "amazon", "meta"):
        expected = [1, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1]
        assert reach[first - 1 : first + 9, buyers.index(buyer)].tolist() == expected
    assert (reach[:, buyers.index("microsoft")] == 1).all()  # guides no calendar year
    assert (reach[first + 8 :] == 1).all()


def test_record__line_is_nvidias_by_days_on_its_years_total(base, figures):
    factor = figures["nvidia.revenue_data_center.FY2026"] / sum(
        figures[f"nvidia.revenue_data_center.FY26Q{n}"] for n in (1, 2, 3, 4)
    )
    third, fourth = (figures[f"nvidia.revenue_data_center.FY26Q{n}"] * factor for n in (3, 4))
    line = base.record.line[:, base.book.axes["reported_supplier"].index("nvidia")]
    assert line[quarter(base, "2025Q4")] == pytest.approx(third * 26 / 91 + fourth * 66 / 91, rel=1e-12)
    assert line[quarter(base, "2026Q1")] == pytest.approx(fourth * 25 / 91, rel=1e-12)
    assert (line[quarter(base, "2026Q2") :] == 0).all()


def test_record__attach_share_lies_between_those_of_its_fiscal_quarters(base, figures):
    shares = [
        1 - figures[f"nvidia.revenue_dc_compute.FY26Q{n}"] / figures[f"nvidia.revenue_data_center.FY26Q{n}"]
        for n in (3, 4)
    ]
    assert shares == pytest.approx([0.160, 0.176], abs=1e-3)
    attach = base.record.attach[:, base.book.axes["reported_supplier"].index("nvidia")]
    assert shares[0] < attach[quarter(base, "2025Q4")] < shares[1]
    assert attach[quarter(base, "2026Q1")] == pytest.approx(shares[1], abs=5e-4)  # only its own days are reported
    assert (attach[quarter(base, "2026Q2") :] == attach[quarter(base, "2026Q1")]).all()  # carried on
    assert (base.record.attach[:, base.book.axes["reported_supplier"].index("google_tpu")] == 0).all()


def test_record__fiscal_weights_share_out_the_open_quarters(base, figures):
    (fiscal,) = base.record.fiscal
    assert (fiscal.supplier, fiscal.years) == ("nvidia", tuple(f"FY{year}" for year in range(2023, 2031)))
    inside = [
        t for t in range(36) if base.book.axes["time"][base.record.handover] < base.book.axes["time"][t] < "2030Q1"
    ]
    np.testing.assert_allclose(fiscal.weights[:, inside].sum(axis=0), 1, rtol=1e-12)
    assert (fiscal.weights[:, : quarter(base, "2026Q1")] == 0).all()  # reported days are not counted twice
    year = dict(zip(fiscal.years, fiscal.weights, strict=True))
    assert year["FY2027"][quarter(base, "2026Q1")] == 1
    assert year["FY2027"][quarter(base, "2027Q1")] == pytest.approx(31 / 90)
    assert year["FY2028"][quarter(base, "2027Q1")] == pytest.approx(59 / 90)
    assert year["FY2030"][quarter(base, "2030Q1")] == pytest.approx(27 / 90)  # to Sunday 27 January 2030
    known = dict(zip(fiscal.years, fiscal.known, strict=True))
    assert known["FY2026"] == pytest.approx(figures["nvidia.revenue_data_center.FY2026"], rel=1e-12)
    assert known["FY2027"] == 0


def test_entries__one_stream_and_element_for_every_number(base):
    entries = base.entries
    assert len({(entry.stream, entry.element) for entry in entries}) == len(entries)
    sizes = {name: int(np.prod(shape)) for name, shape in base.shapes.items()}
    assert list(sizes) == list(INPUTS)
    assert sum(sizes.values()) == len(entries)


def test_entries__elements_count_from_the_start_of_time_and_year(base):
    found = {(entry.stream, entry.element): entry.distribution for entry in base.entries}
    table = base.book.priors["capacity_growth"].table
    assert found["capacity_growth[nvidia]", 4] == table["nvidia", "2026"]
    assert found["capacity_growth[nvidia]", 5] == table["nvidia", "2027"]
    assert found["revenue_band[amd]", 8] == base.book.priors["revenue_band"].table["amd", "2024Q1"]
    assert found["capex_common_shock", 8] == base.book.priors["capex_common_shock"].table[("2030",)]
    assert found["shock_timing[Q4]", 0] == base.book.priors["shock_timing"].table[("Q4",)]
    assert found["price[b200]", 0] == base.book.priors["price"].table[("b200",)]


def test_entries__a_longer_horizon_keeps_every_stream_and_element(base):
    longer = {(e.stream, e.element) for e in sim.load(overrides={"horizon": "2032Q4"}).entries}
    assert {(e.stream, e.element) for e in base.entries} < longer


def edited_history(tmp_path: Path, file: str, *gone: str) -> Path:
    """The history files without the rows of some keys."""
    folder = tmp_path / "history"
    shutil.copytree(HISTORY, folder)
    path = folder / f"{file}.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.split(",")[0] not in gone]
    assert len(kept) == len(lines) - len(gone)
    path.write_text("".join(kept), encoding="utf-8")
    return folder


def test_build__hands_over_earlier_where_one_buyer_lacks_a_quarter(tmp_path, figures):
    found = world.build(load(), edited_history(tmp_path, "capex", "amazon.capex_quarter.2025Q4"))
    record, buyers = found.record, found.book.axes["reported_buyer"]
    assert found.book.axes["time"][record.handover] == "2025Q3"
    amazon, meta = buyers.index("amazon"), buyers.index("meta")
    before = figures["amazon.capex.2024"] / sum(figures[f"amazon.capex_quarter.2024Q{n}"] for n in (1, 2, 3, 4))
    net = [before * figures[f"amazon.capex_quarter.2025Q{n}"] for n in (1, 2, 3)]  # as the last year that is covered
    np.testing.assert_allclose(record.capex[12:15, amazon], net, rtol=1e-12)
    assert record.guidance.year == "2025"
    assert record.guidance.reported[amazon] == pytest.approx(sum(net))
    assert record.guidance.open_quarters[:, meta].tolist() == [True, False, False, False]
    newest = {"alphabet": "2025-10-29", "meta": "2025-10-29"}  # each raised its range of January or February
    for buyer, day in newest.items():
        guides = [figures[key] for key in figures if key.startswith(f"{buyer}.guidance_") and f".2025@{day}" in key]
        assert len(guides) == 2
        assert record.guidance.target[buyers.index(buyer)] == pytest.approx(np.mean(guides))


@pytest.mark.parametrize(
    ("file", "key"),
    [("capex", "meta.capex_quarter.2022Q1"), ("capex", "meta.capex_quarter.2022Q2")],
)
def test_build__refuses_a_gap_at_the_start_naming_the_buyer(tmp_path, file, key):
    with pytest.raises(BookError, match=r"2022Q1 on for meta; add rows with metric capex_quarter") as caught:
        world.build(load(), edited_history(tmp_path, file, key))
    assert caught.value.code == "history-missing"


APPLE = """
buyers:
  apple: {name: Apple, spending: reported, buys: [nvidia]}
"""
GUESS = """
  source: [{judgement: "A guess."}]
  reasoning: To see.
  as_of: 2026-02-28
"""
MONEY = {"operating_cash_flow": "apple"}
SHARES = {
    **{"ai_share": "apple", "net_income_share": "apple"},
    **{"owner_weight": "apple/nvidia", "owner_weight_2022": "apple/nvidia"},
}


def test_load__refuses_a_reported_buyer_without_history(tmp_path):
    path = tmp_path / "apple.yaml"
    guesses = [
        f"{name}:\n  dist: {{{label}: {{family: {family}, p05: 0.2, p95: 0.6}}}}{GUESS}"
        for names, family in ((SHARES, "beta"), (MONEY, "lognormal"))
        for name, label in names.items()
    ]
    path.write_text("".join([APPLE, *guesses]), encoding="utf-8")
    with pytest.raises(BookError, match=r"for apple; .*spending: elicited") as caught:
        sim.load(path)
    assert caught.value.code == "history-missing"


def test_load__refuses_a_reported_line_without_rows():
    with pytest.raises(BookError, match=r"suppliers.google_tpu: .*broadcom\.nothing; add rows of") as caught:
        sim.load(overrides={"suppliers.google_tpu.line": "broadcom.nothing"})
    assert caught.value.code == "history-missing"


@pytest.fixture(scope="module")
def few(base):
    """Revenue [time, supplier, draw], values by stream and revenue by fiscal year of 4,096 draws."""
    flows, values = path(base, 5, 0, 4096)
    rows = {entry.stream: values[i] for i, entry in enumerate(base.entries)}
    fiscal = our_cells(base, flows, values)["fiscal_year", "fiscal_revenue"][0]
    return flows["revenue"].astype(np.float64), rows, fiscal


def outlook_revenue(base, rows):
    """Data-centre revenue of the days under outlook [quarter, draw]: 2026Q1 and 2026Q2."""
    at = base.book.axes["reported_supplier"].index("nvidia")
    outlook = base.record.outlook[[quarter(base, "2026Q1"), quarter(base, "2026Q2")], at]
    rate = rows["outlook_share[nvidia]"] * np.exp(rows["outlook_beat[nvidia]"]) * rows["reported_share[nvidia]"]
    return outlook[:, None] * rate.astype(np.float64)


def test_outlook__fills_the_quarter_beside_the_reported_days(base, few):
    """2026Q1 of NVIDIA: 25 reported days and 65 under outlook, and nothing of the market."""
    revenue, rows, _ = few
    at = base.book.axes["reported_supplier"].index("nvidia")
    reported = base.record.line[quarter(base, "2026Q1"), at]
    expected = reported * rows["reported_share[nvidia]"] + outlook_revenue(base, rows)[0]
    np.testing.assert_allclose(revenue[quarter(base, "2026Q1"), supplier(base, "nvidia")], expected, rtol=1e-5)
    second = revenue[quarter(base, "2026Q2"), supplier(base, "nvidia")]
    assert np.all(second > outlook_revenue(base, rows)[1])  # 65 days of the market beside them


def test_outlook__of_the_supplier_lies_inside_the_band_of_its_days(base, few, figures):
    """78.0 bn USD of 2026-02-25 times the last quarter's data-centre share."""
    _, rows, _ = few
    share = figures["nvidia.revenue_data_center.FY26Q4"] / figures["nvidia.revenue_total.FY26Q4"]
    assert share == pytest.approx(0.914, abs=5e-4)
    low, high = np.quantile(outlook_revenue(base, rows).sum(axis=0), (0.05, 0.95))
    assert low < 78 * share < high


def test_fiscal__year_2027_is_put_together_from_its_days(base, few):
    """65 days under outlook in 2026Q1, all of 2026Q2 to Q4, and the 31 days of January 2027."""
    revenue, rows, fiscal = few
    years = base.record.fiscal[0].years
    nvidia, first = supplier(base, "nvidia"), quarter(base, "2026Q1")
    expected = outlook_revenue(base, rows)[0] + revenue[first + 1 : first + 4, nvidia].sum(axis=0)
    expected += 31 / 90 * revenue[first + 4, nvidia]
    np.testing.assert_allclose(fiscal[years.index("FY2027")], expected, rtol=1e-5)
