"""A small synthetic book that tests copy, edit and load."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.axes import Input
from sim.book import Book, Names, load
from sim.book.check import BookFaults
from sim.errors import BookError

INPUTS = {
    "drift": Input((), "1 / year"),
    "weight": Input(("pair",), "1"),
    "band": Input(("band_supplier", "time"), "bn USD"),
    "price": Input(("catalogue_chip",), "bn USD / M unit"),
    "speed": Input(("catalogue_chip",), "TFLOP/s / unit"),
    "step": Input(("successor_chip",), "1"),
}


class SmallBook:
    """A copy of the synthetic book in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace the one place in a file that reads ``old``."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write(self, file: str, text: str) -> Path:
        """Write a file below the book's folder."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, names: Names = "base", **options: object) -> Book:
        """The book, a vintage, or overlays upon either."""
        return load(names, priors=self.root, inputs=INPUTS, **options)

    def faults(self, names: Names = "base", **options: object) -> list[BookError]:
        """Every fault that loading finds."""
        with pytest.raises(BookError) as caught:
            self.load(names, **options)
        error = caught.value
        return list(error.faults) if isinstance(error, BookFaults) else [error]

    def fault(self, names: Names = "base", **options: object) -> BookError:
        """The only fault that loading finds."""
        (fault,) = self.faults(names, **options)
        return fault


@pytest.fixture
def small(tmp_path: Path) -> SmallBook:
    root = tmp_path / "priors"
    shutil.copytree(Path(__file__).parent / "small", root)
    return SmallBook(root)


@pytest.fixture
def fails_at(small: SmallBook) -> Callable[[str, str, str], BookError]:
    """The only fault after one edit of the small book."""

    def edited(file: str, old: str, new: str) -> BookError:
        small.edit(file, old, new)
        return small.fault()

    return edited
