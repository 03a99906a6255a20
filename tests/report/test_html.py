"""The page: printed figures are the store's, nothing is loaded, hostile text stays text, readers find answers."""

import dataclasses
import math
import re

import pytest
import xarray as xr

import sim
from sim.report import html
from sim.report.cited import Cited
from tests.report.pages import read

LEVELS = {"p05": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95}
HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}\u202egpj.exe " + "x" * 300


@pytest.fixture(scope="module")
def page(made):
    return read(made.page)


@pytest.fixture(scope="module")
def trees(made):
    """The runs as opened from the store, by their ids."""
    opened = [sim.open(run) for run in made.runs]
    return {str(tree.attrs["run"]): tree for tree in opened}


def stored(tree: xr.DataTree, cell: str, figure: str) -> float:
    """A figure of a cell, read from the store."""
    output, label, period = re.fullmatch(r"(\w+)\[(.+),(\w+)\]", cell).groups()
    name, factor = ("h100e", 989 / 312) if output == "a100e" else (output, 1)
    data = tree[f"prior_predictive/{'fiscal_year' if period.startswith('FY') else 'year'}"].to_dataset()
    kind, error = figure.removesuffix("_error"), "_error" if figure.endswith("_error") else ""
    values = data[f"{name}_mean{error}"] if kind == "mean" else data[f"{name}{error}"].sel(quantile=LEVELS[kind])
    (dim,) = (each for each in values.dims if each not in ("year", "fiscal_year"))
    (at,) = (each for each in values.dims if each in ("year", "fiscal_year"))
    return float(values.sel({dim: label, at: period})) * factor


def number(text: str) -> tuple[float, float]:
    """A printed figure, and half of its last digit."""
    plain = text.replace(",", "").replace("−", "-")
    return float(plain), 0.5 * 10.0 ** -len(plain.partition(".")[2])


# figures


def test_page__every_figure_is_the_stores_to_the_printed_digits(page, trees):
    cells = page.all("data")
    assert len(cells) > 2000
    for each in cells:
        said = each.attributes
        value = stored(trees[said["data-run"]], said["data-cell"], said["data-figure"])
        shown, half = number(each.text)
        assert abs(shown - value * float(said.get("data-scale", 1))) <= half * (1 + 1e-6), said
        assert float(said["value"]) == shown


def test_page__tables_by_year_hold_nothing_but_figures_of_the_store(page):
    for name in ("tables", "binding"):
        section = page.one("section", id=name)
        for cell in section.all("td"):
            assert cell.all("data") or cell.text == "–"


def test_page__shows_p90_of_every_year(page, made):
    for year in range(2026, 2031):
        assert page.all("data", data_cell=f"revenue[nvidia,{year}]", data_figure="p90")
    assert not [row for row in made.contents.first.rows if "p90" not in row.figures]


def test_page__has_three_digits_of_every_median(page):
    for each in page.one("section", id="tables").all("data", data_figure="p50"):
        value, half = number(each.text)
        assert value == 0 or half <= 0.005 or half / abs(value) < 0.006, each.attributes


def test_page__chances_are_those_counted(page, made):
    table = page.one("section", id="chances").one("tbody")
    first, second = made.contents.shown
    assert len(table.all("tr")) == len(first.chances) >= 10
    for row, chance in zip(table.all("tr"), first.chances, strict=True):
        shown = [re.fullmatch(r"([\d.]+) % ± ([\d.]+)", cell.text).groups() for cell in row.all("td")[:2]]
        other = second.chance(chance.threshold)
        assert [float(share) for share, _ in shown] == [
            pytest.approx(100 * each.probability, abs=0.051) for each in (chance, other)
        ]
        assert float(shown[0][1]) == pytest.approx(100 * chance.error, abs=0.0051)


