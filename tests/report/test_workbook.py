"""The workbook: the store's own numbers, text that stays text, legal names, charts drawn from cells that hold them."""

import datetime as dt
import functools
import io
import re
import shutil
import string
import subprocess
import zipfile
from dataclasses import replace

import openpyxl
import pytest
import xarray as xr
import yaml
from xlsxwriter import Workbook

from sim import report
from sim.report import LANGUAGES
from sim.report.workbook import workbook
from sim.report.workbook.results import FAMILIES
from sim.report.workbook.voice import FOLDER
from sim.report.workbook.writing import LONGEST, Book, Column, Table, plain

SHEETS = yaml.safe_load((FOLDER / "en.yaml").read_text(encoding="utf-8"))["sheets"]
KEPT = ("revenue", "h100e", "capex", "binding")
HOSTILE = (
    *("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "<script>alert(1)</script>", "https://example.org/a?b=1&c=2"),
    *("<r><t>rich</t></r>", "_x0041_", "{=NOW()}", "'quoted", "file:///etc/passwd", "mailto:a@example.org", "12"),
)


def opened(data):
    return openpyxl.load_workbook(io.BytesIO(data))


def cells(book):
    return (cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None)


def rows(book, key):
    """Rows of a sheet by heading."""
    first, *others = book[SHEETS[key]].iter_rows(values_only=True)
    return [dict(zip(first, row, strict=True)) for row in others]


@pytest.fixture(scope="module")
def book(made):
    """The workbook of two runs."""
    return opened(workbook(made.contents))


@pytest.fixture(scope="module")
def small(made):
    """The first run alone, with a few of its outputs and priors: quick to write, in any language."""
    groups = {}
    for name in ("quarter", "year"):
        data = made.contents.first.tree[f"prior_predictive/{name}"].to_dataset()
        groups[f"prior_predictive/{name}"] = data[[each for each in data if each.startswith(KEPT)]]
    observed = made.contents.first.tree["observed_data"].to_dataset()
    first = replace(made.contents.first, tree=xr.DataTree.from_dict({**groups, "observed_data": observed}))
    told = {"shown": (first,), "comparison": None, "changed": (), "standings": made.contents.standings[:2]}
    return replace(made.contents, **told, beliefs=made.contents.beliefs[:8])


@pytest.fixture(scope="module")
def written(small):
    """The small workbook in a language, written once."""
    return functools.cache(lambda lang: workbook(small, lang))


# numbers


def stored(tree):
    """Every figure of a store by output, label, period and figure, read from its arrays alone."""
    found = {}
    for node in tree["prior_predictive"].children.values():
        data = node.to_dataset()
        for name in (str(name) for name in data if f"{name}_mean" in data):
            (along,) = (dim for dim in data[name].dims if dim in ("time", "year", "fiscal_year"))
            (dim,) = (dim for dim in data[name].dims if dim not in (along, "quantile"))
            periods = [_period(label) for label in data[along].values]
            labels = [str(label) for label in data[dim].values]
            for suffix in ("", "_error"):
                mean = data[f"{name}_mean{suffix}"].transpose(dim, along).values
                quantiles = data[name + suffix].transpose("quantile", dim, along).values
                tables = dict(zip(data["quantile"].values.tolist(), quantiles, strict=True)) | {"mean": mean}
                for figure, values in tables.items():
                    for i, label in enumerate(labels):
                        for j, period in enumerate(periods):
                            found[f"{name}[{label},{period}]", f"{figure}{suffix}"] = float(values[i, j])
    return found


def _period(label):
    if isinstance(label, str):
        return label
    day = dt.date.fromisoformat(str(label)[:10])
    return f"{day.year}Q{day.month // 3}"


def test_numbers__are_the_stores_to_the_last_digit(made, book):
    shown = {"P5": 0.05, "P10": 0.1, "P25": 0.25, "P50": 0.5, "P75": 0.75, "P90": 0.9, "P95": 0.95, "Mean": "mean"}
    for run in made.contents.shown:
        store = stored(run.tree)
        told = [row for family in FAMILIES for row in rows(book, family) if row["Scenario"] == run.name]
        known = {cell for cell, figure in store if figure == "mean" and store[cell, figure] == store[cell, figure]}
        assert {row["Cell"] for row in told} == known
        assert len(told) == len(known)
        for row in told:
            for heading, figure in shown.items():
                assert row[heading] == store[row["Cell"], str(figure)], (row["Cell"], heading)
            for heading in ("P5", "P50", "P95", "Mean"):
                assert row[f"MC error of {heading}"] == store[row["Cell"], f"{shown[heading]}_error"]


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-300, -1.7976931348623157e308, 12345678901234567890.0, 5e-324])
def test_numbers__keep_all_their_digits(value):
    held = io.BytesIO()
    made = Workbook(held, {"in_memory": True})
    book = Book(made, {"priors": "Priors"})
    book.table(Table("priors", (Column("Name"), Column("Value")), [("=a", value), ("b", float("nan"))]))
    made.close()
    sheet = opened(held.getvalue()).active
    assert (sheet["A2"].value, sheet["A2"].data_type, sheet["B2"].value, sheet["B3"].value) == ("=a", "s", value, None)


