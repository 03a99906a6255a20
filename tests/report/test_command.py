"""``chipcast report``: where it writes, what it prints, and what it refuses."""

import json

import pytest

from sim import report


@pytest.fixture(autouse=True)
def _computed(made, monkeypatch):
    monkeypatch.setattr(report, "contents", lambda runs: made.contents)


def test_report__is_written_where_it_is_asked_for(chipcast, made, tmp_path):
    ended = chipcast("report", *made.runs, "--out", "here", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == ["here/report.html"]
    assert (tmp_path / "here" / "report.html").read_text(encoding="utf-8") == made.page


def test_report__of_another_language_stands_beside_the_first(chipcast, made, tmp_path):
    ended = chipcast("report", *made.runs, "--out", "mine.html", "--lang", "zh")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("Report: mine.html\n")
    assert '<html lang="zh">' in (tmp_path / "mine.html").read_text(encoding="utf-8")


def test_report__has_a_workbook_beside_it(chipcast, made, tmp_path, monkeypatch):
    monkeypatch.setattr("sim.report.workbook.workbook", lambda contents, lang: f"{contents.lead} {lang}".encode())
    ended = chipcast("report", *made.runs, "--out", ".", "--xlsx", "--json")
    assert json.loads(ended.out) == ["report.html", "report.xlsx"]
    assert (tmp_path / "report.xlsx").read_bytes() == b"nvidia en"


def test_report__refuses_another_suffix_and_another_language(chipcast, made):
    ended = chipcast("report", made.runs[0], "--out", "mine.docx")
    assert (ended.code, "no file .docx" in ended.err) == (3, True)
    ended = chipcast("report", made.runs[0], "--lang", "fr")
    assert (ended.code, "one of en, zh" in ended.err) == (2, True)
