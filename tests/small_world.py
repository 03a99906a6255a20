"""The base world cut to a few members of every kind: the real beliefs and the real program, compiled in seconds."""

from collections.abc import Callable

from sim import world
from sim.book.schema import Book, WorldSpec
from sim.world import World

BUYERS = ("microsoft", "alphabet", "amazon", "oracle", "neocloud")
SUPPLIERS = ("nvidia", "amd", "google_tpu", "amazon_trainium", "microsoft_maia")
CHIPS = ("h100", "b200", "rubin", "h20", "mi300x", "mi300a", "tpu_v5e", "trainium2", "maia_100", "maia_200")


def small(book: Book, chips: tuple[str, ...] = CHIPS) -> World:
    """A world of a book's own rows: as few buyers, suppliers and chips as keep every kind, and one successor."""
    spec = book.world
    chips = tuple(name for name in spec.chips if name in chips or name == "nvidia_2028")
    cut = {
        "buyers": {
            name: spec.buyers[name].model_copy(
                update={"buys": tuple(s for s in spec.buyers[name].buys if s in SUPPLIERS)}
            )
            for name in spec.buyers
            if name in BUYERS
        },
        "suppliers": {name: supplier for name, supplier in spec.suppliers.items() if name in SUPPLIERS},
        "chips": {name: spec.chips[name] for name in chips},
    }
    return of_world(book, spec.model_copy(update=cut))


def of_world(book: Book, spec: WorldSpec) -> World:
    """The book with another cast, and of each prior the rows that this cast has."""
    spec = WorldSpec(**{name: getattr(spec, name) for name in WorldSpec.model_fields})  # axes are cached: a new one
    priors = {}
    for name, prior in book.priors.items():
        table = {
            labels: member
            for labels, member in prior.table.items()
            if all(label in spec.axes[dim] for dim, label in zip(prior.dims, labels, strict=True))
        }
        priors[name] = prior.model_copy(update={"table": table})
    streams = {prior.stream(labels) for prior in priors.values() for labels in prior.table}
    correlated = {pair: rho for pair, rho in book.correlated.items() if set(pair) <= streams}
    return world.build(book.model_copy(update={"world": spec, "priors": priors, "correlated": correlated}))


def replaced(book: Book, change: Callable) -> Book:
    """The book with every distribution put through ``change``."""
    priors = {
        name: prior.model_copy(update={"table": {labels: change(member) for labels, member in prior.table.items()}})
        for name, prior in book.priors.items()
    }
    return book.model_copy(update={"priors": priors})