def test_reasons__are_those_of_the_report(made, book):
    contents = made.contents
    chances = [(run.name, each) for run in contents.shown for each in run.chances]
    for row, (name, each) in zip(rows(book, "thresholds"), chances, strict=True):
        told = row["Scenario"], row["Threshold"], row["Probability"], row["MC error of probability"]
        assert told == (name, each.threshold, each.probability, each.error)
    shares = {
        (found.cell, value)
        for found in contents.sensitivities
        for group in (*(each.shapley for each in found.effects), *(each.share for each in found.footing))
        for value in [group.value]
    }
    assert {(row["Cell"], row["Shapley share"]) for row in rows(book, "drivers")} == shares
    swings = [(found, each) for found in contents.sensitivities for each in found.swings]
    for row, (found, each) in zip(rows(book, "tornado"), swings, strict=True):
        assert (row["Input"], row["Median with input near P10"]) == (each.entry, each.low.value)
        assert row["Change of median near P90"] == each.high.value - found.figures["p50"].value
    for row, each in zip(rows(book, "scenarios"), contents.comparison.differences, strict=True):
        assert (row["Cell"], row["Difference P5"], row["Mean difference"]) == (each.cell, each.p05, each.mean)
        assert (row["Draws higher"], row["Draws equal"], row["Ratio P50"]) == (
            *(each.higher, each.equal),
            each.ratio[1] if each.ratio else None,
        )


def test_past_and_others__are_those_of_the_report(made, book):
    for row, each in zip(rows(book, "past"), made.contents.past.headline, strict=True):
        assert (row["Cell"], row["P50"], row["Came"]) == (each.quantity, each.p50, each.truth)
    for row, each in zip(rows(book, "consensus"), made.contents.standings, strict=True):
        assert (row["Point"], row["Draws below"], row["P95"]) == (each.point.value, each.below.value, each.p95)


def test_priors__are_all_there_with_their_sources(made, book):
    contents = made.contents
    every = [belief for held in (contents.beliefs, *contents.changed) for belief in held]
    cases = [(belief, case) for belief in every for case in belief.cases]
    for row, (belief, case) in zip(rows(book, "priors"), cases, strict=True):
        assert (row["Prior"], row["Reasoning"], row["As of"]) == (belief.name, plain(belief.reasoning), belief.as_of)
        assert [row[name] for name in ("P5", "P50", "P95")] == [case.figures[key] for key in ("p05", "p50", "p95")]
    sources = [source for belief in every for source in belief.sources]
    for row, source in zip(rows(book, "sources"), sources, strict=True):
        assert (row["What it says"], row["Link"] or "") == (plain(source.says), plain(source.link))


# text


def test_workbook__holds_no_formula_and_links_to_itself_alone(book):
    found = list(cells(book))
    assert len(found) > 10_000
    assert [cell.coordinate for cell in found if cell.data_type == "f"] == []
    links = [cell.hyperlink for cell in found if cell.hyperlink]
    assert [link.location for link in links] == [f"'{name}'!A1" for name in book.sheetnames[1:]]
    assert all(link.target is None for link in links)


