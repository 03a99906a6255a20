"""Scenarios laid one after another: what the book then holds, and that no belief of one is lost under another."""

import pytest

from sim.book.compose import statements

GROUNDS = """
  source: [{judgement: "Mine."}]
  reasoning: Mine.
  as_of: 2025-02-01
"""


def price(entries: str) -> str:
    return f"price:\n  dist: {entries}" + GROUNDS


def two(small, first: str, second: str):
    return [small.write("one.yaml", first), small.write("two.yaml", second)]


def test_load__lays_scenarios_one_after_another(small):
    book = small.load(["dear", "fast"])
    assert (book.name, book.about) == ("dear+fast", "Chips cost more.\n\nChips are faster.")
    assert book.priors["price"].table[("n1",)].p95 == pytest.approx(50)
    assert book.priors["speed"].table[("n1",)].value == 2000
    assert book.digest == small.load(["fast", "dear"]).digest == small.load(("base", "dear", "fast")).digest


def test_load__lays_scenarios_over_an_earlier_book(small):
    book = small.load(["dear", "fast"], as_of="2024-07-01")
    assert (book.name, book.as_of.isoformat()) == ("dear+fast", "2024-06-30")
    assert small.load(["2024-06-30", "fast", "dear"]).digest == book.digest


def test_load__gives_one_name_and_its_list_alike(small):
    assert small.load(["dear"]) == small.load("dear")
    assert small.load([]) == small.load()


def test_load__sets_values_over_all_scenarios(small):
    book = small.load(["dear", "fast"], overrides={"price.n1.p95": 60_000})
    assert book.priors["price"].table[("n1",)].p95 == pytest.approx(60)


def test_load__lays_what_two_scenarios_extend_once(small):
    first, second = two(small, "extends: dear\nset: {drift.p05: 5}\n", "extends: dear\nset: {speed.value: 3}\n")
    book = small.load([first, second])
    assert (book.priors["drift"].table[()].p05, book.priors["speed"].table[("n1",)].value) == (0.05, 3000)
    assert book.priors["price"].table[("n1",)].p95 == pytest.approx(50)


def test_load__names_the_nearest_to_an_unknown_scenario(small):
    fault = small.fault(["dear", "fats"])
    assert (fault.code, fault.remedy) == ("book-not-found", "did you mean 'fast' or 'base'?")


# --- two that disagree -----------------------------------------------------------------------------------------------

N1, N2 = price("{n1: {family: fixed, value: 1}}"), price("{n2: {family: fixed, value: 1}}")

CONFLICTS = {
    "the same value": ("set: {price.n1.p95: 40000}\n", "set: {price.n1.p95: 41000}\n", "price.n1"),
    "two fields of one distribution": ("set: {drift.p05: 5}\n", "set: {drift.p95: 40}\n", "drift"),
    "value and distribution": ("set: {price.n1.p95: 40000}\n", N1, "price.n1"),
    "value and whole prior": ("set: {price.n1.p95: 40000}\n", price("{family: fixed, value: 9}"), "price.n1"),
    "value and a restated one": (
        "set: {price.n1.p95: 40000}\n",
        price("{n1: {family: lognormal, p05: 20000, p95: 30000}, n2: {family: fixed, value: 9}}"),
        "price.n1",
    ),
    "label and its default": ("set: {price.s1.p95: 9500}\n", "set: {price.default.p95: 9900}\n", "price.s1"),
    "horizon": ("horizon: 2026Q4\n", "set: {horizon: 2027Q4}\n", "horizon"),
    "date": ("as_of: 2025-03-01\n", "as_of: 2025-04-01\n", "as_of"),
    "member": ("chips: {s1: {retires: null}}\n", "chips: {s1: {retires: true, name: S}}\n", "chips.s1.retires"),
    "both add a chip": (
        "chips: {s2: {name: S2, supplier: south}}\n",
        "chips: {s2: {name: Second, supplier: south}}\n",
        "chips.s2.name",
    ),
    "a number and a chip's removal": (
        "set: {price.n2.p95: 50000}\n",
        "chips: {n2: null, n3: null}\n" + price("{n2: null}").replace(GROUNDS, "\n"),
        "price.n2",
    ),
    "a member and its removal": (
        "chips: {n3: {name: Nx}}\n",
        "chips: {n3: null}\n",
        "chips.n3.name",
    ),
    "correlation": (
        "correlations: [{within: price, rho: 0.1, reasoning: A., source: [{judgement: A.}]}]\n",
        "correlations: [{within: price, rho: null}]\n",
        "correlations.within price",
    ),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("first", "second", "path"), CONFLICTS.values(), ids=CONFLICTS)
