"""An explanation as one page for a terminal."""

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from sim.explain.explanation import Contribution, Explanation, Step
from sim.headline import figure

__all__ = ["page"]

PRIORS, EQUATIONS = 12, 12
"""Priors that are shown, and equations that are written out."""
SMALL = 0.002
"""Share [1] below which an equation is only named."""


def page(found: Explanation) -> Group:
    """The page: the cell's distribution, the equations behind it, and the priors that move it most."""
    return Group(*_head(found), *_chain(found), *_priors(found), *_sums(found))


def _line(text: str, style: str = "") -> Text:
    """A line that is cut rather than wrapped."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _head(found: Explanation) -> Iterator[Text]:
    yield Text.assemble((found.cell, "bold"), f"  {found.about} ", (_unit(found.unit), "dim"))
    yield _line("        " + "".join(f"{name.replace('p', 'P'):>9}" for name in found.figures), "dim")
    yield _line("        " + "".join(f"{_number(figure.value, found.unit):>9}" for figure in found.figures.values()))
    yield _line(
        "error   " + "".join(f"{_number(figure.error, found.unit):>9}" for figure in found.figures.values()), "dim"
    )
    if found.defined < found.draws:
        yield Text(f"It has a value in {found.defined:,} of the {found.draws:,} draws.")


def _chain(found: Explanation) -> Iterator[Text]:
    """Equations whose own priors matter, written out, and the names of the others on the way."""
    least = sorted((step.share for step in found.steps), reverse=True)[:EQUATIONS][-1]
    told = [step for step in found.steps if step.share >= max(least, SMALL)][:EQUATIONS]
    yield Text("\nEquations behind it, in the order of the quarter; % is the share of the priors that enter", "bold")
    for step in told:
        said = step.formula or step.says
        yield _line(f"{_numbers(step):<6}{step.function:<24}{_percent(step.share):>5}  {said}")
    yield Text(_named([step for step in found.steps if step not in told]), "dim")


def _named(steps: list[Step]) -> str:
    """Names of equations by module and number."""
    modules: dict[str, dict[str, list[str]]] = {}
    for step in sorted(steps, key=lambda step: step.numbers):
        module, _, name = step.function.partition(".")
        modules.setdefault(module, {}).setdefault(_numbers(step), []).append(name)
    told = (", ".join(f"{', '.join(names)} ({at})" for at, names in each.items()) for each in modules.values())
    return "On the way too: " + "; ".join(f"{module}: {each}" for module, each in zip(modules, told, strict=True))


def _priors(found: Explanation) -> Iterator[Text]:
    yield Text("\nPriors that move it most, each with the label that does so and how many it has", "bold")
    yield _line(f"{'':<36}{'P5':>8}{'P50':>8}{'P95':>8}{'share %':>9}  in its tails", "dim")
    for each in _top(found):
        name = f"{each.entry} of {each.count}" if each.count > 1 else each.entry
        quantiles = "".join(f"{figure(value, each.unit):>8}" for value in (each.p05, each.p50, each.p95))
        swing = f"{_number(each.low.value, found.unit)}-{_number(each.high.value, found.unit)}"
        yield _line(f"{_cut(name, 36):<36}{quantiles}{_percent(each.share.value):>9}  {swing}")
        yield _line(f"  {each.unit}; {', '.join(each.sources)}: {' '.join(each.reasoning.split())}", "dim")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _sums(found: Explanation) -> Iterator[Text]:
    """What the shares leave out, and what they are."""
    others = [each for each in found.contributions if each not in _top(found)]
    rest, whole = (sum(each.share.value for each in group) for group in (others, found.contributions))
    error = max((each.share.error for each in found.contributions), default=0)
    if found.figures["p05"].value == found.figures["p95"].value:
        yield Text("None: it is the same in every draw.")
    else:
        yield Text(
            f"{len(others)} others {_percent(rest)} %; all shares add up to {_percent(whole)} %, all priors at once "
            f"explain {_percent(found.together.value)} %, and what is left interacts or works in no one direction. "
            f"Shares, over all labels and years of a prior, are of the variance of the cell's normal scores, with "
            f"standard errors up to {_percent(error)} %. In its tails: the cell's median where the prior is in its "
            "lowest and in its highest tenth."
        )
    yield Text(f"{found.draws:,} draws, seed {found.seed}, {found.scenario} as of {found.as_of}.", "dim")


def _top(found: Explanation) -> list[Contribution]:
    return [each for each in found.contributions if each.clear][:PRIORS]


def _numbers(step: Step) -> str:
    return ",".join(map(str, step.numbers))


def _unit(unit: str) -> str:
    return "%" if unit == "1" else unit


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _number(value: float, unit: str) -> str:
    """A figure of the cell; a share as a percentage."""
    return figure(100 * value if unit == "1" else value, unit)
