"""Worlds that differ from the base in one thing, made without reading files again."""

import dataclasses

import pytest

from sim import forecast


def with_prior(world, name, change):
    """The world with another distribution at each label of a prior, as ``change(labels, distribution)`` gives it."""
    prior = world.book.priors[name]
    table = {labels: change(labels, member) for labels, member in prior.table.items()}
    return with_book(world, priors={**world.book.priors, name: prior.model_copy(update={"table": table})})


def with_book(world, **fields):
    """The world with some fields of its book replaced."""
    return dataclasses.replace(world, book=world.book.model_copy(update=fields))


@pytest.fixture(scope="session")
def altered():
    """``with_prior`` and ``with_book``."""
    return with_prior, with_book


@pytest.fixture(scope="session")
def old():
    """The world of the day of the second report."""
    return forecast.load("2024-05-27")
