"""Reads the world: its buyers, suppliers and chips, and the checks that join them."""

import re
from collections.abc import Iterator
from typing import TypeVar

from sim.book.check import Faults, as_map, build, nearest
from sim.book.schema import Buyer, Chip, Supplier, WorldSpec
from sim.book.yaml import Map, place_of
from sim.errors import BookError

__all__ = ["WORLD_KEYS", "read_world"]

WORLD_KEYS = tuple(WorldSpec.model_fields)
MOST = 500
"""Buyers, suppliers or chips of a book: pairs of them are correlated and tabled."""
RESERVED = ("default", "family")
_SLUG = re.compile(r"[a-z0-9_]{1,40}")

Member = TypeVar("Member", Buyer, Supplier, Chip)


def read_world(book: Map) -> WorldSpec:
    """The world of a merged book; raises BookError for every fault found."""
    faults = Faults()
    world = Map(book.place)
    for key in book:
        if key in WORLD_KEYS:
            world.put(key, book[key], book.key_places[key], book.value_places[key])
    built = {
        "buyers": _members(Buyer, world, "buyers", faults),
        "suppliers": _members(Supplier, world, "suppliers", faults),
        "chips": _members(Chip, world, "chips", faults),
    }
    faults.check()
    spec = build(WorldSpec, world, "world", **{key: members for key, members in built.items() if key in world})
    faults.found = list(_unjoined(spec, world))
    faults.check()
    return spec


def _members(model: type[Member], world: Map, section: str, faults: Faults) -> dict[str, Member]:
    """The members of one section, each built; a section that is missing is reported by the caller."""
    result: dict[str, Member] = {}
    with faults.collect():
        place = world.value_places.get(section, world.place)
        node = as_map(world.get(section, Map(world.place)), section, place)
        if len(node) > MOST:
            problem = f"{section}: {len(node):,} of them, where {MOST} are the most"
            raise BookError("book-too-many", problem, place=place, remedy="put small ones together")
        for name in node:
            with faults.collect():
                _check_slug(name, node, section)
                entry = as_map(node[name], f"{section}.{name}", node.value_places[name])
                result[name] = build(model, entry, f"{section}.{name}")
    return result


def _check_slug(name: str, node: Map, section: str) -> None:
    if _SLUG.fullmatch(name) and name not in RESERVED:
        return
    shown = name if len(name) <= 60 else f"{name[:57]}..."
    remedy = "use 1 to 40 of a-z, 0-9 and _, other than " + " and ".join(RESERVED)
    raise BookError("book-name", f"{section}: {shown!r} is no valid name", place=node.key_places[name], remedy=remedy)


def _unjoined(spec: WorldSpec, world: Map) -> Iterator[BookError]:
    """Every way in which the world's parts do not fit together."""
    if spec.start > spec.horizon:
        problem = f"world: start {spec.start} lies after horizon {spec.horizon}"
        yield BookError("book-dates", problem, place=place_of(world, ["horizon"]), remedy="let start come first")
    for key, quarter, wanted in (("start", spec.start, "Q1"), ("horizon", spec.horizon, "Q4")):
        if not quarter.endswith(wanted):
            problem = f"world: {key} {quarter} cuts a year; a world is simulated in whole years"
            yield BookError("book-dates", problem, place=place_of(world, [key]), remedy=f"write {quarter[:4]}{wanted}")
    yield from _purchases(spec, world)
    yield from _generations(spec, world)
    sold = {supplier for buyer in spec.buyers.values() for supplier in buyer.buys}
    made = {chip.supplier for chip in spec.chips.values()}
    for name in spec.suppliers:
        place = place_of(world, ["suppliers", name])
        if name not in made:
            yield BookError("book-world", f"suppliers.{name} has no chip", place=place, remedy="add one under chips:")
        if name not in sold:
            yield BookError(
                "book-world", f"suppliers.{name} has no buyer", place=place, remedy="add it to a buys: list"
            )


def _purchases(spec: WorldSpec, world: Map) -> Iterator[BookError]:
    for name, buyer in spec.buyers.items():
        for position, supplier in enumerate(buyer.buys):
            place = place_of(world, ["buyers", name, "buys", position])
            if supplier not in spec.suppliers:
                problem = f"buyers.{name}.buys: unknown supplier {supplier!r}"
                yield BookError("book-unknown-name", problem, place=place, remedy=nearest(supplier, spec.suppliers))
            elif supplier in buyer.buys[:position]:
                problem = f"buyers.{name}.buys: {supplier!r} stands twice"
                yield BookError("book-duplicate", problem, place=place, remedy="keep one")


def _generations(spec: WorldSpec, world: Map) -> Iterator[BookError]:
    earlier: dict[str, str] = {}  # chip -> its supplier
    for name, chip in spec.chips.items():
        if chip.supplier not in spec.suppliers:
            problem = f"chips.{name}: unknown supplier {chip.supplier!r}"
            place = place_of(world, ["chips", name, "supplier"])
            yield BookError("book-unknown-name", problem, place=place, remedy=nearest(chip.supplier, spec.suppliers))
        own = [other for other, supplier in earlier.items() if supplier == chip.supplier]
        if chip.follows is not None and chip.follows not in own:
            problem = f"chips.{name} follows {chip.follows!r}, which is no earlier chip of {chip.supplier}"
            place = place_of(world, ["chips", name, "follows"])
            yield BookError("book-unknown-name", problem, place=place, remedy=nearest(chip.follows, own))
        earlier[name] = chip.supplier
