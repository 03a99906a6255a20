"""Simulation-based calibration on the model itself, and that it finds what it is meant to find."""

import numpy as np
import pytest

from sim.conditioning import calibration
from sim.conditioning.calibration import ranks, uniform

TRUTHS, ALPHA = 300, 1e-6
SEEN = [4, 8, 11, 12]
"""Microsoft's second quarter, Alphabet's year and two quarters of NVIDIA: few enough that weights do not degenerate."""


def calibrated(vintage):
    """Ranks of three observed quantities, four later ones and four beliefs."""
    parameters = np.stack([*vintage.drawn[[4, 8, 12]], *vintage.later[[0, 5, 7, 9]], *vintage.beliefs.values()])
    seen = [vintage.observations[i] for i in SEEN]
    return ranks(seen, vintage.drawn[SEEN], parameters, TRUTHS, np.random.default_rng(11))


def test_calibration__ranks_are_uniform(vintage):
    found = calibrated(vintage)
    assert np.median(found.effective) > 400
    assert min(uniform(row) for row in [*found.parameters, found.log_likelihood]) > ALPHA
    mean = np.array([*found.parameters, found.log_likelihood]).mean(axis=1)
    np.testing.assert_allclose(mean, 0.5, atol=5 / np.sqrt(12 * TRUTHS))


BUGS = {
    "sign of the draws": lambda value, error, drawn: (value + drawn) / error,
    "error squared": lambda value, error, drawn: (value - drawn) / error**2,
    "error too narrow": lambda value, error, drawn: (value - drawn) / (error / 2),
    "error too wide": lambda value, error, drawn: (value - drawn) / (error * 1.5),
    "data ignored": lambda value, error, drawn: 0 * (value - drawn),
}
UNSEEN = ("error squared", "error too wide", "data ignored")
"""What leaves the parameters' ranks all but uniform, as no data at all do; the likelihood's own rank shows it."""


@pytest.mark.parametrize("bug", BUGS)
def test_calibration__finds_a_likelihood_that_is_wrong(vintage, monkeypatch, bug):
    def wrong(observations, drawn):
        value, error = (
            np.array([getattr(each, name) for each in observations])[:, None] for name in ("value", "error")
        )
        return BUGS[bug](value, error, drawn)

    monkeypatch.setattr(calibration, "residuals", wrong)
    found = calibrated(vintage)
    print(bug, min(uniform(row) for row in found.parameters), uniform(found.log_likelihood), np.median(found.effective))
    assert uniform(found.log_likelihood) < ALPHA
    if bug not in UNSEEN:
        assert min(uniform(row) for row in found.parameters) < ALPHA


def test_uniform__is_scipys_test_of_counts():
    even = np.repeat((np.arange(10) + 0.5) / 10, 30)
    assert uniform(even) == pytest.approx(1)
    assert uniform(np.full(300, 0.5)) < 1e-300