def test_page__shares_of_the_drivers_sum_to_one(page):
    table = page.one("caption", id="drivers-1")
    rows = [row for row in page.one("section", id="drivers").all("tr") if len(row.all("td")) == 5]
    shares = [number(row.all("td")[0].text.removesuffix(" %"))[0] for row in rows]
    assert table.text.startswith("Drivers of NVIDIA data-centre revenue")
    assert sum(shares) == pytest.approx(100, abs=1)
    assert shares == sorted(shares, reverse=True)


def test_page__differences_are_those_of_the_comparison(page, made):
    rows = page.one("section", id="scenarios").one("tbody").all("tr")
    found = {(each.cell): each for each in made.contents.comparison.differences}
    first = found["revenue[nvidia,2027]"]
    shown = [number(cell.text) for cell in rows[0].all("td")[2:7]]
    for (value, half), wanted in zip(shown, (*first.medians, first.p05, first.p50, first.p95), strict=True):
        assert abs(value - wanted) <= half * (1 + 1e-9)


# answers


def test_answer__says_what_a_new_reader_asks(page, made):
    said = page.one("section", id="answer").one("ul").text
    row = made.contents.first.row("revenue", "nvidia", "2027")
    assert f"NVIDIA data-centre revenue in 2027: median {row.figures['p50']:,.0f} bn USD" in said
    assert f"one in ten above {row.figures['p90']:,.0f} bn USD (P90)" in said
    effects = sorted(made.contents.sensitivities[0].effects, key=lambda each: -each.shapley.value)
    words = {"capex": "growth of capital expenditure", "training": "training runs"}
    assert words.get(effects[0].group, "") in said
    assert re.search(r"three largest drivers of .* are .* \(\d+ % .*\), .* \(\d+ %\) and .* \(\d+ %\)", said)
    assert re.search(r"Behind the largest driver, .*sources: .*(\(HT24\)|our judgement|history/)", said)
    assert "259 figures forecast by 4 dated books" in said
    assert "held 38 %, 71 % and 90 %" in said


def test_answer__names_what_binds_most(page, made):
    said = page.one("section", id="answer").one("ul").text
    rows = [row for row in made.contents.first.rows if (row.output, row.period) == ("binding", "2027")]
    most = max(rows, key=lambda row: row.figures["mean"])
    assert f"in 2027 is {most.label} ({100 * most.figures['mean']:.0f} % of shipments)" in said


def test_past__on_average_what_came_lay_above_where_the_bias_is_negative(page, made):
    (ours,) = (row for row in made.contents.past.dated if (row.metric, row.method) == ("all figures", "chipcast"))
    said = page.one("section", id="answer").one("ul").text
    assert ours.bias < 0
    assert f"came lay {100 * (math.exp(-ours.bias) - 1):.0f} % above our median" in said


# priors


def test_beliefs__every_prior_is_told_with_sources_reasoning_and_date(page, made, base_world):
    section = page.one("section", id="beliefs")
    for name, prior in base_world.book.priors.items():
        told = section.one("details", id=f"prior-{name}")
        text = " ".join(told.text.split())
        for part in (prior.about, prior.reasoning, prior.as_of.isoformat()):
            assert " ".join(part.split()) in text
        assert len(told.one("ul").all("li")) == len(prior.source)
        assert len(told.all("svg")) == len(told.one("tbody").all("tr")) >= 1
    for name in ("supplier_drift", "capacity_growth"):
        assert section.one("details", id=f"changed-1-{name}")


def test_beliefs__a_source_names_publication_publisher_and_date(page):
    text = page.one("details", id="prior-capex_drift").text
    assert "Huatai Securities" in text
    assert "published 2024-05-27" in text
    assert "four-company capex from 2.04 bn USD in 2005" in text


# a page that loads nothing