def test_load__refuses_scenarios_that_disagree_in_either_order(small, first, second, path, turned):
    names = two(small, first, second)
    for name in names:
        small.load(name)  # each is fine alone
    fault = small.fault(names[::-1] if turned else names)
    assert (fault.code, fault.place.line is not None) == ("book-conflict", True), str(fault)
    assert path in fault.problem.partition("of ")[2]
    above, below = ("one", "two") if turned else ("two", "one")
    assert fault.place.file.endswith(f"{above}.yaml")
    assert fault.problem.startswith(f"{above} and {below}, at ")
    assert f"{below}.yaml:" in fault.problem
    assert f"let {above} say extends: {below}" in fault.remedy


AGREE = {
    "other labels": (N1, N2),
    "other labels of one distribution": ("set: {speed.n1.value: 2}\n", "set: {speed.n2.value: 3}\n"),
    "label and a longer time": ("set: {band.south.2025Q1.value: 3}\n", "horizon: 2026Q4\n"),
    "default and a longer time": ("set: {band.south.default.value: 3}\n", "horizon: 2026Q4\n"),
    "default and a new chip": (
        "set: {price.default.p95: 9900}\n",
        "chips: {s2: {name: S2, supplier: south}}\n",
    ),
    "fields of one member": ("chips: {s1: {name: S}}\n", "chips: {s1: {retires: false}}\n"),
    "the same chip and another": (
        "chips: {s2: {name: S2, supplier: south}}\n",
        "chips: {s2: {name: S2, supplier: south}, s3: {name: S3, supplier: south}}\n",
    ),
    "one value in common": ("set: {drift.p05: 5}\n", "set: {drift.p05: 5.0, speed.value: 3}\n"),
    "removals in common": ("chips: {n3: null}\n", "chips: {n3: null}\nhorizon: 2026Q4\n"),
    "correlations": (
        "correlations: [{within: price, rho: null}]\n",
        "correlations: [{within: speed, rho: 0.1, reasoning: A., source: [{judgement: A.}]}]\n",
    ),
}


@pytest.mark.parametrize(("first", "second"), AGREE.values(), ids=AGREE)
def test_load__composes_what_agrees_with_nothing_lost(small, first, second):
    """What either scenario changes, adds or removes alone, the composed book has changed, added or removed."""
    names = two(small, first, second)
    base, alone = statements(small.load()), [statements(small.load(name)) for name in names]
    book = statements(small.load(names))
    for stated in alone:
        changed = {path: value for path, value in stated.items() if path in base and value != base[path]}
        assert {path: book.get(path) for path in changed} == changed
        assert [path for path in stated if path not in book and path not in base] == []
        assert [path for path in base if path not in stated and path in book] == []


def test_load__lets_one_say_another_thing_than_what_it_extends(small):
    path = small.write("mine.yaml", "extends: dear\nset: {price.n1.p95: 60000}\n")
    assert small.load(["dear", path]).priors["price"].table[("n1",)].p95 == pytest.approx(60)
    assert small.load(["dear", path]).digest == small.load(path).digest
    fault = small.fault([path, "dear"])  # it is in the book already
    assert (fault.code, fault.problem) == ("book-no-change", "dear changes nothing of the book below it, mine")


def test_load__refuses_all_pairs_that_disagree(small):
    names = [
        small.write(f"{name}.yaml", f"set: {{drift.p05: {name[1]}, drift.p95: 40}}\n") for name in ("a1", "a2", "a3")
    ]
    faults = small.faults([*names, "fast"])
    assert [fault.problem[:9] for fault in faults] == ["a2 and a1", "a3 and a1", "a3 and a2"]


