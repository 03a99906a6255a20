"""The book of priors: strict YAML in, one immutable and checked ``Book`` out."""

from sim.book.load import Names, load, priors_folder, shipped, validate
from sim.book.schema import Book, Citation, Correlation, Judgement, Prior, Reference, WorldSpec

__all__ = [
    "Book",
    "Citation",
    "Correlation",
    "Judgement",
    "Names",
    "Prior",
    "Reference",
    "WorldSpec",
    "load",
    "priors_folder",
    "shipped",
    "validate",
]
