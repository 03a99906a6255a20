"""Hostile text under every name that a user may give, through every exit: printed, drawn and written as it stands."""

import csv
import io
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from unittest import mock

from sim.errors import visible
from tests.faults.commands import Ended, chipcast, clear, scratch, shipped_read_once, small_books

LONG = "x" * 300
VISIBLE = (
    # HTML, SVG and links
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</title><script>alert(1)</script>", "<b>bold</b>"),
    *("<svg onload=alert(1)>", "</text></svg><script>1</script>", "]]><script>1</script>", "--><script>1</script><!--"),
    *("<foreignObject><body>x</body></foreignObject>", "javascript:alert(1)", "data:text/html,<script>1</script>"),
    *('" onmouseover="alert(1)', "' onload='alert(1)", "&lt;script&gt;", "&#60;script&#62;", "&amp;&nbsp;&bogus;"),
    *("<!--", "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", "{{7*7}}", "{% raw %}"),
    *("${7*7}", "{0.__class__}", "%s%n%x", "%(name)s"),
    # formulas of spreadsheets
    *("=cmd()", "=1+1", '=HYPERLINK("http://x","y")', "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "=cmd|' /C calc'!A0"),
    *("'=1+1", '"=1+1"', ",=1+1", ";=1+1", 'DDE("cmd")'),
    # paths
    *("../../etc/passwd", "/etc/passwd", "..", "~/.bashrc", "CON", "NUL.txt", "C:\\Windows\\x", "a/b", LONG),
    # markup of terminals and charts
    *(
        "[bold]x[/bold]",
        "[red]",
        "[/]",
        "[link=http://x]y[/link]",
        "[bold",
        "\\[bold]",
        ":smile:",
        "[@click=app.bell]x[/]",
    ),
    *("$\\foo$", "$x^2$", "_x", "$", "\\frac{1}{2}", "x^{2", "\\n", "日本 🚀 Ünïcødé", "a\nb"),
)
"""Text that a book may hold; a line break and a tab are the only signs in it that nobody sees."""
HIDDEN = (
    *("\x1b[31mred", "\x1b]8;;http://x\x07y\x1b]8;;\x07", "\x1b[2J", "\x9b31m", "\x07", "\x08\x08", "\r\x00", "\x7f"),
    *("\u202eevil", "\u2066x", "\u200bx", "\ufeffx", "\u2028x", "\U000e0041"),
)
"""Text that is refused wherever it stands."""
SAFE = re.compile(r"\x1b\[[0-9;]*m")
"""Rich's own colours."""
TAGS = {
    *("svg", "metadata", "RDF", "Work", "title", "source", "date", "format", "type", "creator", "Agent"),
    *("defs", "style", "g", "path", "use", "clipPath", "rect"),
}
"""Elements of a picture."""
FORMULA = re.compile(r"[=+\-@\t\r\n]")
NUMBER = re.compile(r"[-+]?[0-9.]+(?:e[-+][0-9]+)?")
LAID = ("\x1b[31mred", "[red]", "../../etc/passwd", "\u202eevil", "a\nb", LONG)
"""Texts that are also set, which takes a whole book each."""
SPENT = "source: [{judgement: A.}], reasoning: B., as_of: 2025-02-28"

Check = Callable[[], Iterable[str]]


def checked() -> tuple[int, list[str]]:
    """How many texts went through an exit, and what is wrong with those that were not left as they stand."""
    exits: dict[str, Check] = {
        "errors of books": errors_of_books,
        "errors of commands": errors_of_commands,
        "names of books": names_of_books,
        "charts": charts,
        "tables": tables,
        "explanations": explanations,
        "lists": lists,
        "consensus": consensus,
        "a run": a_run,
    }
    count, wrong = 0, []
    with scratch(), shipped_read_once():
        for name, check in exits.items():
            for told in check():
                count += 1
                wrong += [f"{name}: {told}"] if told else []
            clear()
    return count, wrong


def _quoted(text: str) -> str:
    """Text as YAML, which does not know the halves of JSON's escapes."""
    return json.dumps(text, ensure_ascii=any(not sign.isprintable() and sign not in "\n\t" for sign in text))


def _bad_error(ended: Ended, what: str) -> str:
    """What is wrong with an error that hostile text brought about."""
    hidden = [sign for sign in ended.err.removesuffix("\n") if not sign.isprintable()]
    checks = {
        "no error": ended.code in (2, 3, 4),
        "internal": "internal error" not in ended.err and "Traceback" not in ended.err,
        f"hidden {hidden[:4]}": not hidden,
        "long": len(ended.err) < 2_000,
        "written": not ended.written,
    }
    found = [name for name, holds in checks.items() if not holds]
    return f"{what}: {found} {ended.err[:200]!r}" if found else ""


def errors_of_books(every: int = 1) -> Iterator[str]:
    """Each text as a key, a label, a family, a unit, a citation, a date, and a book to extend."""
    books = (
        "%s: 1\n",
        "price: {dist: {%s: {family: fixed, value: 1}}, " + SPENT + "}\n",
        "drift: {dist: {family: %s, value: 1}, " + SPENT + "}\n",
        "drift: {unit: %s, dist: {family: fixed, value: 1}, " + SPENT + "}\n",
        "drift: {dist: {family: fixed, value: 1}, "
        + SPENT.replace("judgement: A.", "cite: %s, where: x, says: '1'")
        + "}\n",
        "extends: %s\nhorizon: 2026Q4\n",
        "horizon: %s\n",
        "chips: {%s: {supplier: north, name: X}}\n",
        "chips: {n9: {supplier: %s, name: X}}\n",
        "set: {%s: 1}\n",
        "correlations: [{within: %s, rho: 0.5, source: [{judgement: A.}], reasoning: B.}]\n",
    )
    with small_books():
        for book, text in itertools.islice(itertools.product(books, (*VISIBLE, *HIDDEN)), 0, None, every):
            if text == "_x" and "n9" not in book and "chips" in book:  # a name like others
                continue
            Path("bad.yaml").write_text(book % _quoted(text), encoding="utf-8")
            yield _bad_error(chipcast("validate", "bad.yaml"), f"{text[:40]!r} in {book[:30]!r}")
            Path("bad.yaml").unlink()


def errors_of_commands() -> Iterator[str]:
    """Each text as an argument of a command."""
    for text in (*VISIBLE, *HIDDEN):
        if "\0" in text:  # no command line holds one
            continue
        for command in (
            *((("run", "--set", f"{text}=1"),) if text in LAID else ()),
            ("run", f"--seed={text}"),
            ("run", f"--as-of={text}"),
            ("run", f"--until={text}"),
            ("run", f"--threshold={text}"),
            ("run", f"--sampler={text}"),
            ("explain", "--draws=256", "--", text),
        ):
            yield _bad_error(chipcast(*command), f"{command[0]} {text[:40]!r}")


def names_of_books() -> Iterator[str]:
    """Each text as the name of a book that is there, and of one that is not."""
    with small_books():
        for text in (*VISIBLE, *HIDDEN):
            name = text.replace("/", "∕").replace("\0", "")[:200]
            Path(f"{name}.yaml").write_text("horizon: 2026Q4\n", encoding="utf-8")
            ended = chipcast("validate", "--", f"{name}.yaml")
            fit = name.isprintable()
            said = ended.out.startswith(f"{name}: valid") and not ended.err
            yield (
                "" if said and fit else _bad_error(ended, repr(name[:40])) if not fit else f"{name[:40]!r}: {ended.err}"
            )
            clear()
            yield (
                _bad_error(chipcast("validate", "--", text.replace("\0", "")), f"missing {text[:40]!r}")
                if text != ".."
                else ""
            )


def charts(every: int = 1) -> Iterator[str]:
    """Each text as title, unit, name of a series and source of a chart."""
    import numpy as np
    import xarray as xr

    from sim import figures

    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    values = np.outer(levels, [1.0, 2.0]) + 1
    quantiles = xr.DataArray(
        values, coords={"quantile": levels, "time": ["2026Q1", "2026Q2"]}, dims=["quantile", "time"]
    )
    texts = [text for text in (*VISIBLE, *HIDDEN) if text.strip()]
    for i in range(0, len(texts), 4 * every):
        title, unit, name, source = (texts[(i + shift) % len(texts)] for shift in range(4))
        panel = figures.Panel(title, unit, "2026-02-28", [figures.Series(name, None, quantiles)] * 2)
        figure = figures.headline([panel], title=title, sources=source)
        for kind in ("svg", "png"):
            told = _bad_svg(figures.render(figure, kind, source=source)) if kind == "svg" else ""
            if kind == "png" and not figures.render(figure, kind, source=source).startswith(b"\x89PNG"):
                told = "no picture"
            yield f"{title[:30]!r}, {unit[:30]!r}, {name[:30]!r}, {source[:30]!r}: {told}" if told else ""


def _bad_svg(data: bytes) -> str:
    """What a picture holds beside lines."""
    text = data.decode("utf-8")
    if any(not sign.isprintable() and sign != "\n" for sign in text):
        return "hidden signs"
    for element in ET.fromstring(text).iter():
        tag = str(element.tag).rpartition("}")[2]
        if tag not in TAGS:
            return f"an element {tag}"
        for name, value in element.attrib.items():
            plain = name.rpartition("}")[2]
            if plain.startswith("on") or (plain == "href" and not value.startswith("#")):
                return f"{plain}={value}"
    return ""


def tables() -> Iterator[str]:
    """Each text as a label and a unit of an exported table."""
    import xarray as xr

    from sim.store import tables as exported

    for text in VISIBLE:
        data = xr.DataArray(
            [1.0], coords={"supplier": [text]}, dims=["supplier"], name="revenue", attrs={"units": text}
        )
        rows = list(csv.reader(io.StringIO(exported.text(data))))
        cells = [cell for row in rows for cell in row if not NUMBER.fullmatch(cell)]
        formulas = [cell for cell in cells if FORMULA.match(cell)]
        kept = [cell.removeprefix("'") for cell in (rows[1][1], rows[1][2])] == [visible(text).removeprefix("'")] * 2
        yield "" if not formulas and kept and len(rows) == 2 else f"{text[:40]!r}: {rows}"


def explanations() -> Iterator[str]:
    """Each text as the reasoning, source and unit of a belief on the page that explains a figure."""
    from rich.console import Console

    from sim.explain import page
    from sim.explain.explanation import Contribution, Explanation, Figure

    one = Figure(0.5, 0.1)
    figures = dict.fromkeys(("p05", "p25", "p50", "p75", "p95"), one)
    for text in VISIBLE:
        each = Contribution("pue", text, one, True, "pue", 1, text, 1, 2, 3, one, one, (), (text,), text)
        found = Explanation(
            "revenue[nvidia,2027]", "bn USD", text, text, "2026-02-28", "0", 512, 512, figures, (), (each,), one
        )  # fmt: skip
        console = Console(file=io.StringIO(), width=4_000, force_terminal=True, highlight=False)
        with mock.patch("sim.explain.page._chain", return_value=iter(())):
            console.print(page(found))
        printed = console.file.getvalue()  # type: ignore[attr-defined]
        left = SAFE.sub("", printed)
        flat = " ".join(text.split())
        shown = flat in " ".join(left.split())
        yield (
            ""
            if "\x1b" not in left and shown and json.loads(json.dumps(asdict(found)))
            else f"{text[:40]!r}: {left[-300:]!r}"
        )


def lists() -> Iterator[str]:
    """Each text as the scenario and the problem of a listed run."""
    for text in (*VISIBLE, *HIDDEN):
        entry = {"id": "0" * 12, "scenario": text, "as_of": text, "draws": 2, "asked": 2, "created": None, "size": 3}
        entry["problem"] = text
        with (
            mock.patch("sim.store.list_runs", return_value=[entry]),
            mock.patch.dict("os.environ", {"COLUMNS": "4000"}),
        ):
            plain, as_json = chipcast("list"), chipcast("list", "--json")
        hidden = [sign for sign in SAFE.sub("", plain.out) if not sign.isprintable() and sign != "\n"]
        shown = " ".join(visible(text).split()) in " ".join(plain.out.split())
        fit = plain.code == 0 and shown and not hidden and json.loads(as_json.out) == [entry]
        yield "" if fit else f"{text[:40]!r}: {plain.out[-200:]!r} {plain.err!r}"


def consensus() -> Iterator[str]:
    """Texts as who published a point, what about, and how it was put on our definition."""
    points, each = [], 12
    for i in range(0, len(VISIBLE), each):
        who, about = " ".join(VISIBLE[i : i + each]), " ".join(VISIBLE[i : i + each])
        points.append(
            f"  p{i}: {{who: {_quoted(who)}, date: 2025-01-01, quantity: 'capex[reported,2026]', unit: bn USD, "
            "value: 3, "
            f"about: {_quoted(about)}, source: [{{cite: MINE, where: {_quoted(who)}, says: '3 bn USD'}}]}}\n"
        )
    book = "points:\n" + "".join(points) + "references: {MINE: {title: X, published: 2025-01-01, kind: report}}\n"
    Path("points.yaml").write_text(book, encoding="utf-8")
    with mock.patch.dict("os.environ", {"COLUMNS": "4000"}):
        plain = chipcast("consensus", "--file", "points.yaml", "--draws", "1000")
        as_json = chipcast("consensus", "--file", "points.yaml", "--draws", "1000", "--json")
    printed, told = " ".join(SAFE.sub("", plain.out).split()), json.loads(as_json.out or "[]")
    for i, text in enumerate(VISIBLE):
        kept = len(told) > i // each and text.strip() in told[i // each]["point"]["who"]
        shown = printed.count(" ".join(text.split())) >= 2 and "\x1b" not in plain.out
        yield "" if kept and shown else f"{text[:40]!r}: kept {kept}, shown {shown} {plain.err[:200]!r}"


def a_run() -> Iterator[str]:
    """A run of a book whose name and prose are hostile: its tables, charts, summary and export."""
    from sim import store

    world_priors = ("pue", "transit", "lifetime", "capex_drift", "spending_drift", "need_response")
    share = -(-len(VISIBLE) // len(world_priors))
    prose = [_quoted(" ".join(VISIBLE[i * share : (i + 1) * share])) for i in range(len(world_priors))]
    lines = [
        f"{name}: {{about: {text}, reasoning: {text}, source: [{{judgement: {text}}}]}}\n"
        for name, text in zip(world_priors, prose, strict=True)
    ]
    lines.append(
        f"chips: {{b200: {{name: {prose[0]}}}}}\nbuyers: {{meta: {{name: {prose[1]}}}}}\n"
        f"suppliers: {{nvidia: {{name: {prose[2]}}}}}\n"
    )
    name = "=cmd() [bold]x[-bold] $\\foo$ <svg onload=alert(1)> --> _x"
    Path(f"{name}.yaml").write_text("".join([*lines, "set: {pue.max: 1.5}\n"]), encoding="utf-8")
    with mock.patch("os.fsync"):
        ended = chipcast("run", f"{name}.yaml", "--draws", "256", "--out", "runs")
        yield "" if ended.code == 0 and "\x1b" not in ended.out else f"run: {ended.err}"
        outside = [path for path in ended.written if not path.startswith("runs")]
        yield f"written outside: {outside}" if outside or len(list(Path("..").iterdir())) > 1 else ""
        (folder,) = [path for path in Path("runs").iterdir() if (path / "COMMIT.json").exists()]
        for path in (folder / "report").glob("*.svg"):
            told = _bad_svg(path.read_bytes())
            yield f"{path.name}: {told}" if told else ""
        tree = store.open_run(folder)
        for prior, text in zip(world_priors, prose, strict=True):
            attrs = tree["prior"][prior].attrs
            kept = attrs["reasoning"] == attrs["long_name"] == json.loads(text).strip()
            yield "" if kept else f"{prior}: {attrs}"
        listed = chipcast("list", "--out", "runs", "--json")
        yield "" if json.loads(listed.out)[0]["scenario"] == name else f"list: {listed.out}"
        exported = chipcast("export", str(folder), "--to", "tables")
        yield "" if exported.code == 0 else f"export: {exported.err}"
    for path in Path("tables").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = [
                cell for row in csv.reader(file) for cell in row if FORMULA.match(cell) and not NUMBER.fullmatch(cell)
            ]
        yield f"{path.name}: {cells[:3]}" if cells else ""
