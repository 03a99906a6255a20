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


def test_record__cover_is_the_part_of_days_reported(base):
    cover = base.record.cover
    assert cover[quarter(base, "2025Q4"), supplier(base, "google_tpu")] == pytest.approx(33 / 92, rel=1e-14)
    assert cover[quarter(base, "2026Q1"), supplier(base, "nvidia")] == pytest.approx(25 / 90, rel=1e-14)
    assert (cover[: quarter(base, "2025Q4")] == 1).all()
    others = [i for i, name in enumerate(base.book.axes["supplier"]) if name not in ("nvidia", "google_tpu")]
    assert (cover[: base.record.handover + 1, others] == 1).all()
    assert (cover[base.record.handover + 1 :, others] == 0).all()
    assert (cover[quarter(base, "2026Q2") :] == 0).all()


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
    gross = [figures[f"amazon.capex_quarter.2025Q{n}"] for n in (1, 2, 3)]
    np.testing.assert_allclose(record.capex[12:15, amazon], gross, rtol=1e-12)  # the year is not covered: not scaled
    assert record.guidance.year == "2025"
    assert record.guidance.reported[amazon] == pytest.approx(sum(gross))
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
GUESSES = {"ai_share": "apple", "owner_weight": "apple/nvidia", "owner_weight_2022": "apple/nvidia"}


def test_load__refuses_a_reported_buyer_without_history(tmp_path):
    path = tmp_path / "apple.yaml"
    guesses = [
        f"{name}:\n  dist: {{{label}: {{family: beta, p05: 0.2, p95: 0.6}}}}{GUESS}" for name, label in GUESSES.items()
    ]
    path.write_text("".join([APPLE, *guesses]), encoding="utf-8")
    with pytest.raises(BookError, match=r"for apple; .*spending: elicited") as caught:
        sim.load(path)
    assert caught.value.code == "history-missing"


def test_load__refuses_a_reported_line_without_rows():
    with pytest.raises(BookError, match=r"suppliers.google_tpu: .*broadcom\.nothing; add rows of") as caught:
        sim.load(overrides={"suppliers.google_tpu.line": "broadcom.nothing"})
    assert caught.value.code == "history-missing"
