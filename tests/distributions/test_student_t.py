import numpy as np
import pytest
from scipy import special, stats

from tests.distributions.cases import SCORE_REACH, evaluate, make


@pytest.mark.parametrize("df", [1, 1.1, 1.3, 1.6, 2, 2.5, 3, 5, 8, 20, 100, 1e3, 1e6])
def test_from_normal__is_accurate_for_every_df(df):
    """To 1e-5 of the value, at 0 too, for the heaviest tail and for what is as good as a normal."""
    z = np.linspace(0.01, SCORE_REACH, 2001).astype(np.float32)
    case, exact = make("student_t", df=df, location=0, scale=1), stats.t.isf(special.ndtr(-z.astype(np.float64)), df)
    np.testing.assert_allclose(evaluate(case, z), exact, rtol=1e-5)
    np.testing.assert_array_equal(evaluate(case, -z), -evaluate(case, z))
    assert evaluate(case, [0.0]) == 0
