"""Books mutated at random: each loads, or is refused by an error of ours, and none takes long."""

import copy
import json
import random
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.faults import Report

HOME = Path(__file__).parents[2]
SMALL, PRIORS = HOME / "tests" / "book" / "small", HOME / "priors"
SLOWEST = 2.0
"""Seconds of processor time that a load may take."""
HUNG = 30.0
"""Seconds after which a load is taken to hang."""
N = 10_000
WAYS = {"overlay": 45, "book": 34, "real": 20, "whole": 1}
"""In a hundred: a file of the small book laid on it; one in its place; a shipped file on it; one on the whole base."""
SHAKEN = 0.6
"""Part of the texts that are mutated as trees, and so are YAML still."""
VALUES = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        0.5,
        -0.5,
        1e-3,
        1e6,
        1e308,
        -1e308,
        1e-320,
        10**19,
        0.05,
        1.5,
        100,
        2025,
        13,
        1e17,
    ),
    *(
        "",
        "x",
        "no",
        "010",
        "5%",
        "1,000",
        "base",
        "default",
        "family",
        "fixed",
        "normal",
        "north",
        "n1",
        "acme/north",
        "2025Q4",
    ),
    *(
        "2100Q4",
        "2025-02-28",
        "9999-12-31",
        "bn USD",
        "%",
        "1",
        "USD / unit",
        "[bold]",
        "a" * 300,
        "a\nb",
        "drift",
        "price[n1]",
    ),
    *(
        [],
        {},
        [1],
        [[]],
        ["north"],
        {"x": 1},
        {"family": "fixed", "value": 1},
        {"family": "normal", "p05": 2, "p95": 1},
    ),
    *({"family": "metalog", "p10": 1, "p50": 2, "p90": 3}, {"family": "mixture", "weights": [1], "components": [{}]}),
    *(
        {"family": "discrete", "values": [1, 2], "probabilities": [0.5, 0.5]},
        {"family": "gamma", "mean": 1e300, "sd": 1e-300},
    ),
    *(
        {"family": "truncated_normal", "lower": 0, "upper": 1, "mean": 50, "sd": 1e-9},
        {"family": "beta", "p05": 0.1, "p95": 0.1001},
    ),
    *(
        {"family": "student_t", "df": 1e300, "location": 0, "scale": 1},
        {"family": "lognormal", "p05": 1e-300, "p95": 1e300},
    ),
    *(
        {"within": "price", "rho": 1},
        {"between": ["drift", "drift"], "rho": -1},
        {"cite": "REPORT", "where": "T", "says": "1"},
    ),
)
SCALARS = (
    *(
        "",
        "~",
        "null",
        "true",
        "no",
        "yes",
        "0",
        "-0",
        "1e-3",
        "1e6",
        "-1",
        "010",
        "0x1F",
        "1:30",
        "5%",
        "1,000",
        "1_000",
    ),
    *(
        ".nan",
        ".inf",
        "-.inf",
        "1e308",
        "1e-320",
        "1e999",
        "9" * 25,
        "0.1e",
        "'1'",
        '"\\u0000"',
        '"\\uD800"',
        "\u202e",
        "\x00",
    ),
    *(
        "[]",
        "{}",
        "[[]]",
        "{family: fixed}",
        "{family: fixed, value: 1}",
        "{family: normal, p05: 2, p95: 1}",
        "*a",
        "&a 1",
    ),
    *(
        "!!int 1",
        "<<",
        "? a",
        "- a",
        "---",
        "...",
        "%YAML 1.1",
        "2025-02-30",
        "2025Q5",
        "9999Q4",
        "base",
        "default",
        "family",
    ),
    *(
        "../x",
        "\\",
        "`",
        "@",
        "|",
        ">",
        "# x",
        '"',
        "'",
        "\t",
        "a: b: c",
        "€",
        "日本",
        "x" * 300,
        "dist",
        "source",
        "price",
    ),
    *(
        "bn USD",
        "1 / year",
        "% / year",
        "n1",
        "north",
        "acme/north",
        "price[n1]",
        "{judgement: A.}",
        "0.5",
        "1.0000001",
    ),
)
KEYS = (
    *("about", "dist", "source", "unit", "dims", "as_of", "set", "extends", "correlations"),
    *("references", "chips", "buyers", "suppliers", "horizon", "start", "price", "drift", "weight"),
    *("band", "speed", "step", "family", "p05", "p95", "n1", "north", "acme"),
    *("default", "reasoning", "within", "between", "rho", "retrospective"),
)