def test_load__lists_the_first_entries_that_conflict(small):
    first, second = (price(f"{{family: fixed, value: {value}}}") + f"speed: {{about: {value}a}}\n" for value in (1, 2))
    fault = small.fault(two(small, first, second))
    assert fault.problem.endswith("say different things of price.n1, price.n2, price.s1")
    second += "drift:\n  dist: {family: fixed, value: 1}" + GROUNDS
    first += "drift:\n  dist: {family: fixed, value: 2}" + GROUNDS
    assert small.fault(two(small, first, second)).problem.endswith(" and 1 more")


# --- one that changes nothing ----------------------------------------------------------------------------------------

NOTHING = {
    "the same scenario twice": ["dear", "dear"],
    "one that another extends": ["over", "dear"],
    "one that agrees wholly": ["dear", "same"],
    "prose alone": ["prose"],
    "prose alone, over another": ["dear", "prose"],
    "a restated default": ["restated"],
    "a default that covers nothing": ["covered"],
}


@pytest.mark.parametrize("names", NOTHING.values(), ids=NOTHING)
def test_load__refuses_what_changes_nothing_of_what_lies_below(small, names):
    small.write("scenarios/over.yaml", "extends: dear\nset: {drift.p05: 5}\n")
    small.write("scenarios/same.yaml", price("{n1: {family: lognormal, p05: 20000, p95: 50000}}"))
    small.write("scenarios/prose.yaml", "drift: {about: Growth of all spending.}\n")
    small.write("scenarios/restated.yaml", price("{s1: {family: lognormal, p05: 5000, p95: 9000}}"))
    small.write("scenarios/covered.yaml", "set: {price.default.p95: 9500}\nprice: {about: Prices.}\n")
    if names == ["covered"]:
        small.edit("base/chips.yaml", "    default: {f", "    s1: {family: fixed, value: 9}\n    default: {f")
    fault = small.fault(names)
    assert (fault.code, fault.place.file.endswith(f"{names[-1]}.yaml")) == ("book-no-change", True)
    assert f"{names[-1]} changes nothing of the book below it" in fault.problem


def test_load__refuses_a_file_that_changes_nothing_below_one_that_does(small):
    small.write("idle.yaml", "horizon: 2025Q4\n")
    fault = small.fault(small.write("mine.yaml", "extends: idle.yaml\nset: {drift.p05: 5}\n"))
    assert (fault.code, fault.place.file.endswith("idle.yaml")) == ("book-no-change", True)


def test_load__lets_one_file_of_a_scenario_agree_wholly_with_another(small):
    first, _ = two(small, "horizon: 2026Q4\n", "horizon: 2026Q4\n")
    book = small.load([first, small.write("three.yaml", "extends: two.yaml\nset: {speed.value: 2}\n")])
    assert (book.axes["time"][-1], book.priors["speed"].table[("n1",)].value) == ("2026Q4", 2000)


def test_load__refuses_a_command_that_changes_nothing(small):
    small.edit("base/chips.yaml", "    default: {f", "    s1: {family: fixed, value: 9}\n    default: {f")
    fault = small.fault("dear", overrides={"price.default.p95": 9500})
    assert (fault.code, str(fault.place)) == ("book-no-change", "--set")
    assert "--set price.default.p95 changes nothing of the book below it, dear" in fault.problem


# --- sources of an overlay as a whole --------------------------------------------------------------------------------


def test_load__lets_values_stand_on_the_overlays_source(small):
    source = small.load("cheap").priors["price"].source
    assert source[-2].judgement.endswith("cheap.yaml: price.n1.p95 = 22000")
    assert (source[-1].cite, source[-1].where) == ("EARLY", "p. 2")
    assert small.load("cheap").priors["drift"].source == small.load().priors["drift"].source


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ('[{cite: ERLY, where: x, says: "1"}]', "book-unknown-source"),
        ('[{cite: RUMOUR, where: x, says: "1"}]', "book-weak-source"),
        ("[]", "book-uncited"),
        ("A guess.", "book-uncited"),
        ('[{cite: history/sales, where: north.sales.2024, says: "7"}]', "book-figure"),
    ],
)
def test_load__checks_the_overlays_source(small, source, code):
    fault = small.fault(small.write("mine.yaml", f"source: {source}\nhorizon: 2026Q4\n"))
    assert (fault.code, fault.place.line) == (code, 1)
