"""What a report says: runs verified and put together again, priors told once, sources in full, the past's record."""

import json
import shutil

import numpy as np
import pytest
from scipy import stats

from sim.book.load import priors_folder
from sim.book.schema import Citation
from sim.errors import IntegrityError, RefusedError
from sim.report import contents, numbers
from sim.report.beliefs import SHAPE, changed
from sim.report.cited import Library
from sim.report.naming import Naming
from sim.report.record import record
from sim.report.strip import drawn
from sim.report.words import words

# runs


def test_contents__refuse_a_run_given_twice(base_run):
    with pytest.raises(RefusedError, match="is given twice"):
        contents([base_run.folder, base_run.folder])


@pytest.mark.parametrize("count", [0, 7])
def test_contents__refuse_more_runs_than_stand_side_by_side(count, base_run):
    with pytest.raises(RefusedError, match=f"{count} runs"):
        contents([base_run.folder] * count)


def test_contents__refuse_a_damaged_run(base_run, tmp_path):
    folder = shutil.copytree(base_run.folder, tmp_path / base_run.folder.name)
    chunk = next(path for path in folder.glob("summary/prior_predictive/year/revenue/**/*") if "c." in path.name)
    data = bytearray(chunk.read_bytes())
    data[100] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(IntegrityError):
        contents([folder])


def test_contents__are_of_the_run_and_of_its_world(made, base_world):
    first, second = made.contents.shown
    assert [each.run for each in (first, second)] == [folder.name for folder in made.runs]
    assert first.book == base_world.book.digest != second.book
    assert (first.name, second.name) == ("base", "custom_silicon")
    assert (first.draws, first.seed) == (2048, "7")
    assert made.contents.year == "2027"
    assert [row.cell for row in made.contents.answers] == [
        "revenue[nvidia,2027]",
        "h100e[total,2027]",
        "capex[reported,2027]",
    ]


def test_contents__compare_on_the_same_draws(made):
    comparison = made.contents.comparison
    assert comparison.names == ("base", "custom_silicon")
    assert comparison.seed == 7
    (fall,) = comparison.waterfalls
    assert {step.name for step in fall.steps} == {each.name for each in made.contents.changed[0]}


# priors


def test_beliefs__tell_each_distribution_once_and_every_label(made, base_world):
    for told in made.contents.beliefs:
        prior = base_world.book.priors[told.name]
        assert told.numbers == len(prior.table)
        assert len(told.cases) == len({member.model_dump_json() for member in prior.table.values()})


def test_beliefs__figures_are_in_the_unit_of_the_file(made):
    (run,) = made.contents.belief("frontier_run").cases
    assert made.contents.belief("frontier_run").unit == "FLOP"
    assert run.figures["p50"] > 1e24
    (drift,) = made.contents.belief("capex_drift").cases
    middle, sd = (0.173 + 0.372) / 2, (0.372 - 0.173) / 2 / stats.norm.ppf(0.95)
    assert [drift.figures[key] for key in ("p05", "p50", "p95")] == pytest.approx([0.173, middle, 0.372], abs=1e-9)
    assert drift.shape == pytest.approx(stats.norm.ppf(SHAPE, middle, sd), abs=1e-7)
    assert drift.given == (("p05", "0.173"), ("p95", "0.372"))


def test_beliefs__put_years_of_a_label_together(made):
    labels = [label for case in made.contents.belief("capacity_growth").cases for label in case.labels]
    assert any(label.startswith("nvidia 2022–") for label in labels)
    assert made.contents.belief("capex_common_shock").cases[0].labels == ()


def test_changed__are_the_priors_of_the_scenario(made):
    assert [each.name for each in made.contents.changed[0]] == ["supplier_drift", "memory_growth", "capacity_growth"]


def test_changed__is_nothing_between_a_world_and_itself(base_world):
    assert changed(base_world, base_world) == ()


def test_library__tells_history_rows_and_references_in_full(base_world):
    library = Library(base_world.book)
    row = library.told(Citation(cite="history/chips", where="h100.volume", says="2022-10, first shipped in FY23Q3"))
    assert (row.kind, row.where) == ("secondary", "h100.volume")
    assert row.title
    assert row.published
    report = library.told(Citation(cite="AI27", where="section 1", says="60 M H100e in 2027"))
    assert report.publisher == "Romeo Dean (AI Futures Project)"
    assert report.published == "2025-04-03"
    assert report.link == "https://ai-2027.com/research/compute-forecast"


def test_library__has_links_that_are_links(made):
    links = {each.link for belief in made.contents.beliefs for each in belief.sources if each.link}
    assert len(links) > 20
    assert all(link.startswith(("https://", "http://")) and " " not in link and ";" not in link for link in links)


def test_strip__is_small_and_has_its_median_where_it_belongs(made):
    pictures = [drawn(case) for belief in made.contents.beliefs for case in belief.cases]
    assert max(map(len, pictures)) < 900
    (normal,) = made.contents.belief("capex_drift").cases
    assert "M60 2V24" in drawn(normal)  # a normal's median is in the middle of its 120


# the record


def test_record__is_that_of_the_scoreboard_page():
    past = record()
    text = (priors_folder().parent / "docs" / "scoreboard.md").read_text(encoding="utf-8")
    for row in past.headline:
        told = " | ".join(f"{value:,.0f}" for value in (row.p05, row.p50, row.p95, row.truth))
        assert f"| `{row.quantity}` | {row.made} | {row.method} | {told} | {row.pit:.3f} |" in text
    for row in past.dated:
        held = " / ".join(f"{100 * each:.0f}" for each in row.covered)
        assert f"| {row.metric} | {row.method} | {row.cases} | {row.crps:.3f} |" in text
        assert held in text


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"scored_by": "2026-02-28"})])
def test_record__refuses_what_is_none(text, tmp_path):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError, match="no record of the backtest"):
        record(tmp_path / "a.json")


# numbers and names


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (470.49, "bn USD", "470"),
        (0.0123456, "1", "0.0123"),
        (-1234.5, "", "−1,234"),
        (2026.512, "year", "2026.51"),
        (1.5e25, "FLOP", "1.5e+25"),
        (-0.00001, "", "0.0000"),
        (0.0, "", "0"),
    ],
)
def test_three__has_three_digits(value, unit, text):
    assert numbers.three(value, unit) == text


def test_numbers__a_rounded_nothing_has_no_sign():
    assert numbers.printed(-0.04, 1) == "0.0"
    assert numbers.signed(-0.04, 1) == "0.0"
    assert numbers.signed(0.06, 1) == "+0.1"
    assert numbers.printed(None, 2) == numbers.printed(np.nan, 2) == "–"
    assert numbers.aligned([762, 9.51]) == 2
    assert numbers.aligned([0.0, 187, 762]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("revenue[nvidia,2027] > 400", "NVIDIA data-centre revenue, 2027 > 400 bn USD"),
        ("revenue_share[nvidia,2030] < 0.7", "market share by revenue, NVIDIA, 2030 < 70 %"),
        ("h100e[total,2027] > 50", "shipments in H100 equivalents, all suppliers, 2027 > 50 M H100e"),
        (
            "capex[total,2027] > 1200",
            "capital expenditure, the buyers whose capital expenditure is modelled, 2027 > 1,200 bn USD",
        ),
        ("anything else", "anything else"),
    ],
)
def test_naming__says_thresholds_in_words(text, said):
    assert Naming(words("en"), {"nvidia": "NVIDIA"}).threshold(text) == said