Make = Callable[[random.Random, bytes], bytes]


def run(n: int | None, seed: int) -> Report:
    """``n`` mutated books; lost are those that end in any other way than a book or an error of ours, or late."""
    count, wrong, ends, slowest = n or N, [], Counter[str](), 0.0
    ways: Counter[str] = Counter()
    with _Worker() as worker:
        for way, file, text in mutated(count, seed):
            told = worker.load(way, file, text)
            fault = _fault(told)
            ways[way] += 1
            ends[str(told.get("code") or told.get("crash", "book"))] += 1
            slowest = max(slowest, told["seconds"])
            if fault:
                wrong.append(f"{way} {file}: {fault}: {text[:2_000]!r}")
    notes = {"ways": dict(ways), "ends": dict(ends.most_common()), "slowest": slowest, "wrong": wrong[:20]}
    return Report(count, count - len(wrong), len(wrong), notes)


def _fault(told: dict[str, Any]) -> str:
    if "crash" in told:
        return str(told["crash"])
    return f"took {told['seconds']} s" if told["seconds"] > SLOWEST else str(told.get("bad", ""))


def mutated(count: int, seed: int) -> Iterator[tuple[str, str, bytes]]:
    """The way in which each text is loaded, the file that it was, and the text."""
    for number in range(count):
        chance = random.Random(f"{seed}:{number}")
        (way,) = chance.choices(list(WAYS), list(WAYS.values()))
        known = _files(SMALL if way in ("overlay", "book") else PRIORS)
        file = chance.choice([name for name in sorted(known) if way != "book" or name.startswith("base")])
        text = known[file]
        if way == "overlay" and chance.random() < 0.3:
            yield way, file, grown(chance)
            continue
        if chance.random() < SHAKEN:
            yield way, file, shaken(chance, text)
            continue
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            text = chance.choice(MUTATIONS)(chance, text)
        yield way, file, text


@cache
def _files(root: Path) -> dict[str, bytes]:
    """The YAML files of a folder of priors by name."""
    folders = ("base", "scenarios", "vintages")
    return {
        str(path.relative_to(root)): path.read_bytes() for name in folders for path in (root / name).rglob("*.yaml")
    }


def shaken(chance: random.Random, text: bytes) -> bytes:
    """A file whose tree has values replaced, keys renamed, entries dropped, copied and swapped."""
    tree = yaml.safe_load(text)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        node = tree
        while isinstance(node, dict | list) and node:
            at = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
            if not isinstance(node[at], dict | list) or not node[at] or chance.random() < 0.25:
                _shake(chance, node, at)
                break
            node = node[at]
    return json.dumps(tree, ensure_ascii=False, default=str, indent=chance.choice((None, 1))).encode()


def _shake(chance: random.Random, node: Any, at: Any) -> None:
    """One entry of a mapping or list changed."""
    match chance.randrange(5):
        case 0 if isinstance(node, dict):
            node[chance.choice(KEYS)] = node.pop(at)
        case 1:
            del node[at]
        case 2:
            other = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
            node[at], node[other] = node[other], node[at]
        case _:
            node[at] = copy.deepcopy(chance.choice(VALUES))


def flipped(chance: random.Random, text: bytes) -> bytes:
    """Some bytes changed."""
    result = bytearray(text)
    for _ in range(chance.choice((1, 1, 2, 5))):
        if result:
            result[chance.randrange(len(result))] = chance.randrange(256)
    return bytes(result)


def _lines(change: Callable[[random.Random, list[bytes]], object]) -> Make:
    def changed(chance: random.Random, text: bytes) -> bytes:
        lines = text.split(b"\n")
        change(chance, lines)
        return b"\n".join(lines)

    return changed


def _at(chance: random.Random, lines: Sequence[bytes]) -> int:
    return chance.randrange(max(len(lines), 1))


def _doubled(chance: random.Random, lines: list[bytes]) -> None:
    lines.insert(_at(chance, lines), lines[_at(chance, lines)])


def _swapped(chance: random.Random, lines: list[bytes]) -> None:
    i, j = _at(chance, lines), _at(chance, lines)
    lines[i], lines[j] = lines[j], lines[i]


def _indented(chance: random.Random, lines: list[bytes]) -> None:
    i = _at(chance, lines)
    lines[i] = chance.choice((b" " + lines[i], b"  " + lines[i], lines[i].lstrip(), b"\t" + lines[i], b"- " + lines[i]))


