"""Bad inputs by class of fault: each must be refused in one line that says where, what and what to write instead."""

import itertools
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from sim.history import COLUMNS
from tests.faults import Report
from tests.faults.commands import Ended, chipcast, clear, process, scratch, shipped_read_once, small_books

CORPUS = Path(__file__).parent / "corpus"
FROZEN = Path(__file__).parents[2] / "priors" / "frozen" / "2026-02-28.json"
SPELT = {
    "CITED": "source: [{judgement: A.}], reasoning: B., as_of: 2025-02-28",
    "HEADER": ",".join(COLUMNS),
    "DIGITS": "9" * 5_000,
    "FROZEN": str(FROZEN),
}
"""Words of the corpus that stand for more."""
SIGN = re.compile(r"\\u(?!d8)([0-9a-f]{4})|\\U([0-9a-f]{8})")
LIMIT = 20.0
"""Seconds after which a command is taken to hang."""
DOZEN = 12
LONGEST = 2_000
"""Characters that an error takes at most."""
REMEDY = re.compile(r"; .+ \[[a-z0-9-]+\]\n")


@dataclass(frozen=True)
class Case:
    """A bad input, how it is given to the command line, and what must come of it."""

    name: str
    code: str
    """Error code, or how it begins."""
    words: tuple[str, ...]
    """Among them what to write instead."""
    arguments: tuple[str, ...]
    files: tuple[tuple[str, bytes], ...] = ()
    place: str = ""
    exit: int = 2
    make: Callable[[], object] = lambda: None
    """Puts there what a file of bytes is not."""


KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        kind: ("bad.yaml", ("validate", "bad.yaml"))
        for kind in ("keys", "numbers", "distributions", "correlations", "units", "dates", "yaml")
    },
    "observations": ("bad.csv", ("condition", "base", "--on", "bad.csv")),
    "actuals": ("bad.csv", ("score", str(FROZEN), "--actuals", "bad.csv")),
    "rows": ("bad.csv", ("update", "bad.csv")),
    "points": ("bad.yaml", ("consensus", "--file", "bad.yaml")),
    "options": ("", ()),
}
"""Parts of the corpus: the file that a block is, and the command that it is given to."""


def corpus(kind: str) -> Iterator[Case]:
    """The cases of one part of the corpus."""
    text = (CORPUS / f"{kind}.txt").read_text(encoding="utf-8")
    for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        name, code, *words = (part.strip() for part in head.split("|"))
        yield _case(f"{kind}: {name}", code, tuple(words), spelt(body), *KINDS[kind])


def spelt(text: str) -> str:
    """The text of a block with what its words and signs stand for."""
    text = SIGN.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    return re.sub("|".join(SPELT), lambda found: SPELT[found[0]], text)


def _case(name: str, code: str, words: tuple[str, ...], body: str, file: str, command: tuple[str, ...]) -> Case:
    error, _, ends = code.partition(" ")
    if not file:
        return Case(name, error, words, tuple(shlex.split(body)), exit=int(ends or 2))
    nowhere, body = body.startswith("~\n"), body.removeprefix("~\n")
    before, mark, after = body.partition("§")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    at = "" if not mark else f":{line}:{column}" if file.endswith("yaml") else f":{line}"
    place = "" if nowhere else f"{file}{at}: "
    return Case(name, error, words, command, ((file, (before + after).encode()),), place, int(ends or 2))


BOOK = ("validate", "bad.yaml")
ESCAPE = "x\x1b[2J.yaml"
OVERLAY = b"horizon: 2026Q4\n"
OBSERVED, SCORED, UPDATED, LISTED = (KINDS[kind][1] for kind in ("observations", "actuals", "rows", "points"))
JUDGED = ("score", "bad.json", "--actuals", "bad.csv")


def _no_plain_file(file: str, command: tuple[str, ...], code: str) -> Iterator[Case]:
    """What stands where a file should."""
    path, words = Path(file), ("cannot be read",)
    for name, make in {
        "no file": lambda: None,
        "a folder": lambda: (path.mkdir(), (path / "x.txt").write_text("")),
        "a pipe that nobody writes": lambda: os.mkfifo(path),
        "a device without end": lambda: path.symlink_to("/dev/zero"),
        "a terminal of nobody": lambda: path.symlink_to("/dev/ptmx"),
        "a link to nowhere": lambda: path.symlink_to("nowhere"),
        "a link to itself": lambda: path.symlink_to(path),
    }.items():
        missing = (
            file == "bad.yaml" and command == BOOK and name in ("no file", "a link to nowhere", "a link to itself")
        )
        folder = file == "bad.yaml" and command == BOOK and name == "a folder"
        found = ("book-not-found", ()) if missing or folder else (code, words)
        yield Case(f"files: {name} for {file} of {command[0]}", *found, command, (), f"{file}: ", make=make)


