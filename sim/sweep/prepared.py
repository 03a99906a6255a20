"""Every book of a sweep loaded and checked before anything runs, and what is asked of each run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sim import devices, forecast, sobol, store, targets
from sim.book.check import Faults
from sim.errors import BookError, ChipcastError, Place
from sim.sweep.spec import Settings, Spec
from sim.sweep.variants import Variant, expand
from sim.world import World

__all__ = ["Prepared", "load", "prepare"]

NO_CHANGE = "book-no-change"
SET = "--set"


class Prepared(NamedTuple):
    """A variant whose book is known to load: its world, and the values of it that change something."""

    variant: Variant
    values: Mapping[str, Any]
    world: World
    config: dict[str, Any]
    """What makes its numbers, on the devices of this process."""

    def run_id(self, block: int) -> str:
        """The run that answers it, on devices with blocks of so many draws."""
        return store.run_id(self.config | {"block": block})


def prepare(spec: Spec) -> list[Prepared]:
    """All variants of a sweep with their worlds.

    BookError: every fault there is, each at the line of the sweep's file or of the file it leads to; two variants
    that are the same run. RefusedError: too many variants, or a number of draws that the sampler does not make.
    """
    if spec.settings.sampler == "sobol":
        sobol.check(spec.settings.draws)
    faults, found = _Told(), []
    worlds: dict[str, tuple[Mapping[str, Any], World]] = {}
    for variant in expand(spec):
        with faults.collect():
            key = json.dumps([variant.names, variant.as_of, sorted(variant.values.items())], default=list)
            if key not in worlds:
                worlds[key] = _loaded(variant, strict=bool(spec.written))
            found.append(_checked(variant, *worlds[key], spec.settings))
    _check_twice(found, faults)
    faults.check()
    return found


class _Told(Faults):
    """Faults, each told once however many variants share it."""

    def check(self) -> None:
        self.found = list({(each.code, str(each.place), each.remedy): each for each in reversed(self.found)}.values())
        self.found.reverse()
        super().check()


def load(names: Sequence[str], as_of: str | None, values: Mapping[str, Any]) -> World:
    """The world of a variant, as every process of a sweep loads it. BookError, RefusedError: as ``forecast.load``."""
    return forecast.load(list(names), as_of=as_of, overrides=values)


def _loaded(variant: Variant, *, strict: bool) -> tuple[Mapping[str, Any], World]:
    """The values that change something, and the world; a value that the book has already is left out, unless strict."""
    values = dict(variant.values)
    while True:
        try:
            return values, load(variant.names, variant.as_of, values)
        except ChipcastError as error:
            same = [path for path in values if error.place and error.place.file in (SET, f"{SET} {path}")]
            if strict or error.code != NO_CHANGE or not same:
                raise _placed(error, variant) from error
            values = {path: value for path, value in values.items() if path not in same}


def _placed(error: ChipcastError, variant: Variant) -> BookError:
    """What is wrong with a variant, at its line of the sweep's file unless a line of a book is to blame."""
    place, places = error.place, variant.places
    if place is None or place.line is None:
        file = place.file if place else ""
        path = file.removeprefix(f"{SET} ") if file.startswith(SET) else ""
        some = next(iter(variant.values), "scenario")
        place = places["as_of"] if file == "--as-of" else places.get(path, places[some if file == SET else "scenario"])
    return BookError(error.code, f"variant {variant.label!r}: {error.problem}", place=place, remedy=error.remedy)


def _checked(variant: Variant, values: Mapping[str, Any], world: World, settings: Settings) -> Prepared:
    """A variant with what is asked of its run. BookError: a threshold that its world cannot have."""
    asked = settings.thresholds
    try:
        targets.thresholds(world, asked)
    except ChipcastError as error:
        raise _placed(error, variant) from error
    config = forecast.run_config(world, variant.seed, devices.mesh("cpu"), settings.sampler, asked)
    return Prepared(variant, values, world, config)


def _check_twice(found: Sequence[Prepared], faults: Faults) -> None:
    """A fault for each variant that is the same run as one before it."""
    first: dict[str, Prepared] = {}
    for each in found:
        same = first.setdefault(each.run_id(0), each)
        if same is not each:
            problem = f"variants {same.variant.label!r} and {each.variant.label!r} are the same run"
            faults.found.append(BookError("sweep-twice", problem, place=_own(same, each), remedy="leave one out"))


def _own(first: Prepared, second: Prepared) -> Place:
    """The place of the second variant that the first does not share."""
    places = [place for place in second.variant.places.values() if place not in first.variant.places.values()]
    return (places or [second.variant.places["scenario"]])[0]
