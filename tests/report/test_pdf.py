"""The report on paper: pages with number, run and commit, and charts that are whole."""

import re
import shutil
import subprocess
import sys

import pytest

from sim.errors import RefusedError
from sim.report import pdf


@pytest.fixture(scope="module")
def paper(short, tmp_path_factory):
    pytest.importorskip("weasyprint", reason="weasyprint is not installed")
    path = tmp_path_factory.mktemp("paper") / "report.pdf"
    path.write_bytes(pdf(short))
    return path


def text_of(path, *options: str) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext is installed")
    return subprocess.run(["pdftotext", *options, str(path), "-"], capture_output=True, check=True, text=True).stdout


def test_pdf__every_page_has_its_number_the_run_and_the_commit(paper, made):
    pages = text_of(paper).rstrip("\f").split("\f")
    first = made.contents.first
    assert len(pages) > 5
    for number, page in enumerate(pages, 1):
        assert f"page {number} of {len(pages)}" in page
        assert first.run in page
        assert first.commit[:12] in page


def test_pdf__nothing_lies_outside_the_paper(paper):
    """Words of tables and charts stand within the margins of their page."""
    sheet = text_of(paper, "-bbox")
    for page in sheet.split("<page ")[1:]:
        wide, high = (float(re.search(rf'{name}="([\d.]+)"', page)[1]) for name in ("width", "height"))
        for left, top, right, bottom in re.findall(
            r'xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)"', page
        ):
            assert 20 < float(left) <= float(right) < wide - 20
            assert 10 < float(top) <= float(bottom) < high - 10


def test_pdf__has_what_the_page_hides_in_details(paper):
    text = " ".join(text_of(paper).split())
    assert "The fit gives 0.27 with 0.17 to 0.37 at 90 %" in text
    assert "Huatai Securities" in text


def test_pdf__loads_nothing():
    urls = pytest.importorskip("weasyprint.urls", reason="weasyprint is not installed")
    with pytest.raises(urls.FatalURLFetchingError, match=r"example\.invalid"):
        pdf('<img src="http://example.invalid/a.png">')


def test_pdf__without_weasyprint_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(RefusedError, match=r"chipcast\[pdf\]"):
        pdf("<p>")
