"""A forecast frozen to a file: what it holds, that it cannot be changed or overwritten, and how it is scored."""

import datetime as dt
import hashlib
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import scoringrules
from rich.console import Console
from scipy import stats

from sim.backtest import frozen
from sim.backtest.scored import OURS, Case, scored
from sim.ensemble import ensemble, quantity
from sim.errors import BookError, IntegrityError

SHIPPED = Path(__file__).parents[2] / "priors" / "frozen" / "2026-02-28.json"
DRAWS = 2_048
HEADER = "metric,entity,period,value,error\n"
MU, SD = np.log(700.0), 0.12


@pytest.fixture(scope="module")
def document(base_world):
    return frozen.freeze(base_world, seed=3, draws=DRAWS)


@pytest.fixture(scope="module")
def lognormal(document):
    """The same with one figure's quantiles those of a log-normal."""
    figure = document["figures"]["capex[reported,2026]"] | {
        "quantiles": np.exp(stats.norm(MU, SD).ppf(document["levels"])).tolist()
    }
    return document | {"figures": document["figures"] | {"capex[reported,2026]": figure}}


@pytest.fixture
def actuals(tmp_path):
    def write(text, header=HEADER):
        path = tmp_path / "actuals.csv"
        path.write_text(header + text, encoding="utf-8")
        return path

    return write


# what is frozen


def test_freeze__holds_quantiles_of_the_draws(document, base_world):
    wanted = ["capex[reported,2026]", "line[nvidia,FY27Q2]", "h100e8[google_tpu,2027]", "revenue[amd,2028]"]
    drawn = ensemble(base_world, [quantity(base_world, text) for text in wanted], draws=DRAWS, seed=3).quantities
    for text, values in zip(wanted, drawn, strict=True):
        kept = document["figures"][text]["quantiles"]
        assert kept == pytest.approx(np.quantile(values, document["levels"]), rel=1e-5)
    assert document["levels"] == sorted(document["levels"])
    assert (document["levels"][0], document["levels"][-1], len(document["levels"])) == (0.001, 0.999, 105)


def test_freeze__says_what_it_is_of(document, base_world):
    assert document["as_of"] == base_world.book.as_of.isoformat() == "2026-02-28"
    assert document["book_sha256"] == base_world.book.digest
    assert (document["draws"], document["seed"]) == (DRAWS, "3")
    assert document["figures"]["h100e[total,2027]"]["unit"] == "M H100e"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("capex[meta,2026Q2]", "2026-06-30"),
        ("line[nvidia,2027]", "2027-12-31"),
        ("line[nvidia,FY27Q1]", "2026-04-26"),  # thirteen weeks from 26 January
        ("line[nvidia,FY2027]", "2027-01-31"),  # the last Sunday of January
    ],
)
def test_freeze__dates_the_end_of_each_period(document, text, end):
    assert document["figures"][text]["end"] == end


def test_freeze__holds_nothing_that_was_told(document, base_world):
    """NVIDIA told its fiscal 2026 on 25 February 2026; of January it is part of the first calendar quarter."""
    ends = {name: dt.date.fromisoformat(figure["end"]) for name, figure in document["figures"].items()}
    assert min(ends.values()) > dt.date(2026, 1, 25)
    assert not [name for name in ends if "FY26" in name or "FY2026" in name]
    assert {"line[nvidia,FY27Q1]", "line[nvidia,FY2027]", "line[nvidia,2026Q1]"} <= set(ends)
    assert all(quantiles["quantiles"][0] < quantiles["quantiles"][-1] for quantiles in document["figures"].values())


def test_freeze__holds_every_company_and_the_four(document, base_world):
    for label in (*base_world.book.axes["reported_buyer"], "reported"):
        for period in ("2026Q1", "2028Q4", "2026", "2028"):
            assert f"capex[{label},{period}]" in document["figures"]


# the file


def test_write__and_read_are_a_round_trip(document, tmp_path):
    path = tmp_path / "new" / "frozen.json"
    frozen.write(document, path)
    assert frozen.read(path) == document
    assert len(path.read_text(encoding="utf-8").splitlines()) > len(document["figures"])  # a figure a line


