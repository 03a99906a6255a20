"""Families that hold lists or other distributions, in YAML: read, converted, refused at the line of the fault."""

import shutil
from pathlib import Path

import pytest

import tests.book.conftest as book
from sim.book.schema import FAMILIES


@pytest.fixture
def small(tmp_path):
    root = tmp_path / "priors"
    shutil.copytree(Path(book.__file__).parent / "small", root)
    return book.SmallBook(root)


MIXTURE = """
      family: mixture
      weights: [0.7, 0.3]
      components:
        - {family: lognormal, p05: 30000, p95: 40000}
        - {family: normal, mean: 60000, sd: 5000}"""
OVERLAY = """extends: base
price:
  dist:
    n2: {dist}
  source:
    - {{judgement: "Two prices may be asked."}}
  reasoning: A second mode.
  as_of: 2025-02-28
"""


def load(small, dist):
    small.write("scenarios/two.yaml", OVERLAY.format(dist=dist))
    return small.load("two").priors["price"].table[("n2",)]


def fault(small, dist):
    small.write("scenarios/two.yaml", OVERLAY.format(dist=dist))
    found = small.fault("two")
    assert found.place.file.endswith("two.yaml")
    return found


def test_mixture__is_read_and_converted_with_its_components(small):
    found = load(small, MIXTURE)
    assert found.components[1].mean == pytest.approx(60)
    assert found.weights == (0.7, 0.3)
    digest = small.load("two").digest
    assert digest != small.load().digest


def test_discrete_and_metalog__are_read_and_converted(small):
    assert load(small, "{family: discrete, values: [1000, 2000], probabilities: [0.5, 0.5]}").values == (1, 2)
    found = load(small, "{family: metalog, p10: 1000, p50: 2000, p90: 3500, lower: 0}")
    assert (found.p50, found.lower) == (2, 0)
    assert load(small, "{family: gamma, p05: 1000, p95: 2000}").p95 == 2
    assert load(small, "{family: logistic, location: 1000, scale: 20}").scale == pytest.approx(0.02)


AT = "price.dist.n2.components.1"
BAD = {
    "a fault": ("sd: 5000", "sd: -5000", (9, 11), f"{AT}: sd must be positive, got -5000"),
    "a word": ("sd: 5000", "sd: 5%", (9, 45), f"{AT}.sd: expected a number, got text '5%'; write 0.05"),
    "misspelt field": ("sd: 5000", "std: 5000", (9, 41), f"{AT}: unknown key 'std'; did you mean 'sd'"),
    "misspelt family": ("family: normal", "family: norml", (9, 20), f"{AT}: unknown family text 'norml'"),
    "no family": ("family: normal, ", "", (9, 11), f"{AT}: missing key 'family'"),
    "no mapping": ("{family: normal, mean: 60000, sd: 5000}", "60000", (9, 11), f"{AT}: expected a mapping"),
    "nothing": ("{family: normal, mean: 60000, sd: 5000}", "", (9, 10), f"{AT}: expected a mapping, got nothing"),
    "a known value": (
        "normal, mean: 60000, sd: 5000",
        "fixed, value: 1",
        (9, 11),
        f"{AT}: a mixture cannot hold a fixed",
    ),
    "itself": (
        "{family: normal, mean: 60000, sd: 5000}",
        "{family: mixture, weights: [0.5, 0.5],"
        " components: [{family: normal, mean: 0, sd: 1}, {family: normal, mean: 1, sd: 1}]}",
        (9, 11),
        f"{AT}: a mixture cannot hold a mixture; write its components into this one",
    ),
    "weights": ("0.3]", "0.2]", (5, 7), "price.dist.n2: weights must sum to 1, got 0.7 + 0.2 = 0.9"),
    "a weight": ("0.3]", "30%]", (6, 22), "price.dist.n2.weights.1: expected a number, got text '30%'; write 0.3"),
    "no weights": ("      weights: [0.7, 0.3]\n", "", (5, 7), "price.dist.n2: missing key 'weights'"),
}


@pytest.mark.parametrize(("old", "new", "place", "words"), BAD.values(), ids=BAD)
def test_mixture__refuses_at_the_line_of_the_component(small, old, new, place, words):
    assert MIXTURE.count(old) == 1
    found = fault(small, MIXTURE.replace(old, new))
    assert words in str(found)
    assert (found.place.line, found.place.column) == place, str(found)


def test_mixture__refuses_components_that_are_no_list(small):
    found = fault(small, "{family: mixture, weights: [0.5, 0.5], components: 3}")
    assert "price.dist.n2.components: expected a list, got the number 3" in str(found)


def test_mixture__reports_the_faults_of_all_components(small):
    dist = MIXTURE.replace("sd: 5000", "sd: 0").replace("p05: 30000", "p05: 50000")
    small.write("scenarios/two.yaml", OVERLAY.format(dist=dist))
    assert [found.place.line for found in small.faults("two")] == [8, 9]


def test_metalog__is_refused_where_it_stands(small):
    found = fault(small, "{family: metalog, p10: 1000, p50: 1100, p90: 5000}")
    assert "its density would not be positive below the probability 0.273" in str(found)
    assert found.place.line == 4


def test_families__are_all_known_to_the_book():
    assert {"gamma", "logistic", "metalog", "mixture", "discrete"} < set(FAMILIES)
