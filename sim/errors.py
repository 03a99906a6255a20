"""Every error a user can meet: one tree, each with a stable code, the place and the remedy.

The command line turns an error into one message and its exit code; a traceback is shown only with ``--debug``.
"""

from dataclasses import dataclass

__all__ = ["BookError", "ChipcastError", "DeviceError", "IntegrityError", "Place", "RefusedError", "visible"]


@dataclass(frozen=True)
class Place:
    """Where in a file something stands; ``line`` and ``column`` count from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """``file``, ``file:line`` or ``file:line:column``, as editors and terminals link them."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class ChipcastError(Exception):
    """An error with a stable code, an exit code and, where it has one, a place and a remedy."""

    exit_code = 2

    def __init__(self, code: str, problem: str, *, place: Place | None = None, remedy: str = "") -> None:
        self.code = code
        self.problem = problem
        self.place = place
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        """``place: problem; remedy [code]`` on one line."""
        head = f"{self.place}: " if self.place else ""
        tail = f"; {self.remedy}" if self.remedy else ""
        return visible(f"{head}{self.problem}{tail} [{self.code}]")


def visible(text: str) -> str:
    """The text with every character that is not seen, or moves a terminal's cursor, written as its escape."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


class BookError(ChipcastError):
    """A prior book, a scenario, an override or a history file is not valid."""


class RefusedError(ChipcastError):
    """The request is understood and refused: it would not fit, or would overwrite what is not ours."""

    exit_code = 3


class IntegrityError(ChipcastError):
    """A stored run is damaged, incomplete or not one of ours."""

    exit_code = 4


class DeviceError(ChipcastError):
    """The device asked for is missing or out of memory."""

    exit_code = 6
