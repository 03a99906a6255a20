import pytest

CITED = '{cite: REPORT, where: T2, says: "25,000 USD"}'
ROW = '{cite: history/sales, where: north.sales.2024, says: "1,200.5 bn USD in 2024"}'


@pytest.mark.parametrize("says", ["1200.5", "1,200.50 bn", "about 1.2005e3", "grew to 1200.5 from 900"])
def test_Sources__accept_the_rows_value_as_the_first_figure(small, says):
    small.edit("base/money.yaml", "1,200.5 bn USD in 2024", says)
    assert small.load().priors["weight"].source[0].says == says


BAD_CITATIONS = {
    "no figure": (CITED, '{cite: REPORT, where: T2, says: "a lot"}', "book-value", ["states its figure", "'a lot'"]),
    "nothing said": (CITED, "{cite: REPORT, where: T2}", "book-missing-key", ["'says'"]),
    "empty": (CITED, '{cite: REPORT, where: " ", says: "1"}', "book-value", ["price.source.0.where"]),
    "figure as a number": (CITED, "{cite: REPORT, where: T2, says: 25000}", "book-type", ["quotes"]),
    "unknown reference": (
        CITED,
        '{cite: REPROT, where: T2, says: "1"}',
        "book-unknown-source",
        ["did you mean 'REPORT'"],
    ),
    "unknown key": (CITED, '{cite: REPORT, page: 3, where: T2, says: "1"}', "book-unknown-key", ["'page'"]),
    "text": (CITED, "REPORT", "book-type", ["expected a mapping, got text 'REPORT'"]),
    "judgement and citation": (CITED, "{judgement: x, cite: REPORT}", "book-unknown-key", ["'cite'"]),
    "empty judgement": (CITED, "{judgement: '  '}", "book-value", ["judgement"]),
    "unknown file": (
        CITED,
        '{cite: history/sale, where: a, says: "1"}',
        "book-unknown-source",
        ["did you mean 'sales'"],
    ),
    "path out of the folder": (CITED, '{cite: history/../x, where: a, says: "1"}', "book-unknown-source", ["'../x'"]),
    "unknown row": (
        CITED,
        '{cite: history/sales, where: north.sales.2042, says: "1"}',
        "book-unknown-source",
        ["did you mean 'north.sales.2024'"],
    ),
    "another figure": (
        CITED,
        '{cite: history/sales, where: north.sales.2024, says: "1200.6"}',
        "book-figure",
        ["says 1200.6 first", "has 1200.5"],
    ),
    "figure not first": (
        CITED,
        '{cite: history/sales, where: north.sales.2024, says: "in 2024: 1200.5"}',
        "book-figure",
        ["says 2024 first"],
    ),
    "unlinked row alone": (
        CITED,
        '{cite: history/sales, where: south.sales.2024, says: "30"}',
        "book-weak-source",
        ["alone", "add a judgement"],
    ),
    "low-confidence row alone": (
        CITED,
        '{cite: history/sales, where: south.sales.2023, says: "28"}',
        "book-weak-source",
        ["alone"],
    ),
    "low-confidence reference alone": (CITED, '{cite: RUMOUR, where: x, says: "1"}', "book-weak-source", ["alone"]),
}


@pytest.mark.parametrize(("old", "new", "code", "words"), BAD_CITATIONS.values(), ids=BAD_CITATIONS)
def test_Sources__refuse_at_the_line(fails_at, old, new, code, words):
    fault = fails_at("base/chips.yaml", old, new)
    assert (fault.code, fault.place.line) == (code, 10), str(fault)
    assert [word for word in words if word not in str(fault)] == []


def test_Sources__let_low_confidence_stand_beside_a_judgement_only(small):
    assert small.load().priors["speed"].source[0].cite == "RUMOUR"
    small.edit("base/chips.yaml", '    - {judgement: "In line with the die\'s area."}\n', "")
    assert small.fault().code == "book-weak-source"


def test_Sources__check_correlations_too(fails_at):
    fault = fails_at("base/correlations.yaml", '{judgement: "One market."}', '{cite: NOBODY, where: x, says: "1"}')
    assert (fault.code, fault.place.line) == ("book-unknown-source", 5)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("kind: report", "kind: hearsay", "book-value"),
        ("published: 2024-11-05", "published: 2024-13-05", "book-value"),
        ("https://example.org/report", "javascript:alert(1)", "book-value"),
        ("title: A report", "titel: A report", "book-unknown-key"),
        ("{title: A thread, published: 2025-01-02, kind: low_confidence}", "A thread", "book-type"),
    ],
)
def test_read_references__refuses_at_the_line(fails_at, old, new, code):
    fault = fails_at("references.yaml", old, new)
    assert (fault.code, fault.place.line) == (code, 3 if "thread" in old else 2)


def test_read_references__lets_an_overlay_bring_its_own(small):
    path = small.write(
        "mine.yaml",
        """
references:
  MINE: {title: My note, published: 2025-02-01, kind: primary}
drift:
  dist: {family: fixed, value: 5}
  source: [{cite: MINE, where: p. 1, says: "5 %"}]
  reasoning: Mine.
  as_of: 2025-02-01
""",
    )
    book = small.load(path)
    assert book.priors["drift"].source[0].cite == "MINE"
    assert set(book.references) == {"REPORT", "RUMOUR", "EARLY", "MINE"}
