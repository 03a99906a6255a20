"""The book of priors: strict YAML in, one immutable and checked ``Book`` out."""

from sim.book.load import load, priors_folder, validate
from sim.book.schema import Book, Citation, Correlation, Judgement, Prior, Reference, WorldSpec

__all__ = [
    "Book",
    "Citation",
    "Correlation",
    "Judgement",
    "Prior",
    "Reference",
    "WorldSpec",
    "load",
    "priors_folder",
    "validate",
]