def test_page__has_no_script_and_loads_nothing(page, made):
    policy = page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    tags = {each.tag for each in page.all()}
    assert not tags & {"script", "iframe", "object", "embed", "link", "img", "form", "base", "image", "use"}
    for each in page.all():
        assert not [
            name for name in each.attributes if name.startswith("on") or name in ("src", "srcset", "xlink:href")
        ]
        if "href" in each.attributes:
            assert each.tag == "a"
            assert re.match(r"#|https?://", each.attributes["href"])
    style = page.one("style").text
    assert "url(" not in style
    assert "@import" not in style
    assert len(made.page.encode()) < 3e6


def test_page__ids_are_unique_and_what_is_referred_to_is_there(page):
    ids = [each.attributes["id"] for each in page.all() if "id" in each.attributes]
    assert len(set(ids)) == len(ids)
    wanted = {each.attributes["href"][1:] for each in page.all("a") if each.attributes["href"].startswith("#")}
    for each in page.all():
        wanted |= set((each.attributes.get("aria-labelledby") or "").split())
    assert wanted <= set(ids)


def test_page__is_the_same_bytes_again(made):
    assert html(made.contents) == made.page


def test_page__tables_have_captions_and_heads_with_scope(page):
    for table in page.all("table"):
        assert table.one("caption").text.strip()
        assert all(head.attributes.get("scope") in ("col", "row", "rowgroup") for head in table.all("th"))
    assert page.one("html").attributes["lang"] == "en"
    assert page.one("a", href="#answer", **{"class": "skip"})
    assert len(page.all("h1")) == 1


def test_page__of_one_run_has_no_scenarios(made):
    alone = dataclasses.replace(made.contents, shown=made.contents.shown[:1], comparison=None, changed=())
    page = read(html(alone))
    assert not page.all("section", id="scenarios")
    assert "Scenarios" not in page.one("nav").text


# Chinese


def test_page__in_chinese_has_the_same_figures(made, page):
    text = html(made.contents, "zh")
    chinese = read(text)
    assert chinese.one("html").attributes["lang"] == "zh"
    assert "2027 年英伟达数据中心收入：中位数" in text
    shown = [
        [(each.attributes, each.text) for each in one.one("section", id="tables").all("data")]
        for one in (chinese, page)
    ]
    assert shown[0] == shown[1]
    for name in ("answer", "binding", "drivers", "past"):
        words = re.sub(
            r"[\w.]*_\w+|\b(NVIDIA|H100e|P\d+|AI|CRPS|Shapley|chipcast|docs\S*)\b",
            "",
            chinese.one("section", id=name).one("h2").text,
        )
        assert not re.search(r"[A-Za-z]{3}", words)


# hostile text


def test_page__hostile_names_and_notes_are_text(made):
    contents = made.contents
    belief = dataclasses.replace(
        contents.beliefs[0],
        about=HOSTILE,
        reasoning=HOSTILE,
        unit=HOSTILE,
        sources=(Cited(kind="report", says=HOSTILE, key=HOSTILE, where=HOSTILE, title=HOSTILE, note=HOSTILE),),
    )
    second = dataclasses.replace(contents.shown[1], about=HOSTILE, overrides={HOSTILE: HOSTILE})
    hostile = dataclasses.replace(
        contents,
        shown=(dataclasses.replace(contents.first, name=HOSTILE), second),
        names={**contents.names, "nvidia": HOSTILE, "rubin": HOSTILE},
        beliefs=(belief, *contents.beliefs[1:]),
        comparison=None,
    )
    text = html(hostile)
    page = read(text)
    assert not page.all("script")
    assert "<script" not in text
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text
    for part in (
        page.one("h1"),
        page.one("head").one("title"),
        page.one("details", id=f"prior-{belief.name}"),
        page.all("figure")[0],
    ):
        assert "<script>alert(1)</script>" in part.text


def test_page__hostile_pieces_do_not_leave_the_style_sheet(made):
    first = dataclasses.replace(made.contents.first, run='"}</style><script>', commit="x</style>")
    text = html(dataclasses.replace(made.contents, shown=(first, *made.contents.shown[1:])))
    assert len(read(text).all("style")) == 1
    assert "<script" not in text