def special() -> Iterator[Case]:
    """Cases whose file is no text, or no file."""
    for command, code in ((BOOK, "yaml-unreadable"), (LISTED, "yaml-unreadable")):
        yield from _no_plain_file("bad.yaml", command, code)
    for command, code in ((OBSERVED, "observation-file"), (SCORED, "actuals-file"), (UPDATED, "history-file")):
        yield from _no_plain_file("bad.csv", command, code)
    yield from _no_plain_file("bad.json", JUDGED, "frozen-file")
    yield from _bytes()
    yield from _folders()
    yield from _frozen()


def _bytes() -> Iterator[Case]:
    """Files whose bytes are no text, or far too many."""
    for name, text, code, words, at in (
        ("Latin-1", b"about: caf\xe9\n", "yaml-not-utf8", "save it as UTF-8", ":1:11"),
        ("UTF-16", "horizon: 2026Q4\n".encode("utf-16"), "yaml-not-utf8", "save it as UTF-8", ":1:1"),
        ("UTF-8 that is too long", b"about: \xc0\xaf\n", "yaml-not-utf8", "save it as UTF-8", ":1:8"),
        ("half a surrogate in UTF-8", b"about: \xed\xa0\x80\n", "yaml-not-utf8", "save it as UTF-8", ":1:8"),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0", "yaml-not-utf8", "save it as UTF-8", ":1:1"),
        ("a null byte", b"\0", "yaml-character", "delete it", ":1:1"),
        ("an archive", b"PK\x03\x04", "yaml-character", "delete it", ":1:3"),
        ("a byte order mark alone", b"\xef\xbb\xbf", "yaml-empty", "write at least one", ""),
        ("two megabytes", b"# so large\n" * 200_000, "yaml-too-large", "split it into several files", ""),
        ("a text of 100,000 characters", b"about: " + b"x" * 100_000, "yaml-too-long", "shorten it", ":1:8"),
        ("a key of 2,000 characters", b"? " + b"x" * 2_000 + b"\n: 1\n", "yaml-key", "check the colons", ":1:3"),
        ("a link of 15,000 characters", b"extends: " + b"x" * 15_000, "book-not-found", "known: base", ":1:10"),
        ("a date of 15,000 characters", b"as_of: " + b"2" * 19 + b"x" * 15_000, "book-value", "write one like", ":1:8"),
        ("a unit of 15,000 characters", UNIT % (b"x" * 15_000), "book-unit", "the model works in", ":1:15"),
        (
            "a citation of 15,000 characters",
            CITATION % (b"X" * 15_000),
            "book-unknown-source",
            "known: REPORT",
            ":1:58",
        ),
        ("a prior of 900 characters", b"x" * 900 + b": 1\n", "book-unknown-prior", "known: drift", ":1:1"),
    ):
        yield Case(f"files: {name}", code, (words,), BOOK, (("bad.yaml", text),), f"bad.yaml{at}: ")
    latin, wide = "é".encode("latin-1"), '"' + "x" * 200_000 + '"\n'
    for command, unfit, cells, head in (
        (OBSERVED, "observation-text", "observation-text", "metric,entity,period,value,error\n"),
        (SCORED, "actuals-form", "actuals-form", "metric,entity,period,value,error\n"),
        (UPDATED, "history-text", "history-cells", ",".join(COLUMNS) + "\n"),
    ):
        for name, text, code, at in (
            ("Latin-1", head.encode() + latin, unfit, ":2"),
            ("UTF-16", head.encode("utf-16"), unfit, ":1"),
            ("two megabytes", head.encode() + b"\n" * 2_000_000, unfit, ""),
            ("a cell of 200,000 characters", head.encode() + wide.encode(), cells, ""),
            ("text turned round", (head + "\u202e").encode(), unfit, ":2"),
        ):
            yield Case(f"files: {name} to {command[0]}", code, (), command, (("bad.csv", text),), f"bad.csv{at}")


UNIT = b"drift: {unit: %s, dist: {family: fixed, value: 1}, " + SPELT["CITED"].encode() + b"}\n"
CITATION = UNIT.replace(b"unit: %s, ", b"").replace(b"judgement: A.", b"cite: %s, where: x, says: '1'")


