"""The gallery is what its script writes: each picture by the code beside it."""

from pathlib import Path

import pytest

from sim.report import gallery

PAGE = Path(__file__).parents[2] / "docs/gallery.md"


def test_page__is_what_the_script_writes():
    assert PAGE.read_text(encoding="utf-8") == gallery.page()


def test_page__shows_every_picture_and_no_other():
    shown = {f"{function.__name__}.png" for function, _, _ in gallery.PICTURES.values()}
    assert {path.name for path in PAGE.with_suffix("").iterdir()} == shown
    for name in shown:
        data = (PAGE.with_suffix("") / name).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 60_000


def test_pictures__are_called_as_they_are_shown():
    """What is called for a heading is the function whose code stands under it."""
    for function, call, _ in gallery.PICTURES.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gallery, function.__name__, lambda *_: "drawn")
            assert call(gallery.Made({"base": None}, None, None, ())) == "drawn"
