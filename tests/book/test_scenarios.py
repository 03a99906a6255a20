"""The shipped scenarios: each says what it supposes and why, stands on sources, and loads over the base."""

from pathlib import Path

import pytest

from sim.book import load, priors_folder
from sim.book.compose import statements
from sim.book.yaml import Map, read

SCENARIOS = sorted((priors_folder() / "scenarios").glob("*.yaml"))
WORDS = 30
"""A paragraph of reasoning has at least so many."""


def lacks(overlay: Map) -> list[str]:
    """What a scenario does not say of itself."""
    found = [] if len(str(overlay.get("about") or "").split()) >= WORDS else ["about: a paragraph of reasoning"]
    sections = [name for name, node in overlay.items() if isinstance(node, Map) and "dist" in node]
    if "source" not in overlay and ("set" in overlay or not sections):
        found.append("source: what its values stand on")
    return found


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario__says_why_and_whence(path):
    assert lacks(read(path)) == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario__changes_the_base(path):
    book, base = load(path.stem), load()
    assert (book.name, book.as_of) == (path.stem, base.as_of)
    assert statements(book) != statements(base)


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("set: {drift.p05: 5}\n", ["about", "source"]),
        ("about: Short.\nsource: [{judgement: A.}]\nset: {drift.p05: 5}\n", ["about"]),
        (f"about: {'word ' * WORDS}\nset: {{drift.p05: 5}}\n", ["source"]),
        (f"about: {'word ' * WORDS}\nhorizon: 2030Q4\n", ["source"]),
        (f"about: {'word ' * WORDS}\ndrift: {{dist: {{family: fixed, value: 1}}}}\n", []),
        (f"about: {'word ' * WORDS}\nsource: [{{judgement: A.}}]\nset: {{drift.p05: 5}}\n", []),
    ],
)
def test_lacks__sees_what_is_missing(tmp_path: Path, text, lacking):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert [each.partition(":")[0] for each in lacks(read(path))] == lacking