def _folders() -> Iterator[Case]:
    """Folders as books, circles of them, and folders to write to."""
    twice = (("mine/a.yaml", OVERLAY), ("mine/b.yaml", b"about: B.\n" + OVERLAY))
    yield Case("files: a key in two files of a book", "book-duplicate", ("first at mine/a.yaml:1:1", "keep one"),
               ("validate", "mine"), twice, "mine/b.yaml:2:1: ")  # fmt: skip
    yield Case("files: a file of a book that is bad", "yaml-syntax", ("; ",), ("validate", "mine"),
               (("mine/a.yaml", OVERLAY), ("mine/b.yaml", b"a: [\n")), "mine/b.yaml:2:1: ")  # fmt: skip
    circle = tuple((f"{name}.yaml", b"extends: %s.yaml\nhorizon: 2026Q4\n" % on) for name, on in (
        ("bad", b"two"), ("two", b"three"), ("three", b"bad")))  # fmt: skip
    yield Case("files: three books in a circle", "book-circle", ("bad.yaml -> two.yaml -> three.yaml -> bad.yaml",),
               BOOK, circle, "three.yaml:1:10: ")  # fmt: skip
    yield Case("files: a circle by a link", "book-circle", ("extend base",), BOOK,
               (("bad.yaml", b"extends: too.yaml\nhorizon: 2026Q4\n"),), "bad.yaml:1:10: ",
               make=lambda: Path("too.yaml").symlink_to("bad.yaml"))  # fmt: skip
    yield Case("files: a name with an escape", "book-not-found", ("name a book or a file",), ("validate", ESCAPE),
               ((ESCAPE, OVERLAY),))  # fmt: skip
    yield Case("files: a name within a book with an escape", "yaml-unreadable", ("rename it",), ("validate", "mine"),
               (("mine/x\x1b[2J.yaml", OVERLAY),))  # fmt: skip


def _frozen() -> Iterator[Case]:
    """Frozen forecasts that are none."""
    shipped = json.loads(FROZEN.read_text(encoding="utf-8"))
    for name, text, code in (
        ("empty", b"", "frozen-form"),
        ("a list", b"[]", "frozen-form"),
        ("text", b"not json", "frozen-form"),
        ("no text", b"\xff\xfe\xfd", "frozen-form"),
        ("a mapping without its hash", b"{}", "frozen-form"),
        ("100,000 brackets", b"[" * 100_000, "frozen-form"),
        ("5,000 digits", b'{"format": ' + b"9" * 5_000 + b"}", "frozen-form"),
        ("one quantile changed", json.dumps(shipped | {"seed": "1"}).encode(), "frozen-changed"),
        ("a later format", json.dumps(shipped | {"format": 99}).encode(), "frozen-format"),
    ):
        files = (("bad.json", text), ("bad.csv", b"metric,entity,period,value,error\n"))
        yield Case(f"files: a frozen forecast of {name}", code, ("bad.json", "; "), JUDGED, files, exit=4)


def faults(case: Case, ended: Ended) -> list[str]:
    """How an answer differs from what must hold."""
    err = ended.err
    hidden = [sign for sign in err[:-1] if not sign.isprintable()]
    checks = {
        f"ended {ended.code}, not {case.exit}": ended.code == case.exit,
        f"no [{case.code}]": f"[{case.code}" in err[-60:],
        f"not at {case.place!r}": err.startswith(f"chipcast: {case.place}"),
        "not one line": err.count("\n") == 1 and err.endswith("\n"),
        f"hidden characters {hidden[:5]}": not hidden,
        "no remedy": REMEDY.search(err) is not None,
        f"longer than {LONGEST} characters": len(err) <= LONGEST,
        "a traceback": "Traceback" not in err and "internal error" not in err,
        "output": not ended.out,
        f"written: {ended.written[:5]}": not ended.written,
        **{f"no {words!r}": words in err for words in case.words},
    }
    return [what for what, holds in checks.items() if not holds]


def tried(case: Case, command: Callable[..., Ended] = chipcast) -> list[str]:
    """What is wrong with what the command line makes of a case, in the folder that is current."""
    for name, content in case.files:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    case.make()
    ended = command(*case.arguments, limit=LIMIT)
    clear()
    found = faults(case, ended)
    return [f"{case.name}: {', '.join(found)}: {ended.err[:300]!r}"] if found else []


def checked(cases: Iterable[Case]) -> tuple[int, list[str]]:
    """How many cases were tried, and what is wrong with each that failed."""
    count, wrong = 0, []
    with scratch():
        for case in cases:
            count += 1
            with small_books() if case.arguments[:1] == ("validate",) and case.files else nullcontext():
                wrong += tried(case)
    return count, wrong


def real() -> tuple[int, list[str]]:
    """A dozen cases in processes of their own, as a shell would start them."""
    cases = [case for case in everything() if not case.files or case.arguments[0] != "validate"]
    chosen = cases[:: -(-len(cases) // DOZEN)]
    with scratch():
        return len(chosen), [told for case in chosen for told in tried(case, process)]


def everything() -> Iterator[Case]:
    """Every bad input."""
    for kind in KINDS:
        yield from corpus(kind)
    yield from special()


def run(n: int | None, seed: int) -> Report:
    """The first ``n`` bad inputs, all if left out; and all hostile texts, bombs and real processes."""
    from tests.faults import bombs, hostile

    with shipped_read_once():
        count, wrong = checked(itertools.islice(everything(), n))
    notes: dict[str, object] = {"inputs": count}
    for name, part in (("processes", real), ("bombs", bombs.checked), ("hostile", hostile.checked)):
        more, lost = part()
        notes[name], count, wrong = more, count + more, wrong + lost
    return Report(count, count - len(wrong), len(wrong), {**notes, "wrong": wrong})