def test_write__never_overwrites(document, tmp_path):
    path = tmp_path / "frozen.json"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(BookError, match="another file") as caught:
        frozen.write(document, path)
    assert caught.value.code == "freeze-exists"
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"as_of": "2026-02-28"', '"as_of": "2025-02-28"'),
        ('"unit": "M H100e"', '"unit": "H100e"'),
        ('"draws": 2048', '"draws": 4096'),
        ("capex[meta,2026]", "capex[meta,2029]"),
    ],
)
def test_read__refuses_what_was_changed(document, tmp_path, old, new):
    path = tmp_path / "frozen.json"
    frozen.write(document, path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(IntegrityError, match="not as it was frozen") as caught:
        frozen.read(path)
    assert caught.value.code == "frozen-changed"


def test_read__refuses_a_changed_quantile(document, tmp_path):
    changed = json.loads(json.dumps(document))
    changed["figures"]["capex[meta,2026]"]["quantiles"][52] *= 1.001
    frozen.write(changed, tmp_path / "frozen.json")
    with pytest.raises(IntegrityError, match="not as it was frozen"):
        frozen.read(tmp_path / "frozen.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 1}', "7", "not json", '{"format": 1}'])
def test_read__refuses_what_is_none(tmp_path, text):
    path = tmp_path / "frozen.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError) as caught:
        frozen.read(path)
    assert caught.value.code == "frozen-form"


def test_read__refuses_a_later_format(document, tmp_path):
    frozen.write(document | {"format": 2}, tmp_path / "frozen.json")
    with pytest.raises(IntegrityError, match="newer chipcast"):
        frozen.read(tmp_path / "frozen.json")


def test_shipped__is_intact_and_dated():
    document = frozen.read(SHIPPED)
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == document["sha256"]
    assert document["as_of"] == SHIPPED.stem
    assert document["draws"] >= 100_000


def test_shipped__holds_nothing_that_was_told():
    shipped = frozen.read(SHIPPED)["figures"]
    assert [name for name in shipped if "FY26" in name or "FY2026" in name] == []
    assert {figure["end"] > SHIPPED.stem for figure in shipped.values()} == {True}


# scoring


@pytest.mark.parametrize("z", [-1.5, 0.2, 2.2])
@pytest.mark.parametrize("error", [0.0, 0.1])
def test_score__of_a_lognormal_is_its_closed_form(lognormal, actuals, z, error):
    """The ends beyond 0.1 and 99.9 % are cut off, which costs less than a hundredth. 4,096 drawn errors leave 6 % of
    chance in the density of the tail.
    """
    value = float(np.exp(MU + z * SD))
    told = f"capex,reported,2026,{value!r},{error * value!r}\n" if error else f"capex,reported,2026,{value!r},\n"
    (row,) = frozen.score(lognormal, actuals(told))
    wide = np.hypot(SD, error)
    assert row.crps == pytest.approx(scoringrules.crps_normal(0, MU - np.log(value), wide), rel=0.02)
    assert row.pit == pytest.approx(stats.norm.cdf(z * SD / wide), abs=0.01)
    assert row.p50 == pytest.approx(700, rel=0.005)
    assert row.log_score == pytest.approx(-stats.norm(MU, wide).logpdf(np.log(value)), abs=0.3 if error else 0.06)


@pytest.mark.parametrize(
    "text", ["capex[meta,2026Q3]", "line[nvidia,FY2027]", "h100e8[amd,2027]", "capex[reported,2028]"]
)
def test_score__is_that_of_the_draws_themselves(document, base_world, actuals, text):
    """CRPS and percentile within one per cent, at the 20th and the 70th percentile of the draws."""
    (values,) = ensemble(base_world, [quantity(base_world, text)], draws=DRAWS, seed=3).quantities
    metric, _, rest = text.partition("[")
    for level in (0.2, 0.7):
        came = float(np.quantile(values, level))
        (row,) = frozen.score(document, actuals(f"{metric},{rest.rstrip(']')},{came!r},\n"))
        (direct,) = scored(Case("", text, "", 2026, 1.0, came, 0.0, {OURS: values}))
        assert row.crps == pytest.approx(direct.crps, rel=0.01)
        assert row.pit == pytest.approx(direct.pit, abs=0.01)
        assert (row.p05, row.p50, row.p95) == pytest.approx((direct.p05, direct.p50, direct.p95), rel=0.01)
        assert row.covered == direct.covered


def test_score__tells_when_and_how_far_ahead(document, actuals):
    path = actuals("capex,meta,2026Q1,25.0,\nline,nvidia,FY27Q1,74.0,\ncapex,meta,2027,180,9\n")
    rows = frozen.score(document, path)
    assert [row.time for row in rows] == [2026, 2026, 2027]
    days = [(dt.date(*end) - dt.date(2026, 2, 28)).days for end in ((2026, 3, 31), (2026, 4, 26), (2027, 12, 31))]
    assert [row.horizon for row in rows] == pytest.approx([each / 365.25 for each in days], abs=0.005)
    assert {row.made for row in rows} == {"2026-02-28"}


def test_score__refits_nothing(document, actuals, monkeypatch):
    monkeypatch.setattr("sim.engine.Engine._sampled", lambda *_: pytest.fail("simulated"))
    path = actuals("capex,meta,2026,130,\n")
    assert frozen.score(document, path) == frozen.score(document, path)


BAD = {
    "no such metric": ("capx,meta,2026,130,5", "actuals-figure", "capex[meta,2026]"),
    "no such entity": ("capex,mata,2026,130,5", "actuals-figure", "capex[meta,2026]"),
    "a period that is over": ("capex,meta,2025,70,", "actuals-figure", "capex[meta,20"),
    "a period too far": ("capex,meta,2031,130,", "actuals-figure", "capex[meta,20"),
    "no such period": ("capex,meta,2026Q5,30,", "actuals-figure", "capex[meta,2026Q"),
    "an error of zero": ("capex,meta,2026,130,0", "actuals-number", "error '0'"),
    "a negative error": ("capex,meta,2026,130,-5", "actuals-number", "error '-5'"),
    "an error as large as the value": ("capex,meta,2026,130,130", "actuals-error", "as large as"),
    "an error in per cent": ("capex,meta,2026,130,5%", "actuals-number", "'5%'"),
    "a value of zero": ("capex,meta,2026,0,", "actuals-number", "value '0'"),
    "a negative value": ("capex,meta,2026,-130,", "actuals-number", "value '-130'"),
    "no value": ("capex,meta,2026,,", "actuals-number", "value ''"),
    "a word": ("capex,meta,2026,much,", "actuals-number", "'much'"),
    "not a number": ("capex,meta,2026,nan,", "actuals-number", "'nan'"),
    "without end": ("capex,meta,2026,inf,5", "actuals-number", "'inf'"),
    "too large for a number": ("capex,meta,2026,1e999,5", "actuals-number", "'1e999'"),
    "underscores": ("capex,meta,2026,1_30,5", "actuals-number", "'1_30'"),
    "a thousands comma": ('capex,meta,2026,"1,300",5', "actuals-number", "'1,300'"),
    "a cell too few": ("capex,meta,2026,130", "actuals-cells", "5 cells"),
    "a cell too many": ("capex,meta,2026,130,5,6", "actuals-cells", "5 cells"),
    "the same figure again": ("capex,alphabet,2026,180,5", "actuals-twice", "line 2"),
}


@pytest.mark.parametrize(("line", "code", "says"), BAD.values(), ids=BAD)
def test_score__names_the_line_of_a_bad_row(document, actuals, line, code, says):
    path = actuals(f"capex,alphabet,2026,185,5\n\n{line}\n")
    with pytest.raises(BookError) as caught:
        frozen.score(document, path)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert (caught.value.place.file, caught.value.place.line) == (str(path), 4)
    assert caught.value.remedy


@pytest.mark.parametrize("header", ["", "metric,entity,period,value\n", "entity,metric,period,value,error\n", "\n"])
def test_score__refuses_other_columns(document, actuals, header):
    with pytest.raises(BookError, match="metric,entity,period,value,error") as caught:
        frozen.score(document, actuals("capex,meta,2026,130,5\n", header))
    assert (caught.value.code, caught.value.place.line) == ("actuals-header", 1)


def test_score__takes_what_a_spreadsheet_writes(document, tmp_path):
    """A byte-order mark and carriage returns."""
    path = tmp_path / "actuals.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + "capex,meta,2026, 130.0 , \n").replace("\n", "\r\n").encode())
    assert [row.truth for row in frozen.score(document, path)] == [130.0]


def test_score__refuses_what_is_no_text(document, tmp_path):
    path = tmp_path / "actuals.csv"
    path.write_bytes(HEADER.encode() + "capex,méta,2026,130,\n".encode("latin-1"))
    with pytest.raises(BookError, match="UTF-8") as caught:
        frozen.score(document, path)
    assert caught.value.code == "actuals-form"


def test_table__shows_each_figure(document, actuals):
    console = Console(width=120, file=StringIO())
    console.print(frozen.table(frozen.score(document, actuals("capex,meta,2026,135.9,\nline,nvidia,2027,470,\n"))))
    text = console.file.getvalue()
    assert "capex[meta,2026]" in text
    assert "135.9" in text
    assert "line[nvidia,2027]" in text
