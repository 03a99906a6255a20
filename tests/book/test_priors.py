from datetime import date

import pytest

from sim.book import Citation, Judgement


def test_read_priors__converts_to_the_models_unit(small):
    priors = small.load().priors
    assert priors["price"].table[("n1",)].p05 == pytest.approx(20)  # 20,000 USD a unit in bn USD a million units
    assert priors["drift"].table[()].p95 == pytest.approx(0.3)  # 30 % a year in 1 / year
    assert priors["speed"].table[("s1",)].value == 1000  # PFLOP/s in TFLOP/s
    assert (priors["price"].unit, priors["price"].factor) == ("USD / unit", 0.001)


def test_read_priors__covers_every_label_from_default_or_one_distribution(small):
    priors = small.load().priors
    assert list(priors["price"].table) == [("n1",), ("n2",), ("s1",)]
    assert priors["price"].table[("s1",)].p05 == pytest.approx(5)
    assert {member.value for member in priors["speed"].table.values()} == {1000}


def test_read_priors__nests_two_dims_with_the_innermost_default(small):
    small.edit("base/money.yaml", "      default: {family: fixed, value: 0}\n", "")
    small.edit("base/money.yaml", "    south:\n", "    default: {family: fixed, value: 7}\n    south:\n")
    table = small.load().priors["band"].table
    assert table[("south", "2024Q3")].upper == 2
    assert table[("south", "2025Q2")].value == 7


def test_read_priors__keeps_prose_sources_and_dates(small):
    prior = small.load().priors["drift"]
    assert (prior.name, prior.group, prior.dims) == ("drift", "money", ())
    assert prior.source == (
        Citation(cite="REPORT", where="T1", says="growth of 20 %"),
        Judgement(judgement="The width is ours."),
    )
    assert prior.as_of == date(2025, 2, 28)


def test_read_priors__lets_a_prior_without_labels_be_missing(small):
    small.edit("base/world.yaml", "name: South, revenue: band", "name: South, revenue: backcast")
    money = (small.root / "base/money.yaml").read_text(encoding="utf-8")
    small.write("base/money.yaml", money[: money.index("band:")])
    assert "band" not in small.load().priors