def test_hostile_names_and_notes__stay_text(small):
    beliefs = tuple(
        replace(belief, name=text, about=text, reasoning=text)
        for belief, text in zip(small.beliefs * 2, HOSTILE, strict=False)
    )
    names = dict.fromkeys(small.names, "=Elsewhere!$A$1")
    first = replace(small.first, name=HOSTILE[0], about=HOSTILE[4], overrides={HOSTILE[1]: HOSTILE[2]})
    data = workbook(replace(small, shown=(first,), beliefs=beliefs, names=names))
    book = opened(data)
    assert [cell.coordinate for cell in cells(book) if cell.data_type == "f"] == []
    for key in ("Prior", "About", "Reasoning"):
        told = [row[key] for row in rows(book, "priors")]
        assert set(told) == {f"{text} " if text.startswith("<r>") else text for text in HOSTILE}
    assert {row["Scenario"] for row in rows(book, "revenue")} == {HOSTILE[0]}
    assert all(cell.hyperlink.target is None for cell in cells(book) if cell.hyperlink)
    packed = zipfile.ZipFile(io.BytesIO(data))
    assert not any("<f>" in packed.read(name).decode() for name in packed.namelist() if "worksheets/sheet" in name)
    charted = "".join(packed.read(name).decode() for name in packed.namelist() if "charts/chart" in name)
    own = set(re.findall(r"<c:f>'?(.*?)'?!", charted))
    assert own <= set(book.sheetnames)  # no name of a chart was read as a place


def test_text__is_one_line_without_what_is_not_seen():
    assert plain("a\x00b\x07\tc\n d") == r"a\x00b\x07 c d"
    assert plain("a\u202eb\ud800") == r"a\u202eb\ud800"
    assert (len(plain("x" * 40_000)), plain("x" * 40_000)[-1]) == (LONGEST, "…")


# names


def leaves(told, path=()):
    if isinstance(told, dict):
        for key, each in told.items():
            yield from leaves(each, (*path, key))
    elif isinstance(told, list):
        for number, each in enumerate(told):
            yield from leaves(each, (*path, number))
    else:
        yield path, sorted({name for _, name, _, _ in string.Formatter().parse(told) if name})


def test_words__have_the_same_keys_and_placeholders_in_every_language():
    told = [dict(leaves(yaml.safe_load((FOLDER / f"{lang}.yaml").read_text(encoding="utf-8")))) for lang in LANGUAGES]
    assert all(each == told[0] for each in told)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sheets__have_legal_names_and_headings_that_differ(written, lang):
    words = yaml.safe_load((FOLDER / f"{lang}.yaml").read_text(encoding="utf-8"))
    names = list(words["sheets"].values())
    assert len({name.casefold() for name in names}) == len(names)
    assert all(0 < len(name) <= 31 and not re.search(r"[\[\]:*?/\\]|^'|'$", name) for name in names)
    assert words["holds"].keys() == words["sheets"].keys()
    book = opened(written(lang))
    assert set(book.sheetnames) <= set(names)
    tables = [(sheet, table) for sheet in book for table in sheet.tables.values()]
    assert len({table.displayName for _, table in tables}) == len(tables) > 10
    for sheet, table in tables:
        headings = [column.name for column in table.tableColumns]
        assert len({heading.casefold() for heading in headings}) == len(headings)
        assert headings == [cell.value for cell in sheet[table.ref][0]]


def test_words_in_another_language__reach_the_sheets(written):
    book = opened(written("zh"))
    told = {str(cell.value) for cell in cells(book)}
    assert (book.sheetnames[0], {"先验", "均值", "收入"} - told) == ("摘要", set())
    assert not told & {"Scenario", "Quantity", "Mean", "year", "revenue"}


# charts


