import numpy as np
import pytest

from tests.distributions.cases import TINY, evaluate, make, reference

Z = np.linspace(-6.3, 6.3, 20_001)


@pytest.mark.parametrize("shape", [0.05, 0.1, 0.3])
def test_from_normal__is_never_0_where_float32_has_the_quantile(shape):
    case = make("gamma", shape=shape, scale=1)
    z = Z.astype(np.float32)
    got, expected = evaluate(case, z), reference(case, z)
    seen = expected >= TINY
    assert 0.1 < np.mean(seen) <= 1
    assert np.all(got[seen] > 0)
    assert np.max(np.abs(got[seen] / expected[seen] - 1)) < 2.5e-5
    assert np.all(got[~seen] < 1.001 * TINY)


def test_from_normal__tells_draws_of_a_narrow_gamma_apart():
    """An sd of 0.1 % of the mean, which a table of plain logarithms would round to a few hundred values."""
    got = evaluate(make("gamma", shape=1e6, scale=1), Z)
    assert len(np.unique(got)) > 10_000


def test_natural__refuses_a_shape_that_scipy_cannot_invert():
    with pytest.raises(ValueError, match="must be at most 1e"):
        make("gamma", shape=1e8, scale=1)
