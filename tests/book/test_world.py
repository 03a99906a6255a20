import pytest

BAD = {
    "missing date": ("as_of: 2025-02-28\n", "", ("book-missing-key", None), ["world: missing key 'as_of'"]),
    "missing section": ("chips:", "cheeps:", ("book-missing-key", None), ["world: missing key 'chips'"]),
    "section of another type": (
        "suppliers:\n",
        "suppliers: north\nnobody:\n",
        ("book-type", 8),
        ["expected a mapping"],
    ),
    "member of another type": (
        "{name: City, spending: direct, buys: [south]}",
        "City",
        ("book-type", 7),
        ["buyers.city"],
    ),
    "no quarter": ("2024Q1", "2024Q5", ("book-value", 2), ["world.start", "'2024Q5'"]),
    "quarter out of range": ("2024Q1", "1999Q4", ("book-value", 2), ["2000 to 2100"]),
    "quarters unsorted": ("2024Q1", "2026Q1", ("book-dates", 3), ["2026Q1", "2025Q4"]),
    "start within a year": ("2024Q1", "2024Q3", ("book-dates", 2), ["start 2024Q3 cuts a year", "write 2024Q1"]),
    "end within a year": ("2025Q4", "2025Q2", ("book-dates", 3), ["horizon 2025Q2 cuts a year", "write 2025Q4"]),
    "number for a quarter": ("2024Q1", "2024", ("book-type", 2), ["world.start", "quotes"]),
    "unknown kind": ("reported, buys", "reproted, buys", ("book-value", 5), ["'reproted'", "did you mean 'reported'"]),
    "unknown key": ("acme: {name", "acme: {nmae", ("book-unknown-key", 5), ["'nmae'", "did you mean 'name'"]),
    "text for a bool": ("retires: true", "retires: yes", ("book-type", 15), ["text 'yes'", "write true or false"]),
    "buys no list": ("[south]", "south", ("book-type", 7), ["write [a, b]"]),
    "buys nothing": ("[south]", "[]", ("book-value", 7), ["buyers.city.buys"]),
    "buys from nobody": ("[south]", "[suoth]", ("book-unknown-name", 7), ["'suoth'", "did you mean 'south'"]),
    "buys twice": ("[south]", "[south, south]", ("book-duplicate", 7), ["stands twice"]),
    "chip of nobody": (
        "s1: {supplier: south",
        "s1: {supplier: sooth",
        ("book-unknown-name", 15),
        ["'sooth'", "'south'"],
    ),
    "follows nothing": ("follows: n2", "follows: m2", ("book-unknown-name", 14), ["'m2'", "did you mean 'n2'"]),
    "follows a later chip": (
        "n2: {supplier: north, name: N2}",
        "n2: {supplier: north, name: N2, follows: n3}",
        ("book-unknown-name", 13),
        ["n3"],
    ),
    "follows itself": ("follows: n2", "follows: n3", ("book-unknown-name", 14), ["no earlier chip of north"]),
    "follows another's chip": (
        "s1: {supplier: south",
        "s1: {follows: n1, supplier: south",
        ("book-unknown-name", 15),
        ["no earlier chip of south"],
    ),
    "supplier without chip": (
        "s1: {supplier: south",
        "s1: {supplier: north",
        ("book-world", 10),
        ["suppliers.south has no chip"],
    ),
    "capital letter": ("  city:", "  City:", ("book-name", 7), ["'City'", "a-z"]),
    "path as a name": ("  city:", "  ../city:", ("book-name", 7), ["'../city'"]),
    "300 letters": (
        "  city:",
        f"  {'c' * 300}:",
        ("book-name", 7),
        ["..."],
    ),
    "reserved name": ("  city:", "  default:", ("book-name", 7), ["other than default"]),
}


@pytest.mark.parametrize(("old", "new", "expected", "words"), BAD.values(), ids=BAD)
def test_read_world__refuses_with_code_line_and_words(small, old, new, expected, words):
    small.edit("base/world.yaml", old, new)
    fault = small.faults()[0]
    assert (fault.code, fault.place.line) == expected, str(fault)
    assert [word for word in words if word not in str(fault)] == []


@pytest.mark.parametrize("section", ["buyers", "suppliers", "chips"])
def test_read_world__refuses_an_empty_section(small, section):
    path = small.root / "base/world.yaml"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")]
    small.write("base/world.yaml", "\n".join(f"{line} {{}}" if line.endswith(":") else line for line in kept))
    assert f"world.{section}" in [fault.problem.split(":")[0] for fault in small.faults()]


def test_read_world__refuses_a_supplier_nobody_buys_from(small):
    small.edit("base/world.yaml", "[north, south]", "[north]")
    small.edit("base/world.yaml", "[south]", "[north]")
    assert [fault.problem for fault in small.faults()] == ["suppliers.south has no buyer"]