def shape(book, title):
    """A table of the last sheet that charts are drawn from: headings and rows."""
    listed = list(book[SHEETS["drawn"]].iter_rows(values_only=True))
    at = next(number for number, row in enumerate(listed) if str(row[0] or "").startswith(title))
    found = listed[at + 1 :]
    end = next((number for number, row in enumerate(found) if row[0] is None), len(found))
    return found[0], found[1:end]


def test_fans__add_up_to_the_stores_percentiles(made, book):
    tree = made.contents.first.tree
    quarter = tree["prior_predictive/quarter"]["revenue"].sel(supplier="nvidia")
    headings, drawn = shape(book, "NVIDIA data-centre revenue")
    assert headings[1:] == ("Reported", "P5 (not drawn)", "P5–P25", "P25–P75", "P75–P95", "P50", *headings[7:])
    ahead = [row for row in drawn if row[1] is None]
    assert ahead[0][0] > drawn[0][0]
    for name, _, base, *widths, middle in (row[:7] for row in ahead):
        day = dt.datetime(int(name[:4]), 3 * int(name[5]), 1) + dt.timedelta(days=29)
        levels = quarter.sel(time=day, method="nearest").sel(quantile=[0.05, 0.5, 0.95]).values.tolist()
        assert (base, middle) == (levels[0], levels[1])
        assert base + sum(widths) == pytest.approx(levels[2], rel=1e-12)
        assert min(widths) >= 0


def test_stacks_and_waterfalls__add_up(made, book):
    _, drawn = shape(book, "What holds buyers back")
    assert all(sum(row[1:4]) == pytest.approx(1, abs=1e-5) for row in drawn)
    _, drawn = shape(book, "What drives")
    assert all(sum(value or 0 for value in row[1:]) == pytest.approx(1, abs=1e-9) for row in drawn)
    fall = next(each for each in made.contents.comparison.waterfalls if each.steps)
    _, drawn = shape(book, f"NVIDIA data-centre revenue, {made.contents.year}, mean")
    level = drawn[0][1]
    for _, _, hidden, up, down in (row[:5] for row in drawn[1:-1]):
        assert hidden == pytest.approx(min(level, level + up - down), rel=1e-12)
        level += up - down
    assert level == pytest.approx(drawn[-1][1], rel=1e-12) == pytest.approx(fall.mean[1], rel=1e-12)


def test_charts__are_drawn_from_cells_that_hold_their_numbers(book):
    charts = [chart for sheet in book for chart in sheet._charts]
    assert len(charts) > 8
    for chart in charts:
        for series in chart.series:
            sheet, _, place = series.val.numRef.f.rpartition("!")
            found = [cell for row in book[sheet.strip("'")][place.replace("$", "")] for cell in row]
            assert any(isinstance(cell.value, int | float) for cell in found)
            assert not any(isinstance(cell.value, str) for cell in found)


# the file


def test_workbook__is_the_same_bytes_and_bears_no_clock(small, written):
    data = written("en")
    assert data == workbook(small)
    packed = zipfile.ZipFile(io.BytesIO(data))
    assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    properties = opened(data).properties
    day = dt.datetime.fromisoformat(small.first.as_of)
    assert properties.created == properties.modified == day
    assert properties.creator == "chipcast"


def test_report__is_also_written_as_a_workbook(chipcast, small, written, made, monkeypatch, tmp_path):
    monkeypatch.setattr(report, "contents", lambda runs: small)
    monkeypatch.setattr(report, "html", lambda contents, lang: "page")
    ended = chipcast("report", *made.runs, "--xlsx", "--out", "mine.html")
    assert ended.code == 0, ended.err
    assert (tmp_path / "mine.xlsx").read_bytes() == written("en")


def test_workbook__opens_in_libreoffice(written, tmp_path):
    office = shutil.which("libreoffice") or shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    (tmp_path / "report.xlsx").write_bytes(written("zh"))
    home = f"-env:UserInstallation={(tmp_path / 'home').as_uri()}"
    convert = [office, home, "--headless", "--convert-to", "pdf", "--outdir", tmp_path, tmp_path / "report.xlsx"]
    subprocess.run(convert, check=True, capture_output=True, timeout=240)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
