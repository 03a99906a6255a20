"""Reads the rank correlations between priors, and checks that they can hold together."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping

import numpy as np

from sim.book.check import Faults, as_map, build, nearest
from sim.book.schema import ELEMENT_DIMS, Correlation, Prior, rank_matrix, subject
from sim.book.sources import Sources
from sim.book.yaml import Map, Value, place_of
from sim.errors import BookError, Place

__all__ = ["by_subject", "read_correlations"]

ROUNDING = 1e-9
"""How far below 0 the smallest eigenvalue of a matrix that is singular on purpose may come out."""
_STREAM = re.compile(r"([^\[\]]+)\[[^\[\]]+\]")

Pairs = dict[tuple[str, str], float]


def by_subject(correlations: Value, place: Place) -> Map:
    """The list under ``correlations:`` as a mapping by what each entry joins, so that overlays can replace one."""
    if not isinstance(correlations, list):
        raise BookError("book-type", "correlations: expected a list", place=place, remedy="begin each entry with '- '")
    result = Map(place)
    for position, item in enumerate(correlations):
        entry = as_map(item, f"correlations.{position}", correlations.places[position])
        key = _subject(entry)
        if key in result:
            problem = f"correlation {key} stands twice, first at {result.key_places[key]}"
            raise BookError("book-duplicate", problem, place=entry.place, remedy="keep one")
        result.put(key, entry, entry.place, entry.place)
    return result


def _subject(entry: Map) -> str:
    between = entry.get("between")
    return subject(entry.get("within"), between if isinstance(between, list) else None)


def read_correlations(
    book: Map, priors: Mapping[str, Prior], sources: Sources
) -> tuple[tuple[Correlation, ...], Pairs]:
    """The correlations of a merged book, and each correlated pair of streams; raises BookError for every fault."""
    node = as_map(book.get("correlations", Map(book.place)), "correlations", book.place)
    faults, entries, pairs = Faults(), [], Pairs()
    for key in node:
        with faults.collect():
            item = as_map(node[key], key, node.value_places[key])
            entry = build(Correlation, item, f"correlation {key}", source=sources.read(item, key))
            if entry.as_of is not None:
                sources.check_date(f"correlation {key}: as_of", entry.as_of, item.value_places["as_of"])
            _add(pairs, entry, item, priors)
            entries.append(entry)
    faults.check()
    correlated = {pair: rho for pair, rho in pairs.items() if rho != 0}
    _check_definite(correlated, book.value_places.get("correlations", book.place))
    return tuple(entries), correlated


def _add(pairs: Pairs, entry: Correlation, item: Map, priors: Mapping[str, Prior]) -> None:
    for first, second in _joined(entry, item, priors):
        pair = (min(first, second), max(first, second))
        if first == second or pair in pairs:
            problem = (
                f"{first} and {second} are the same" if first == second else f"{first} and {second} are joined twice"
            )
            raise BookError("book-duplicate", problem, place=item.place, remedy="join each pair once")
        pairs[pair] = entry.rho


def _joined(entry: Correlation, item: Map, priors: Mapping[str, Prior]) -> Iterator[tuple[str, str]]:
    """Each pair of streams that an entry joins."""
    if entry.within is not None:
        streams = _streams(entry.within, priors, place_of(item, ["within"]))
        if len(streams) < 2:
            problem = f"{entry.within} is one number: nothing in it to correlate"
            raise BookError("book-value", problem, place=place_of(item, ["within"]), remedy="use between: [a, b]")
        yield from itertools.combinations(streams, 2)
        return
    first, second = entry.between or ("", "")
    ours, theirs = (
        _streams(name, priors, place_of(item, ["between", position])) for position, name in enumerate((first, second))
    )
    if _suffixes(first, ours) != _suffixes(second, theirs) and not len(ours) == len(theirs) == 1:
        problem = f"{first} and {second} do not have the same labels"
        remedy = "name one label of each, as in price[h100]"
        raise BookError("book-dims", problem, place=place_of(item, ["between"]), remedy=remedy)
    yield from zip(ours, theirs, strict=True)


def _suffixes(name: str, streams: list[str]) -> list[str]:
    return [stream.removeprefix(name) for stream in streams]


def _streams(name: str, priors: Mapping[str, Prior], place: Place) -> list[str]:
    """The streams that a name stands for: a prior's own ones, or the one of ``prior[label]``."""
    match = _STREAM.fullmatch(name)
    prior = priors.get(match[1] if match else name)
    if prior is None:
        remedy = nearest(match[1] if match else name, priors)
        raise BookError("book-unknown-name", f"unknown prior {name!r}", place=place, remedy=remedy)
    if ELEMENT_DIMS & set(prior.dims):
        problem = f"{prior.name} runs over {', '.join(prior.dims)}: series cannot be correlated"
        raise BookError("book-dims", problem, place=place, remedy="correlate a prior without time or year")
    streams = [prior.stream(labels) for labels in prior.table]
    if match is None:
        return streams
    if name not in streams:
        raise BookError("book-unknown-name", f"unknown label in {name!r}", place=place, remedy=nearest(name, streams))
    return [name]


def _check_definite(pairs: Pairs, place: Place) -> None:
    """Refuse rank correlations whose normal scores have no joint distribution, saying what factor would mend them."""
    smallest = _smallest_eigenvalue(pairs)
    if smallest >= -ROUNDING:
        return
    share = next(share for share in np.arange(0.99, -0.005, -0.01) if _smallest_eigenvalue(pairs, share) >= 0)
    problem = f"the correlations contradict each other: smallest eigenvalue {smallest:.3g}"
    remedy = f"scale every rho by {share:.2f}, or lower those of one prior"
    raise BookError("book-not-psd", problem, place=place, remedy=remedy)


def _smallest_eigenvalue(pairs: Pairs, share: float = 1.0) -> float:
    """Of the Pearson correlations of the normal scores, 2 sin(pi rho / 6), with every rho scaled by ``share``."""
    if not pairs:
        return 0.0
    _, rank = rank_matrix({pair: share * rho for pair, rho in pairs.items()})
    return float(np.linalg.eigvalsh(2 * np.sin(math.pi * rank / 6))[0])
