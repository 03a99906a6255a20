import pytest

RENEWED = """
  source: [{judgement: "Mine."}]
  reasoning: Mine.
  as_of: 2025-02-01
"""


def load(small, text: str):
    return small.load(small.write("mine.yaml", text))


def fault(small, text: str):
    return small.fault(small.write("mine.yaml", text))


def test_laid_over__replaces_one_label_and_keeps_the_others_with_their_sources(small):
    book = load(small, "price:\n  dist:\n    n1: {family: fixed, value: 12000}\n" + RENEWED)
    price, base = book.priors["price"], small.load().priors["price"]
    assert price.table[("n1",)].value == pytest.approx(12)
    assert price.table[("n2",)] == base.table[("n2",)]
    assert price.source[0].judgement == "Mine."
    assert price.source[1:] == base.source
    assert (price.reasoning, price.group) == ("Mine.", "chips")


def test_laid_over__replaces_a_whole_dist_with_its_sources(small):
    price = load(small, "price:\n  dist: {family: fixed, value: 12000}\n" + RENEWED).priors["price"]
    assert [member.value for member in price.table.values()] == pytest.approx([12, 12, 12])
    assert len(price.source) == 1


def test_laid_over__never_merges_two_distributions(small):
    drift = load(small, "drift:\n  dist: {family: normal, p10: 1, p90: 2}\n" + RENEWED).priors["drift"]
    assert (drift.table[()].p05, drift.table[()].p10) == (None, pytest.approx(0.01))


def test_laid_over__takes_one_distribution_for_all_as_the_default(small):
    speed = load(small, "speed:\n  dist:\n    n2: {family: fixed, value: 4}\n" + RENEWED).priors["speed"]
    assert [member.value for member in speed.table.values()] == [1000, 4000, 1000]


def test_laid_over__adds_a_chip_and_its_priors(small):
    text = """
chips:
  s2: {supplier: south, name: S2}
  n1: {name: First}
price:
  dist:
    s2: {family: fixed, value: 8000}
"""
    book = load(small, text + RENEWED)
    assert book.axes["catalogue_chip"] == ("n1", "n2", "s1", "s2")
    assert book.world.chips["n1"].name == "First"
    assert book.priors["price"].table[("s2",)].value == pytest.approx(8)


def test_laid_over__adds_and_replaces_correlations_by_what_they_join(small):
    text = """
correlations:
  - {within: price, rho: 0.1, reasoning: Less., source: [{judgement: "Less."}]}
  - {within: speed, rho: 0.2, reasoning: New., source: [{judgement: "New."}]}
"""
    correlated = load(small, text).correlated
    assert correlated["price[n1]", "price[n2]"] == 0.1
    assert correlated["speed[n1]", "speed[n2]"] == 0.2
    assert correlated["drift", "price[n1]"] == -0.2


@pytest.mark.parametrize("key", ["source", "reasoning", "as_of"])
def test_laid_over__asks_new_numbers_for_their_own_grounds(small, key):
    kept = "".join(line for line in RENEWED.splitlines(keepends=True) if not line.strip().startswith(key))
    error = fault(small, "drift:\n  dist: {family: fixed, value: 1}" + kept)
    assert (error.code, error.place.line, error.place.column) == ("book-uncited", 2, 3)
    assert f"without its own {key}" in error.problem


def test_laid_over__asks_a_new_correlation_for_its_grounds(small):
    error = fault(small, "correlations:\n  - {within: price, rho: 0.1}\n")
    assert (error.code, error.place.line) == ("book-uncited", 2)


def test_laid_over__refuses_another_unit_for_numbers_that_are_kept(small):
    error = fault(small, "price:\n  unit: kUSD / unit\n  dist:\n    n1: {family: fixed, value: 12}\n" + RENEWED)
    assert (error.code, error.place.line) == ("book-unit", 2)
    whole = load(small, "price:\n  unit: kUSD / unit\n  dist: {family: fixed, value: 12}\n" + RENEWED)
    assert whole.priors["price"].table[("n1",)].value == pytest.approx(12)


@pytest.mark.parametrize(
    "text",
    [
        "about: Nothing else.\n",
        "horizon: 2025Q2\n",
        "chips:\n  n1: {name: N1}\n",
        "chips: {}\n",
        "set: {}\n",
    ],
)
def test_laid_over__refuses_to_change_nothing(small, text):
    error = fault(small, text)
    assert error.code == "book-no-change"
    assert error.place.file.endswith("mine.yaml")


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("prise:\n  about: x\n", "book-unknown-prior", 1, "did you mean 'price'"),
        ("exteds: base\ndrift: {about: New.}\n", "book-unknown-prior", 1, "'extends'"),
        ("price:\n  dist:\n    n9: {family: fixed, value: 1}\n" + RENEWED, "book-unknown-label", 3, "'n9'"),
        ("price: 3\n", "book-type", 1, "expected a mapping"),
        ("drift: {about: New., as_of: 2025-03-01}\n", "book-dates", 1, "2025-03-01"),
        ("set: 3\n", "book-type", 1, "expected a mapping"),
    ],
)
def test_laid_over__reports_the_overlays_own_line(small, text, code, line, words):
    error = fault(small, text)
    assert (error.code, error.place.line) == (code, line), str(error)
    assert error.place.file.endswith("mine.yaml")
    assert words in str(error)
