"""``python -m sim.explain.docs [FILE]``: the part of docs/model.md that the program, its docstrings and the book know.

Inputs with their quantiles, readers and sources, outputs with their makers, and how they hang together. The page's own
headings with their equation numbers, such as ``## Orders [10]``, name the mechanisms of the diagram.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sim import world as worlds
from sim.axes import DERIVED, INPUTS, OUTPUTS, Output
from sim.book.load import load
from sim.book.schema import Citation, Prior
from sim.distributions import Fixed
from sim.errors import BookError
from sim.explain import chain
from sim.headline import figure
from sim.world import World

__all__ = ["BEGIN", "END", "generated", "written"]

BEGIN, END = "<!-- generated: inputs -->", "<!-- end of what is generated -->"
HEADING = re.compile(r"^## (.+) \[([\d, -]+)\]$", re.MULTILINE)
PAGE = Path("docs/model.md")


def written(page: str, world: World) -> str:
    """The page with its generated part made anew, at its end if it has none."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before.rstrip()}\n\n{BEGIN}\n{generated(before, world)}\n{END}\n{after.lstrip()}"


def generated(prose: str, world: World) -> str:
    """The generated part: a diagram by the headings of the prose, the outputs and the inputs."""
    traced = chain.trace(world)
    parts = (*_introduced(world), *_diagram(prose, world, traced), *_outputs(world, traced), *_inputs(world, traced))
    return "\n".join(parts)


def _introduced(world: World) -> Iterator[str]:
    as_of = world.book.as_of
    yield from ("## What the program says of itself", "")
    yield f"Written by `./go python -m sim.explain.docs` from the traced model, its docstrings and the book of {as_of},"
    yield "and held to them by a test. Do not edit it."


def _diagram(prose: str, world: World, traced: chain.Chain) -> Iterator[str]:
    """Files of priors, the mechanisms they enter, what these hand on within a quarter, and the outputs made."""
    chapters = _chapters(prose)
    titles = list(dict.fromkeys(chapters.values()))
    home = {name: f"m{titles.index(_chapter(each, chapters))}" for name, each in traced.equations.items()}
    edges = list(_edges(world, traced, home))
    yield from ("", "### What feeds what", "", "```mermaid", "flowchart LR")
    yield from (f"  {file}[({file}.yaml)]" for file in dict.fromkeys(each.group for each in world.book.priors.values()))
    yield from (f'  m{i}["{title}"]' for i, title in enumerate(titles))
    yield from (f"  {first} --> {second}" for first, second in dict.fromkeys(edges))
    made: dict[tuple[str, ...], list[str]] = {}
    for output, makers in traced.makers.items():
        made.setdefault(tuple(sorted({home[each] for each in makers})), []).append(output)
    for i, (makers_, outputs) in enumerate(made.items()):
        yield f'  o{i}(["{"<br>".join(outputs)}"])'
        yield from (f"  {maker} --> o{i}" for maker in makers_)
    yield from (
        "```",
        "",
        "Cylinders are files of priors, boxes the chapters above, rounded boxes outputs. Drawn is what is",
    )
    yield "handed on within a quarter; backlog, stock, capacity, cash and spending also reach the next."


def _edges(world: World, traced: chain.Chain, home: dict[str, str]) -> Iterator[tuple[str, str]]:
    """From files to the chapters that read them, and between chapters."""
    for function in traced.equations:
        if not function.startswith(chain.ASSEMBLY):
            yield from (
                (world.book.priors[name].group, home[function]) for name in INPUTS if name in traced.reads[function]
            )
    for first, second in sorted(traced.feeds):
        if home[first] != home[second]:
            yield home[first], home[second]


def _chapter(equation: chain.Equation, chapters: dict[int, str]) -> str:
    """The chapter of the last of its numbers that has one. BookError: none has."""
    for number in reversed(equation.numbers):
        if number in chapters:
            return chapters[number]
    problem = f"{equation.function} states no equation number that a heading of the page names"
    raise BookError("docs-chapter", problem, remedy="name one in its docstring, or in a heading such as ## Orders [10]")


def _chapters(prose: str) -> dict[int, str]:
    """The chapter of each equation number."""
    chapters: dict[int, str] = {}
    for title, numbers in HEADING.findall(prose):
        for part in numbers.replace(" ", "").split(","):
            first, _, last = part.partition("-")
            chapters |= dict.fromkeys(range(int(first), int(last or first) + 1), f"{title} [{numbers}]")
    return chapters


def _outputs(world: World, traced: chain.Chain) -> Iterator[str]:
    yield from ("", "### Outputs", "")
    yield "| output | axis | unit | meaning | a year is | made by |"
    yield "|---|---|---|---|---|---|"
    for name, output in OUTPUTS.items():
        made = ", ".join(_reader(traced, function) for function in traced.equations if function in traced.makers[name])
        yield _row(f"`{name}`", *_declared(output), made)
    for name, output in DERIVED.items():
        made = ", ".join(f"`{flow}`" for flow in chain.outputs_behind(world, name))
        yield _row(f"`{name}`", *_declared(output), f"{made}, in each draw")


def _declared(output: Output) -> tuple[str, ...]:
    how = f"{output.annual}, forecast years" if output.forecast_only else output.annual
    return ", ".join(output.dims), output.unit, output.long_name, how


def _inputs(world: World, traced: chain.Chain) -> Iterator[str]:
    """Every prior, for one of its labels, file by file."""
    yield from ("", "### Inputs", "")
    yield "P5, P50 and P95 are those of the label named, the first that is not fixed, in the unit of the book."
    files: dict[str, list[Prior]] = {}
    for name in INPUTS:
        files.setdefault(world.book.priors[name].group, []).append(world.book.priors[name])
    for file, priors in files.items():
        yield from ("", f"`priors/base/{file}.yaml`", "")
        yield "| input | axes | unit | P5 | P50 | P95 | enters | sources |"
        yield "|---|---|---|---:|---:|---:|---|---|"
        for prior in priors:
            enters = ", ".join(_reader(traced, each) for each in traced.equations if prior.name in traced.reads[each])
            cited = dict.fromkeys(each.cite if isinstance(each, Citation) else "judgement" for each in prior.source)
            yield _row(*_quantiles(prior), enters, ", ".join(cited))


def _quantiles(prior: Prior) -> tuple[str, ...]:
    """Name and label, axes, unit and three quantiles."""
    labels = next((each for each, of in prior.table.items() if not isinstance(of, Fixed)), next(iter(prior.table)))
    distribution = prior.table[labels]
    figures = [figure(distribution.quantile(p) / prior.factor, prior.unit) for p in (0.05, 0.5, 0.95)]
    if isinstance(distribution, Fixed):
        figures = ["fixed", figures[1], ""]
    name = f"`{prior.name}`" + (f" [{','.join(labels)}]" if labels else "")
    return name, ", ".join(prior.dims), prior.unit, *figures


def _reader(traced: chain.Chain, function: str) -> str:
    return f"{function} ({', '.join(map(str, traced.equations[function].numbers))})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the page."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    path.write_text(written(path.read_text(encoding="utf-8"), worlds.build(load("base"))), encoding="utf-8")


if __name__ == "__main__":
    main()