def _valued(chance: random.Random, lines: list[bytes]) -> None:
    i = _at(chance, lines)
    key, colon, _ = lines[i].partition(b":")
    lines[i] = key + colon + b" " + chance.choice(SCALARS).encode()


def _keyed(chance: random.Random, lines: list[bytes]) -> None:
    i = _at(chance, lines)
    key, colon, rest = lines[i].partition(b":")
    indent = key[: len(key) - len(key.lstrip())]
    lines[i] = indent + chance.choice((*KEYS, *SCALARS)).encode() + colon + rest


def replaced(chance: random.Random, text: bytes) -> bytes:
    """One word or number replaced by a nasty one."""
    words = text.split(b" ")
    words[_at(chance, words)] = chance.choice((*SCALARS, *KEYS)).encode()
    return b" ".join(words)


def spliced(chance: random.Random, text: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    others = _files(SMALL)
    other = others[chance.choice(sorted(others))]
    return text[: chance.randrange(len(text) + 1)] + other[chance.randrange(len(other) + 1) :]


def cut(chance: random.Random, text: bytes) -> bytes:
    """A piece left out."""
    first, last = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return text[:first] + text[min(last, first + 200) :]


def grown(chance: random.Random) -> bytes:
    """A small document by the grammar of books, right or wrong."""
    return "".join(f"{chance.choice(KEYS)}: {_value(chance, 4)}\n" for _ in range(chance.randrange(1, 5))).encode()


def _value(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if depth == 0 or kind < 0.35:
        return chance.choice((*SCALARS[:40], *KEYS, *SCALARS[-10:]))
    if kind < 0.5:
        return f"[{', '.join(_value(chance, depth - 1) for _ in range(chance.randrange(4)))}]"
    return (
        "{" + ", ".join(f"{chance.choice(KEYS)}: {_value(chance, depth - 1)}" for _ in range(chance.randrange(5))) + "}"
    )


MUTATIONS: tuple[Make, ...] = (
    *(flipped, replaced, replaced, spliced, cut),
    *map(
        _lines,
        (lambda chance, lines: lines.pop(_at(chance, lines)), _doubled, _swapped, _indented, _valued, _valued, _keyed),
    ),
)


class _Worker:
    """A process that loads one text after another; it is started again where it dies or hangs."""

    def __enter__(self) -> "_Worker":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.faults.fuzz"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=HOME, bufsize=1)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def load(self, way: str, file: str, text: bytes) -> dict[str, Any]:
        """What came of a text: ``code`` of an error, ``crash``, or neither; and ``seconds``."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"way": way, "file": file, "text": text.decode("latin-1")}) + "\n")
        stdin.flush()
        line = stdout.readline() if select.select([stdout], [], [], HUNG)[0] else ""
        if line:
            return dict(json.loads(line))
        hung = self._process.poll() is None
        self._end()
        self._start()
        return {"crash": "hung" if hung else "the process died", "seconds": HUNG}


def _serve() -> None:
    """Loads what stands on each line of the input."""
    import shutil

    from tests.faults.commands import shipped_read_once

    with tempfile.TemporaryDirectory() as name, shipped_read_once():
        root = Path(name) / "small"
        shutil.copytree(SMALL, root)
        for line in sys.stdin:
            asked = json.loads(line)
            place = root / asked["file"] if asked["way"] == "book" else root.parent / "mutated.yaml"
            print(json.dumps(_loaded(root, asked["way"], place, asked["text"].encode("latin-1"))), flush=True)


def _loaded(root: Path, way: str, place: Path, text: bytes) -> dict[str, object]:
    from sim.book import load
    from sim.errors import ChipcastError
    from tests.book.conftest import INPUTS

    before = place.read_bytes() if way == "book" else b""
    place.write_bytes(text)
    given: dict[str, Any] = {} if way == "whole" else {"priors": root, "inputs": INPUTS}
    told: dict[str, object] = {}
    began = time.process_time()
    try:
        load("base" if way == "book" else place, **given)
    except ChipcastError as error:
        told = {"code": error.code, "bad": _unfit(str(error))}
    except BaseException as error:
        told = {"crash": f"{type(error).__name__}: {error}"[:300]}
    if way == "book":
        place.write_bytes(before)
    return {**told, "seconds": round(time.process_time() - began, 3)}


def _unfit(message: str) -> str:
    """What is wrong with a message: signs that a terminal would obey, or more than a screen."""
    hidden = [sign for sign in message if not sign.isprintable() and sign != "\n"]
    return f"hidden {hidden[:4]}" if hidden else "" if len(message) < 20_000 else "a long message"


if __name__ == "__main__":
    _serve()
