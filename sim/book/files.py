"""Files that a user names: plain ones of bearable size, in UTF-8, without characters that nobody sees."""

import errno
import os
import stat
import unicodedata
from pathlib import Path

from sim.errors import BookError, Place

__all__ = ["MAX_BYTES", "data", "invisible", "named", "text"]

MAX_BYTES = 1_000_000
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format (bidi, zero width), surrogate, line and paragraph ends


def data(path: Path, most: int = MAX_BYTES) -> bytes:
    """The first ``most`` bytes of a plain file, and one more where there is more.

    OSError: it cannot be read, or is a pipe or a device, which may never begin and never end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "no plain file but a pipe or a device")
        return file.read(most + 1)


def text(path: Path, *, unreadable: str, unfit: str, encoding: str = "utf-8") -> str:
    """The text of a file of rows.

    BookError with one of the two codes given: it cannot be read; it is too large, not UTF-8 or holds what nobody sees.
    """
    try:
        read = data(path)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise BookError(unreadable, problem, place=Place(str(path)), remedy="name a CSV file") from None
    if len(read) > MAX_BYTES:
        problem, remedy = f"larger than {MAX_BYTES:,} bytes", "split it into several files"
        raise BookError(unfit, problem, place=Place(str(path)), remedy=remedy)
    try:
        found = read.decode(encoding)
    except UnicodeDecodeError as error:
        line = read.count(b"\n", 0, error.start) + 1
        raise BookError(unfit, "not UTF-8", place=Place(str(path), line), remedy="save as UTF-8") from None
    sign = invisible(found)
    if sign is not None:
        line = found[: found.index(sign)].count("\n") + 1
        raise BookError(unfit, f"invisible character {named(sign)}", place=Place(str(path), line), remedy="delete it")
    return found


def invisible(text: str, *, but: str = "\t\n\r") -> str | None:
    """The first control, bidi or other invisible character of the text, if any, ``but`` those."""
    found = {sign for sign in set(text) - set(but) if unicodedata.category(sign) in _INVISIBLE}
    return min(found, key=text.index, default=None)


def named(sign: str) -> str:
    """A character by number and name, for a message."""
    return f"U+{ord(sign):04X} ({unicodedata.name(sign, 'control character')})"
