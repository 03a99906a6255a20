import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from sim import draws
from sim.distributions import Discrete
from tests.distributions.cases import evaluate, make

CASES = [
    make("discrete", values=[0, 1], probabilities=[0.5, 0.5]),
    make("discrete", values=[2, 3, 5], probabilities=[0.2, 0.5, 0.3]),
    make("discrete", values=[-1e6, 0.1, 7], probabilities=[1e-4, 0.999, 9e-4]),
    make("discrete", values=list(range(32)), probabilities=[1 / 32] * 32),
    make("discrete", values=[1, 2, 3], probabilities=[1e-7, 0.9999998, 1e-7]),
]
each_case = pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))


def shares(case):
    """Exact probability of each value: how many of the 2^32 words give it, found by halving: more bits give more."""
    first = []
    for value in case.values[1:]:
        low, high = 0, 1 << 32
        while low < high:
            middle = (low + high) // 2
            z = draws.scores(jnp.asarray([middle], jnp.uint32))
            if evaluate(case, z)[0] >= np.float32(value):
                high = middle
            else:
                low = middle + 1
        first.append(low)
    return np.diff([0, *first, 1 << 32]) / 2**32


@pytest.mark.parametrize("case", [CASES[0], CASES[1], CASES[4]], ids=[0, 1, 4])
def test_from_normal__gives_each_value_its_share_of_all_words(case):
    error = np.abs(shares(case) - case.probabilities)
    assert np.all(error < np.where(np.array(case.probabilities) < 1e-3, 2**-32, 4e-7))


def test_from_normal__halves_exactly():
    assert shares(CASES[0]).tolist() == [0.5, 0.5]


def test_ppf__is_the_least_value_with_as_much_below():
    u = np.array([0, 0.1, 0.2, 0.2000001, 0.7, 0.71, 1])
    assert CASES[1].ppf(u).tolist() == [2, 2, 2, 3, 3, 5, 5]
    assert CASES[1].quantile(0.5) == 3


def test_scaled__multiplies_the_values_and_keeps_the_probabilities():
    scaled = CASES[1].scaled(10)
    assert scaled.values == (20, 30, 50)
    assert scaled.probabilities == CASES[1].probabilities


@each_case
def test_discrete__is_hashable_and_survives_json(case):
    again = TypeAdapter(Discrete).validate_json(case.model_dump_json())
    assert again == case
    assert hash(again) == hash(case)
    assert len(case.params()) == len(CASES[0].params())


@pytest.mark.parametrize(
    ("values", "probabilities", "message"),
    [
        ([1], [1], "2 to 32 values, got 1; for one value use family: fixed"),
        (list(range(33)), [1 / 33] * 33, "got 33"),
        ([1, 2, 3], [0.5, 0.5], "got 3 values and 2 probabilities"),
        ([1, 3, 2], [0.2, 0.3, 0.5], "values must increase, got 3 before 2; write each once, the least first"),
        ([1, 1, 2], [0.2, 0.3, 0.5], "got 1 before 1"),
        ([1, 2], [0.5, 0.6], r"probabilities must sum to 1, got 0.5 \+ 0.6 = 1.1"),
        ([1, 2], [0.33333, 0.66666], r"probabilities must sum to 1, got 0.33333 \+ 0.66666 = 0.99999"),
        ([1, 2], [0, 1], "probabilities must be positive, got 0"),
        ([1, True], [0.5, 0.5], "valid number"),
        (1, [0.5, 0.5], "valid tuple"),
    ],
)
def test_discrete__refuses_with_the_values_and_the_remedy(values, probabilities, message):
    with pytest.raises(ValidationError, match=message):
        make("discrete", values=values, probabilities=probabilities)