BAD = {
    "unknown key": ("  about: Price of a chip.", "  abuot: P", ("book-unknown-key", 2, 3), ["'abuot'", "'about'"]),
    "missing key": ("  unit: USD / unit\n", "", ("book-missing-key", 2, 3), ["price: missing key 'unit'"]),
    "empty value": ("Price of a chip.", "", ("book-type", 2, 9), ["price.about: expected a value, got nothing"]),
    "number for text": ("Price of a chip.", "12", ("book-type", 2, 10), ["the number 12", "quotes"]),
    "list for text": ("Price of a chip.", "[a]", ("book-type", 2, 10), ["got a list"]),
    "text for a list": (
        "dims: [catalogue_chip]\n  dist:\n    n1",
        "dims: chip\n  dist:\n    n1",
        ("book-type", 4, 9),
        ["[a, b]"],
    ),
    "other dims": (
        "dims: [catalogue_chip]\n  dist:\n    n1",
        "dims: [chip]\n  dist:\n    n1",
        ("book-dims", 4, 9),
        ["[chip]"],
    ),
    "unknown prior": ("price:", "prices:", ("book-unknown-prior", 1, 1), ["nothing reads", "'price'"]),
    "unknown unit": (
        "USD / unit",
        "USB / unit",
        ("book-unit", 3, 9),
        ["'USB'", "did you mean 'USD'", "bn USD / M unit"],
    ),
    "wrong dimension": ("USD / unit", "W / unit", ("book-unit", 3, 9), ["power / unit", "money / unit"]),
    "number as a unit": ("USD / unit", "1", ("book-type", 3, 9), ["price.unit", "quotes"]),
    "unknown label": ("    n2:", "    n4:", ("book-unknown-label", 7, 5), ["'n4'", "did you mean 'n"]),
    "label of a successor": ("    n2:", "    n3:", ("book-unknown-label", 7, 5), ["unknown label 'n3'"]),
    "label without distribution": (
        "    default: {family: lognormal, p05: 5000, p95: 9000}\n",
        "",
        ("book-missing-label", 6, 5),
        ["no distribution for s1", "default:"],
    ),
    "number for a distribution": (
        "{family: lognormal, p05: 30000, p95: 40000}",
        "35000",
        ("book-type", 7, 9),
        ["price.dist.n2"],
    ),
    "no family": (
        "{family: lognormal, p05: 30000",
        "{p05: 30000",
        ("book-missing-key", 7, 9),
        ["'family'", "lognormal"],
    ),
    "unknown family": (
        "n2: {family: lognormal",
        "n2: {family: lognorm",
        ("book-family", 7, 18),
        ["did you mean 'lognormal'"],
    ),
    "family of another type": ("n2: {family: lognormal", "n2: {family: [a]", ("book-family", 7, 18), ["a list"]),
    "unknown field": (
        "p05: 30000, p95",
        "p5: 30000, p95",
        ("book-unknown-key", 7, 29),
        ["'p5'", "did you mean 'p50' or 'p05'?"],
    ),
    "quantiles inverted": ("p05: 30000", "p05: 50000", ("book-value", 7, 9), ["price.dist.n2", "50000", "40000"]),
    "zero width": ("p05: 30000", "p05: 40000", ("book-value", 7, 9), ["40000", "fixed"]),
    "not for the family": ("p05: 30000", "p05: -1", ("book-value", 7, 9), ["-1"]),
    "scale of zero": (
        "{family: lognormal, p05: 30000, p95: 40000}",
        "{family: student_t, df: 4, location: 1, scale: 0}",
        ("book-value", 7, 9),
        ["scale"],
    ),
    "percent": ("p05: 30000", "p05: 5%", ("book-type", 7, 34), ["text '5%'", "write 0.05"]),
    "thousands comma": ("p05: 30000", 'p05: "30,000"', ("book-type", 7, 34), ["write 30000"]),
    "underscore": ("p05: 30000", "p05: 30_000", ("book-type", 7, 34), ["write 30000"]),
    "leading zero": ("p05: 30000", "p05: 030000", ("book-type", 7, 34), ["write 30000", "leading zero"]),
    "sexagesimal": ("p05: 30000", "p05: 1:30", ("book-type", 7, 34), ["text '1:30'", "one plain number"]),
    "quoted number": ("p05: 30000", "p05: '30000'", ("book-type", 7, 34), ["leave the quotes out"]),
    "word for a number": ("p05: 30000", "p05: yes", ("book-type", 7, 34), ["expected a number, got text 'yes'"]),
    "bool for a number": ("p05: 30000", "p05: true", ("book-type", 7, 34), ["the bool true"]),
    "nothing for a number": ("p05: 30000", "p05: ", ("book-type", 7, 34), ["price.dist.n2.p05: expected a value"]),
    "date for a number": ("p05: 30000", "p05: 2025-02-28", ("book-type", 7, 34), ["2025-02-28"]),
    "no sources": (
        'source:\n    - {cite: REPORT, where: T2, says: "25,000 USD"}',
        "source: []",
        ("book-uncited", 9, 11),
        [],
    ),
    "date after the book": (
        "as_of: 2025-02-28\nspeed",
        "as_of: 2025-03-01\nspeed",
        ("book-later-fact", 12, 10),
        ["2025-03-01"],
    ),
    "date out of range": (
        "as_of: 2025-02-28\nspeed",
        "as_of: 1999-02-28\nspeed",
        ("book-value", 12, 10),
        ["2000 to 2100"],
    ),
    "no such day": ("as_of: 2025-02-28\nspeed", "as_of: 2025-02-29\nspeed", ("book-value", 12, 10), ["not a date"]),
    "date of a year": ("as_of: 2025-02-28\nspeed", "as_of: 2025\nspeed", ("book-value", 12, 10), ["2026-02-28"]),
    "no date": ("  as_of: 2025-02-28\nspeed", "speed", ("book-missing-key", 2, 3), ["'as_of'"]),
}


@pytest.mark.parametrize(("old", "new", "expected", "words"), BAD.values(), ids=BAD)
def test_read_priors__refuses_with_code_place_and_words(small, old, new, expected, words):
    small.edit("base/chips.yaml", old, new)
    fault = next(fault for fault in small.faults() if fault.code != "book-missing-prior")
    assert (fault.code, fault.place.line, fault.place.column) == expected, str(fault)
    assert fault.place.file.endswith("chips.yaml")
    assert [word for word in words if word not in str(fault)] == []


def test_read_priors__reports_a_missing_prior(small):
    text = (small.root / "base/chips.yaml").read_text(encoding="utf-8")
    small.write("base/chips.yaml", text[: text.index("speed:")])
    assert str(small.fault()).endswith("the prior 'speed' is missing; add 'speed:' [book-missing-prior]")


def test_read_priors__refuses_labels_under_a_scalar(small):
    small.edit("base/money.yaml", "dist: {family: normal, p05: 10, p95: 30}", "dist: {n1: {family: fixed, value: 1}}")
    fault = small.fault()
    assert (fault.code, fault.place.line) == ("book-missing-key", 5)


def test_read_priors__refuses_zero_as_a_unit(small):
    small.edit("base/money.yaml", 'unit: "1"', 'unit: "0"')
    assert small.fault().code == "book-unit"


def test_read_priors__refuses_what_overflows_in_the_models_unit(small):
    small.edit("base/chips.yaml", "{family: fixed, value: 1}", "{family: fixed, value: 1e307}")
    fault = small.fault()
    assert (fault.code, fault.place.line) == ("book-value", 17)
    assert "multiplied by 1000" in fault.problem
