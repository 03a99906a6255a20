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
        "horizon: 2025Q4\n",
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
        ("drift: {about: New., as_of: 2025-03-01}\n", "book-later-fact", 1, "2025-03-01"),
        ("set: 3\n", "book-type", 1, "expected a mapping"),
    ],
)
def test_laid_over__reports_the_overlays_own_line(small, text, code, line, words):
    error = fault(small, text)
    assert (error.code, error.place.line) == (code, line), str(error)
    assert error.place.file.endswith("mine.yaml")
    assert words in str(error)


# --- null removes ----------------------------------------------------------------------------------------------------


def test_laid_over__removes_a_chip_and_the_labels_it_leaves(small):
    text = "chips: {n2: null, n3: null}\nprice:\n  dist: {n2: null}\n"
    small.edit(
        "base/steps.yaml", "dist: {family: uniform, lower: 1, upper: 2}", "dist: {n3: {family: fixed, value: 1}}"
    )
    book = load(small, text + "step: null\n")
    assert book.axes["chip"] == ("n1", "s1")
    assert list(book.priors["price"].table) == [("n1",), ("s1",)]
    assert book.priors["price"].source == small.load().priors["price"].source  # kept numbers keep theirs
    assert "step" not in book.priors


def test_laid_over__says_which_labels_are_left_behind(small):
    codes = [
        (error.code, error.place.line)
        for error in small.faults(small.write("mine.yaml", "chips: {n2: null, n3: null}\n"))
    ]
    assert codes == [("book-unknown-label", 7)]  # in base/chips.yaml, where the label stands


def test_laid_over__turns_a_successor_into_a_catalogue_chip(small):
    text = "chips: {n3: {follows: null, name: N3}}\nprice:\n  dist: {n3: {family: fixed, value: 12000}}\n"
    book = load(small, text + RENEWED)
    assert (book.axes["catalogue_chip"], book.axes["successor_chip"]) == (("n1", "n2", "n3", "s1"), ())
    assert book.priors["price"].table[("n3",)].value == pytest.approx(12)
    assert dict(book.priors["step"].table) == {}


def test_laid_over__puts_a_new_chip_after_the_one_named_before_it(small):
    text = """
chips:
  n1: {name: First}
  n11: {supplier: north, name: N1.1}
  n12: {supplier: north, name: N1.2}
  s1: null
  s2: {supplier: south, name: S2}
"""
    assert load(small, text).axes["chip"] == ("n1", "n11", "n12", "n2", "n3", "s2")


@pytest.mark.parametrize("grounds", [RENEWED, ""])
def test_laid_over__lets_a_live_label_fall_to_the_default_on_grounds_only(small, grounds):
    text = "price:\n  dist:\n    n1: null\n" + grounds
    if grounds:
        price = load(small, text).priors["price"]
        assert price.table[("n1",)] == price.table[("s1",)]
        assert price.source[0].judgement == "Mine."
        return
    error = fault(small, text)
    assert (error.code, error.place.line) == ("book-uncited", 3)
    assert "drops the numbers of n1 without its own source, reasoning, as_of" in error.problem


@pytest.mark.parametrize(("path", "live"), [("{south: {2024Q3: null}}", True), ("{south: {2023Q2: null}}", False)])
def test_laid_over__judges_each_label_of_two_dims(small, path, live):
    small.edit("base/money.yaml", "      2024Q3:", "      2023Q2: {family: fixed, value: 1}\n      2024Q3:")
    small.edit("base/world.yaml", "start: 2024Q1", "start: 2023Q1")
    text = f"start: 2024Q1\nband:\n  dist: {path}\n"
    if live:
        assert fault(small, text.replace("start: 2024Q1\n", "")).code == "book-uncited"
    else:
        assert ("south", "2023Q2") not in load(small, text).priors["band"].table


def test_laid_over__removes_a_correlation(small):
    book = load(small, "correlations:\n  - {within: price, rho: null}\n")
    assert book.correlated == {("drift", "price[n1]"): -0.2}
    error = fault(small, "correlations:\n  - {within: speed, rho: null}\n")
    assert (error.code, error.place.line) == ("book-nothing-to-remove", 2)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("chips: {n4: null}\n", 1, "chips.n4: null removes"),
        ("chips:\n  n1: {follows: null}\n", 2, "chips.n1.follows"),
        ("price:\n  dist: {s1: null}\n", 2, "price.dist.s1"),
        ("speed:\n  dist: {n1: null}\n", 2, "speed.dist.n1"),
        ("prise: null\n", 1, "did you mean 'price'"),
        ("references: {REPROT: null}\n", 1, "did you mean 'REPORT'"),
    ],
)
def test_laid_over__refuses_to_remove_what_is_not_there(small, text, line, words):
    error = fault(small, text)
    assert (error.code, error.place.line) == ("book-nothing-to-remove", line)
    assert error.place.file.endswith("mine.yaml")
    assert words in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "chips:\n  n3:\n",
        "price:\n  dist:\n    n1:\n",
        "price:\n",
        "chips:\n  n3: {follows: }\n",
        "correlations:\n  - {within: price, rho: }\n",
    ],
)
def test_laid_over__takes_an_empty_value_for_a_mistake(small, text):
    error = small.faults(small.write("mine.yaml", text))[0]
    assert error.code in {"book-type", "book-uncited"}
    assert error.place.file.endswith("mine.yaml")


@pytest.mark.parametrize("text", ["price: null", "price:", "price:\n  dist: null", "chips:\n  n1: null"])
def test_load__takes_null_for_a_mistake_in_a_complete_book(small, text):
    small.write("vintages/2024-07-31/book.yaml", "as_of: 2024-07-31\n" + text + "\n")
    assert {error.code for error in small.faults("2024-07-31")} & {"book-type", "book-missing-key"}
