"""Both languages say the same things, and name everything that a report may have to name."""

import csv
import re

import pytest
import yaml

from sim import figures
from sim.axes import CONSTRAINTS, DERIVED, OUTPUTS, TIERS
from sim.book.load import priors_folder
from sim.errors import BookError
from sim.report.record import record
from sim.report.words import FOLDER, LANGUAGES, words
from sim.sensitivity import FOOTINGS, TOPICS


def flat(told, path=()):
    if isinstance(told, dict):
        for key, each in told.items():
            assert isinstance(key, str), f"{key!r} of {path} is no text to YAML; quote it"
            yield from flat(each, (*path, key))
    elif isinstance(told, list):
        for place, each in enumerate(told):
            yield from flat(each, (*path, str(place)))
    else:
        yield path, told


@pytest.fixture(scope="module")
def told():
    """Words by path, in each language."""
    read = {lang: yaml.safe_load((FOLDER / f"{lang}.yaml").read_text(encoding="utf-8")) for lang in LANGUAGES}
    return {lang: dict(flat(each)) for lang, each in read.items()}


def test_words__both_languages_have_the_same_keys(told):
    assert told["en"].keys() == told["zh"].keys()


def test_words__both_languages_have_the_same_placeholders(told):
    for path, text in told["en"].items():
        assert set(re.findall(r"\{\w*\}", text)) == set(re.findall(r"\{\w*\}", told["zh"][path])), path


def test_words__are_text_and_hold_no_markup(told):
    for lang in LANGUAGES:
        for path, text in told[lang].items():
            assert isinstance(text, str), path
            assert not re.search(r"[<>&]", text), path


def test_words__of_figures_are_those_of_figures(told):
    english = {path[1]: text for path, text in told["en"].items() if path[0] == "figures"}
    assert english == figures.ENGLISH._asdict()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_words__name_what_a_report_may_tell_of(lang, base_world):
    said = words(lang)
    assert set(said.keys("topics")) == set(said.keys("topics_short")) == set(TOPICS)
    assert set(said.keys("footings")) == set(FOOTINGS)
    assert {*OUTPUTS, *DERIVED, "a100e", "line"} <= set(said.keys("outputs"))
    assert {*CONSTRAINTS, *TIERS, "reported", "total"} <= set(said.keys("labels"))
    assert {each.name for each in base_world.book.world.suppliers.values()} <= set(said.keys("names"))
    past = record()
    assert {row.metric for row in (*past.dated, *past.rolling)} <= set(said.keys("metrics"))
    assert {row.method for row in (*past.dated, *past.rolling, *past.headline)} <= set(said.keys("methods"))


def test_words__name_every_kind_of_source():
    kinds = {each.kind for each in words_of_references()} | {"judgement"}
    for path in (priors_folder() / "history").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            kinds |= {row["source_kind"] for row in csv.DictReader(file)}
    assert kinds <= set(words("en").keys("kinds"))


def words_of_references():
    from sim.book.load import load

    return load().references.values()


def test_words__short_names_fit_beside_a_chart(told):
    for lang in LANGUAGES:
        for path, text in told[lang].items():
            if path[0] == "topics_short":
                assert figures.text.width(text) <= 20, path


def test_words__escape_what_is_put_in():
    said = words("en")("title", name="<b>\u202e")
    assert "&lt;b&gt;\\u202e" in said


def test_words__of_another_language_are_refused():
    with pytest.raises(BookError, match="no language 'fr'"):
        words("fr")
