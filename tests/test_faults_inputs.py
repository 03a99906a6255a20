"""Bad and hostile input, once each where that is quick; and that the checks of it can fail."""

import importlib
import json
import time
from pathlib import Path

import pytest

from sim import errors
from tests.faults import Report, __main__, bombs, fuzz, hostile, inputs
from tests.faults.commands import Ended, chipcast, scratch, shipped_read_once, small_books


@pytest.fixture(scope="module", autouse=True)
def _read_once():
    with shipped_read_once():
        yield


@pytest.mark.parametrize("kind", [kind for kind in inputs.KINDS if kind != "options"])
def test_corpus__every_bad_file_is_refused_in_one_line(kind):
    cases = list(inputs.corpus(kind))
    assert len(cases) >= 10
    assert inputs.checked(cases) == (len(cases), [])


def test_corpus__every_bad_option_is_refused_in_one_line():
    cases = [case for case in inputs.corpus("options") if not {"--set", "--until", "--threshold"} & set(case.arguments)]
    assert inputs.checked(cases[::2]) == (len(cases[::2]), [])  # all of them in ``python -m tests.faults inputs``


def test_corpus__what_is_no_file_of_text_is_refused():
    cases = list(inputs.special())
    assert inputs.checked(cases) == (len(cases), [])


def test_corpus__covers_the_fault_table():
    names = [case.name for case in inputs.everything()]
    assert len(names) == len(set(names)) >= 350
    codes = {case.code for case in inputs.everything()}
    assert {code.partition("-")[0] for code in codes} >= {"yaml", "book", "run", "observation", "actuals", "frozen"}


def test_bombs__are_refused_in_a_second_and_200_megabytes():
    found = bombs.measured({**bombs.bombs(), "a book": "horizon: 2026Q4\n"})
    assert len(found) > 40
    assert [(name, told) for name, told in found.items() if not bombs._holds(told)] == [("a book", found["a book"])]


@pytest.mark.parametrize(
    ("text", "given"),
    [("errors_of_books", {"every": 5}), ("names_of_books", {}), ("charts", {"every": 2}), ("lists", {})],
)
def test_hostile__text_is_left_as_it_stands(text, given):
    with scratch():
        told = list(getattr(hostile, text)(**given))
    assert len(told) >= 20
    assert [each for each in told if each] == []


@pytest.mark.parametrize("text", ["tables", "explanations"])
def test_hostile__text_is_written_as_it_stands(text):
    told = list(getattr(hostile, text)())
    assert (len(told) >= 60, [each for each in told if each]) == (True, [])


def test_fuzz__each_book_loads_or_is_refused():
    report = fuzz.run(40, 3)
    assert (report.injected, report.lost, report.notes["wrong"]) == (40, 0, [])


