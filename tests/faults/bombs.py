"""Small files made to take much memory or time, each loaded in a process of its own that is measured."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS, MEGABYTES = 1.0, 200.0
"""What refusing a bomb may take beyond the import of the package, in time of the processor."""
LONGEST = 10_000
"""Characters of an error."""
HOME = Path(__file__).parents[2]
OWN = "source: [{judgement: A.}], reasoning: B., as_of: 2025-02-28"


def bombs() -> dict[str, str]:
    """Name and text of each bomb."""
    return {
        "aliases of aliases": "a: &a [x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "merge keys of merge keys": "a: &a {x: 1}\n"
        + "".join(
            f"{b}: &{b}\n  <<: [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "merge keys without anchors": "<<: {a: 1}\n" * 50_000,
        "brackets": "a: " + "[" * 900_000,
        "braces": "a: " + "{a: " * 200_000,
        "lists in lists": "a:\n" + "- " * 400_000 + "x\n",
        "indents": "".join(f"{' ' * depth}a:\n" for depth in range(1_300)),
        "keys of keys": "? " * 400_000 + "x\n",
        "numbers": "a: [" + "1," * 490_000 + "1]\n",
        "empty entries": "a: [" + "[]," * 320_000 + "]\n",
        "keys": "".join(f"k{i}: 1\n" for i in range(90_000)),
        "one key many times": "a: 1\n" * 150_000,
        "unknown priors": "".join(f"capex_drfit_{i}: 1\n" for i in range(9_900)),
        "unknown keys": "drift: {" + ", ".join(f"aobut{i}: 1" for i in range(9_900)) + "}\n",
        "unknown labels": f"price: {{dist: {{{', '.join(f'n{i}: 1' for i in range(9, 9_900))}}}, {OWN}}}\n",
        "settings": "set: {" + ", ".join(f"drfit{i}: 1" for i in range(9_900)) + "}\n",
        "chips": "chips:\n" + "".join(f"  c{i}: {{supplier: north, name: X}}\n" for i in range(3_300)),
        "buyers": "buyers:\n"
        + "".join(f"  b{i}: {{name: X, spending: direct, buys: [north]}}\n" for i in range(2_400)),
        "sources": f"drift: {{dist: {{family: fixed, value: 1}}, source: [{'{judgement: A.}, ' * 6_600}], "
        "reasoning: B., as_of: 2025-02-28, aobut: x}\n",
        "correlations": "correlations:\n"
        + "".join(f"- {{between: [drift, spede{i}], rho: 0.1, {OWN}}}\n" for i in range(800)),
        "correlations of one prior": "correlations:\n" + "- {within: prise, rho: 0.1}\n" * 2_800,
        "references": "references:\n"
        + "".join(f"  R{i}: {{title: X, published: 2025-02-30, kind: primray}}\n" for i in range(2_400)),
        "an anchor of 900,000 signs": "a: &" + "x" * 900_000 + " 1\n",
        "components": "drift: {dist: {family: mixture, weights: [1], components: ["
        + "{family: normal, mean: 0, sd: 1}, " * 2_400
        + f"]}}, {OWN}}}\n",
        "an integer of 900,000 digits": "a: " + "9" * 900_000 + "\n",
        "an integer of 5,000 digits": "a: " + "9" * 5_000 + "\n",
        "a fraction of 900,000 digits": "a: 0." + "9" * 900_000 + "\n",
        "a power of 900,000 digits": "a: 1e" + "9" * 900_000 + "\n",
        "a power below all": "a: 1e-" + "9" * 4_000 + "b\n",
        "escapes": 'a: "' + "\\u0041" * 160_000 + '"\n',
        "an open quote": 'a: "' + "x\n\n" * 300_000,
        "spaces": "a:" + " " * 900_000 + "\n",
        "comments": "# x\n" * 240_000,
        "documents": "---\n" * 240_000,
        "line ends": "\r" * 900_000,
        "tags": "a: [" + "!!int 1, " * 100_000 + "]\n",
        "a tag of 900,000 signs": "a: !" + "x" * 900_000 + " 1\n",
        "anchors": "a: [" + "&x 1, " * 150_000 + "]\n",
        "directives": "%X 1\n" * 150_000 + "---\na: 1\n",
        "a block of text": "a: |\n" + "  x\n" * 200_000,
        "bidi": "a: " + "\u202e" * 300_000,
    }


def checked() -> tuple[int, list[str]]:
    """How many bombs were tried, and what is wrong with those that were not refused, quickly and small."""
    found = measured(bombs())
    wrong = [f"{name}: {told}" for name, told in found.items() if not _holds(told)]
    return len(found), wrong


def _holds(told: dict[str, object]) -> bool:
    return bool(told["code"]) and told["seconds"] < SECONDS and told["megabytes"] < MEGABYTES  # type: ignore[operator]


def measured(texts: dict[str, str]) -> dict[str, dict[str, object]]:
    """What loading each text comes to: error code, seconds, and megabytes beyond the import."""
    with tempfile.TemporaryDirectory() as name:
        for number, text in enumerate(texts.values()):
            (Path(name) / f"{number}.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "tests.faults.bombs", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HOME)
    return dict(zip(texts, (json.loads(line) for line in done.stdout.splitlines()), strict=True))


def _each(folder: Path) -> Iterator[dict[str, object]]:
    """Loads each file of a folder upon the small book in a fork of this process."""
    from sim.book import load
    from tests.book.conftest import INPUTS
    from tests.faults.commands import SMALL

    load("base", priors=SMALL, inputs=INPUTS)
    for path in sorted(folder.iterdir(), key=lambda path: int(path.stem)):
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            os.write(write, json.dumps(_loaded(path, SMALL, INPUTS)).encode())
            os._exit(0)
        os.close(write)
        with open(read, "rb") as told:
            text = told.read()
        os.waitpid(child, 0)
        yield json.loads(text) if text else {"code": "", "seconds": 0, "megabytes": 0, "died": True}


def _loaded(path: Path, priors: Path, inputs: object) -> dict[str, object]:
    from sim.book import load
    from sim.errors import ChipcastError

    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
    before, began, code = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), ""
    try:
        load(path, priors=priors, inputs=inputs)
    except ChipcastError as error:
        code = error.code if len(str(error)) < LONGEST else ""
    seconds = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"code": code, "seconds": round(seconds, 3), "megabytes": round(grown, 1)}


if __name__ == "__main__":
    for told in _each(Path(sys.argv[1])):
        print(json.dumps(told))
