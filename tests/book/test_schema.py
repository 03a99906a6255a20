import json
from datetime import date

import pytest
from pydantic import ValidationError

from sim.axes import CONSTRAINTS, TIERS, WORKLOADS
from sim.book.fields import parse_date
from sim.book.schema import stream


def test_axes__derive_from_the_world(small):
    assert small.load().axes == {
        "buyer": ("acme", "bolt", "city"),
        "reported_buyer": ("acme",),
        "elicited_buyer": ("bolt",),
        "direct_buyer": ("city",),
        "capex_buyer": ("acme", "bolt"),
        "supplier": ("north", "south"),
        "reported_supplier": ("north",),
        "band_supplier": ("south",),
        "units_supplier": (),
        "backcast_supplier": (),
        "chip": ("n1", "n2", "n3", "s1"),
        "catalogue_chip": ("n1", "n2", "s1"),
        "successor_chip": ("n3",),
        "retiring_chip": ("s1",),
        "pair": ("acme/north", "acme/south", "bolt/north", "city/south"),
        "time": ("2024Q1", "2024Q2", "2024Q3", "2024Q4", "2025Q1", "2025Q2", "2025Q3", "2025Q4"),
        "year": ("2024", "2025"),
        "season": ("Q1", "Q2", "Q3", "Q4"),
        "workload": WORKLOADS,
        "tier": TIERS,
        "constraint": CONSTRAINTS,
    }


@pytest.mark.parametrize(("start", "horizon", "count"), [("2024Q1", "2024Q4", 4), ("2022Q1", "2030Q4", 36)])
def test_axes__run_from_start_to_horizon(small, start, horizon, count):
    small.edit("base/world.yaml", "2024Q1", start)
    small.edit("base/world.yaml", "2025Q4", horizon)
    small.edit("base/money.yaml", "2024Q3:", f"{start}:")
    quarters = small.load().axes["time"]
    assert (quarters[0], quarters[-1], len(quarters)) == (start, horizon, count)


def test_stream__names_a_prior_and_its_labels():
    assert stream("drift", ()) == "drift"
    assert stream("price", ["h100"]) == "price[h100]"
    assert stream("share", ["a", "b"]) == "share[a,b]"


def test_Prior__stream_leaves_out_the_labels_of_time(small):
    priors = small.load().priors
    assert priors["band"].stream(("south", "2024Q3")) == "band[south]"
    assert priors["weight"].stream(("acme/north",)) == "weight[acme/north]"
    assert priors["drift"].stream(()) == "drift"


def test_config__is_plain_JSON_without_prose(small):
    config = small.load().config()
    text = json.dumps(config, allow_nan=False)
    assert json.loads(text) == config
    assert config["priors"]["drift"] == {"": {"family": "normal", "p05": 0.1, "p95": 0.3}}
    assert config["correlations"][0] == ["drift", "price[n1]", -0.2]
    assert "A round number" not in text
    assert "Acme" not in text


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("base/money.yaml", "The width is ours.", "The width is our own."),
        ("base/world.yaml", "name: Acme", "name: Acme Inc."),
        ("base/world.yaml", "retrospective: true\n", ""),
        ("references.yaml", "A report", "The report"),
    ],
)
def test_digest__does_not_depend_on_prose(small, file, old, new):
    before = small.load().digest
    small.edit(file, old, new)
    assert small.load().digest == before


def test_Book__cannot_be_changed(small):
    book = small.load()
    with pytest.raises(ValidationError):
        book.name = "other"
    with pytest.raises(ValidationError):
        book.priors["drift"].unit = "1"


def test_parse_date__takes_a_date_or_its_text():
    assert parse_date("2026-02-28") == parse_date(date(2026, 2, 28)) == date(2026, 2, 28)


@pytest.mark.parametrize("value", ["2026-2-28", "2026-02-30", "1999-12-31", "2101-01-01", 20260228, None])
def test_parse_date__refuses_other_values(value):
    with pytest.raises(ValueError, match=r"2026-02-28|not a date|2000 to 2100"):
        parse_date(value)