def test_report__is_printed_and_decides_the_exit_code(monkeypatch, capsys):
    reports = {"inputs": Report(3, 3, 0, {"kinds": 2}), "fuzz": Report(3, 2, 1)}
    monkeypatch.setattr(inputs, "run", lambda n, seed: reports["inputs"])
    monkeypatch.setattr(fuzz, "run", lambda n, seed: reports["fuzz"])
    assert __main__.main(["inputs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "injected": 3, "detected": 3, "lost": 0, "notes": {"kinds": 2}, "ok": True,
    }  # fmt: skip
    assert __main__.main(["fuzz"]) == 1
    assert "lost: 1" in capsys.readouterr().out


# --- the checks can fail ---------------------------------------------------------------------------------------------


def first(kind: str, name: str) -> inputs.Case:
    return next(case for case in inputs.corpus(kind) if case.name == f"{kind}: {name}")


def wrong_with(case: inputs.Case) -> str:
    return " ".join(inputs.checked([case])[1])


def test_checks__see_an_error_swallowed(monkeypatch):
    monkeypatch.setattr(importlib.import_module("sim.book.load"), "check_change", lambda *_: None)
    monkeypatch.setattr("sim.book.overlay.Map.__eq__", lambda *_: False)
    assert "ended 0, not 2" in wrong_with(first("keys", "overlay that changes nothing"))


def test_checks__see_a_key_given_twice_taken(monkeypatch):
    monkeypatch.setattr("sim.book.yaml.Map.__contains__", lambda *_: False)
    assert "no [yaml-duplicate-key]" in wrong_with(first("keys", "key given twice"))


def test_checks__see_a_wrong_line(monkeypatch):
    monkeypatch.setattr("sim.book.yaml._Reader._place", lambda self, mark: errors.Place(self._file, 1, 1))
    assert "not at 'bad.yaml:3:" in wrong_with(first("keys", "key given twice"))


def test_checks__see_a_remedy_that_is_missing(monkeypatch):
    monkeypatch.setattr("sim.book.yaml._mended", lambda problem: "")
    assert "no remedy" in wrong_with(first("yaml", "a wrong indent"))


def test_checks__see_a_traceback(monkeypatch):
    monkeypatch.setattr("sim.book.yaml._Reader.document", lambda self: {}["x"])
    assert "a traceback" in wrong_with(first("keys", "key given twice"))


def test_checks__see_a_hang(monkeypatch):
    monkeypatch.setattr(inputs, "LIMIT", 0.05)
    monkeypatch.setattr("sim.book.files.data", lambda path, most=0: time.sleep(5))
    assert "ended -1, not 2" in wrong_with(first("keys", "key given twice"))


def test_checks__see_what_is_written(monkeypatch):
    monkeypatch.setattr("sim.book.yaml._mended", lambda problem: "x" * Path("left").write_text("x"))
    assert "written: ['left']" in wrong_with(first("yaml", "a wrong indent"))


def test_checks__see_hidden_signs_in_an_error(monkeypatch):
    for room in ("shelf", "yaml"):
        monkeypatch.setattr(f"sim.book.{room}.invisible", lambda *_, **__: None)
    monkeypatch.setattr("sim.book.yaml.files.data", lambda path: b"")
    monkeypatch.setattr("sim.errors.visible", str)
    (case,) = [case for case in inputs.special() if case.name == "files: a name with an escape"]
    with scratch(), small_books():
        (told,) = inputs.tried(case)
    assert "hidden characters" in told


def test_checks__see_markup_interpreted_and_formulas(monkeypatch):
    monkeypatch.setattr("rich.text.Text", str)
    with scratch():
        assert any("bold" in told for told in hostile.lists())
    monkeypatch.setattr("sim.store.tables.FORMULA", ())
    assert any("=cmd()" in told for told in hostile.tables())


def test_checks__see_a_tag_in_a_picture():
    assert hostile._bad_svg(b"<svg><script/></svg>") == "an element script"
    assert hostile._bad_svg(b"<svg onload='x'/>") == "onload=x"
    assert hostile._bad_svg(b"<svg><path href='javascript:x'/></svg>") == "href=javascript:x"
    assert hostile._bad_svg("<svg>\u202e</svg>".encode()) == "hidden signs"


def test_checks__see_a_bomb_that_goes_off():
    assert not bombs._holds({"code": "x", "seconds": 1.5, "megabytes": 1.0})
    assert not bombs._holds({"code": "x", "seconds": 0.5, "megabytes": 300.0})


@pytest.mark.parametrize(
    "told", [{"crash": "KeyError", "seconds": 0.1}, {"seconds": 2.5}, {"bad": "hidden", "seconds": 0.1}]
)
def test_checks__see_a_book_that_crashes_or_takes_long(monkeypatch, told):
    monkeypatch.setattr(fuzz._Worker, "load", lambda *_: told)
    monkeypatch.setattr(fuzz._Worker, "_start", lambda self: None)
    monkeypatch.setattr(fuzz._Worker, "_end", lambda self: None)
    assert fuzz.run(3, 1).lost == 3


def test_checks__see_a_command_that_writes():
    with scratch() as folder:
        ended = chipcast("validate", "--help")
        assert (ended.code, ended.written) == (0, [])
        assert isinstance(ended, Ended)
        assert list(folder.iterdir()) == []
