"""Tempered particles against the closed form of a linear Gaussian world, and against weights where both work."""

import numpy as np
import pytest

from sim.conditioning import tempering
from sim.conditioning.observations import log_likelihood
from sim.conditioning.tempering import drawn_again, effective, next_power, sensitivity, temper
from sim.conditioning.weights import effective_size, weigh
from sim.errors import RefusedError

VARIATES, INFORMED, PARTICLES = 60, 12, 2_048


class Linear:
    """Quantities that are sums of scores, observed with one error: the posterior is normal."""

    def __init__(self, error, seed=3):
        rng = np.random.default_rng(seed)
        self.slopes = np.zeros((4, VARIATES))
        self.slopes[:, :INFORMED] = rng.standard_normal((4, INFORMED)) / np.sqrt(INFORMED)
        self.error = error
        self.seen = self.slopes @ rng.standard_normal(VARIATES) + [0, 0, 1.5, 0]
        self.mean, self.covariance = self.tempered(1.0)

    def tempered(self, power):
        """Mean and covariance of the posterior whose likelihood is raised to a power."""
        covariance = np.linalg.inv(np.eye(VARIATES) + power * self.slopes.T @ self.slopes / self.error**2)
        return power * covariance @ self.slopes.T @ self.seen / self.error**2, covariance

    def residuals(self, scores):
        return (self.seen[:, None] - self.slopes @ scores.astype(np.float64)) / self.error


def scores(count=PARTICLES, seed=0):
    return np.random.default_rng(seed).standard_normal((VARIATES, count), dtype=np.float32)


@pytest.mark.parametrize("error", [1.0, 0.05])
def test_temper__is_the_normal_posterior(error):
    """Observed sums by five errors of their effective draws; single scores by twice that, as they mix more slowly."""
    world = Linear(error)
    found = temper(scores(), world.residuals, np.random.default_rng(1))
    worth = effective(found)
    assert worth > PARTICLES / 5
    assert len(np.unique(found.ancestors)) < PARTICLES
    sums, covariance = world.slopes @ found.scores, world.slopes @ world.covariance @ world.slopes.T
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_array_less(np.abs(sums.mean(axis=1) - world.slopes @ world.mean), 5 * sd / np.sqrt(worth))
    np.testing.assert_allclose(np.cov(sums) / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=7 / np.sqrt(worth))
    alone = np.sqrt(np.diag(world.covariance))
    np.testing.assert_array_less(np.abs(found.scores.mean(axis=1) - world.mean), 10 * alone / np.sqrt(worth))
    np.testing.assert_allclose(found.scores.std(axis=1), alone, rtol=7 / np.sqrt(worth))
    np.testing.assert_allclose(found.residuals, world.residuals(found.scores), rtol=1e-12)


def test_temper__agrees_with_weights_where_both_work():
    world, many = Linear(0.6), scores(200_000, seed=5)
    weights = weigh(log_likelihood(world.residuals(many))).weights
    found = temper(scores(), world.residuals, np.random.default_rng(2))
    together = np.hypot(1 / np.sqrt(effective(found)), 1 / np.sqrt(effective_size(weights)))
    by_weights = many @ weights
    spread = np.sqrt((many - by_weights[:, None]) ** 2 @ weights)
    np.testing.assert_array_less(np.abs(found.scores.mean(axis=1) - by_weights) / spread, 10 * together)
    np.testing.assert_allclose(found.scores.std(axis=1) / spread, 1, atol=7 * together)


def test_temper__without_moves_is_weighting(monkeypatch):
    """Only drawn again: means of the prior's draws by their weights, by five errors of what is left of them."""
    monkeypatch.setattr(tempering, "_moved", lambda scores, residuals, *rest: (scores, residuals, 0.5, 1.0))
    monkeypatch.setattr(tempering, "KEEP", 0.9)
    world, start = Linear(1.0), scores(20_000)
    found = temper(start, world.residuals, np.random.default_rng(4))
    assert len(found.powers) > 4
    np.testing.assert_array_equal(found.scores, start[:, found.ancestors])
    weights = weigh(log_likelihood(world.residuals(start))).weights
    allowed = 5 * np.sqrt(2 / effective_size(weights))
    np.testing.assert_allclose(found.scores.mean(axis=1), start @ weights, atol=allowed)
    np.testing.assert_allclose(found.scores.std(axis=1), np.sqrt(np.diag(world.covariance)), atol=allowed)


@pytest.mark.parametrize("power", [0.05, 0.4])
def test_moves__leave_the_tempered_posterior_as_it_is(power):
    world, rng = Linear(0.2), np.random.default_rng(7)
    mean, covariance = world.tempered(power)
    start = (mean[:, None] + np.linalg.cholesky(covariance) @ rng.standard_normal((VARIATES, 4_096))).astype(np.float32)
    reach = sensitivity(scores(), world.residuals(scores()))
    moved, _, _, rate = tempering._moved(
        start, world.residuals(start), world.residuals, reach, 0.5, power, np.random.default_rng(1)
    )
    assert 0.2 < rate < 0.5
    assert (moved != start).any(axis=0).mean() > 0.9
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_array_less(np.abs(moved.mean(axis=1) - mean), 5 * sd / 64)
    np.testing.assert_allclose(moved.std(axis=1), sd, rtol=5 / 64)
    sums = np.diag(world.slopes @ covariance @ world.slopes.T)
    np.testing.assert_allclose((world.slopes @ moved).var(axis=1), sums, rtol=7 / 64)


def test_temper__is_the_same_for_the_same_seed():
    world = Linear(0.3)
    one, two, other = (temper(scores(256), world.residuals, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.scores, two.scores)
    assert not np.array_equal(one.scores, other.scores)


def test_temper__leaves_the_prior_where_nothing_is_seen():
    start = scores(512)
    found = temper(start, lambda scores: np.zeros((1, scores.shape[1])), np.random.default_rng(0))
    assert found.powers == (0.0, 1.0)
    assert found.acceptance == (1.0,)
    np.testing.assert_allclose(found.scores.std(axis=1), 1, atol=5 / np.sqrt(2 * 512))


def test_temper__refuses_where_particles_cannot_move():
    """A likelihood of white noise: nothing near a good place is good, but the place itself."""

    def noise(scores):
        mixed = np.abs(np.sin(1e6 * scores.astype(np.float64)).sum(axis=0))
        return 40 * (1 + mixed[None])

    with pytest.raises(RefusedError) as caught:
        temper(scores(128), noise, np.random.default_rng(0))
    assert caught.value.code == "condition-degenerate"
    assert "widen the errors" in caught.value.remedy


def test_next_power__keeps_half_of_the_particles_effective():
    found = log_likelihood(np.random.default_rng(0).standard_normal((3, 1000)) * 20)
    first = next_power(found, 0.0)
    raw = np.exp(first * (found - found.max()))
    assert effective_size(raw / raw.sum()) == pytest.approx(500, rel=1e-6)
    assert next_power(found, first) == pytest.approx(2 * first, rel=1e-6)
    assert next_power(found / 1e6, 0.3) == 1


def test_drawn_again__as_often_as_the_weight_says():
    weights = np.random.default_rng(0).dirichlet(np.ones(50))
    chosen = drawn_again(np.log(weights), np.random.default_rng(1))
    often = np.bincount(chosen, minlength=50)
    assert (np.abs(often - 50 * weights) < 1).all()


def test_sensitivity__is_the_length_of_the_slopes():
    world = Linear(0.1)
    many = scores(100_000)
    found = sensitivity(many, world.residuals(many))
    np.testing.assert_allclose(found, np.linalg.norm(world.slopes / 0.1, axis=0), atol=0.25)


def test_effective__counts_families_where_they_stand_together():
    """Of 400 families of 5 alike 400 are worth; of as many independent particles all 2,000."""
    rng = np.random.default_rng(0)
    families = np.repeat(np.arange(400), 5)
    alike, apart = rng.standard_normal((1, 400))[:, families], rng.standard_normal((1, 2000))

    def worth(residuals):
        return effective(tempering.Tempered(np.empty((0, 2000), np.float32), residuals, families, (), ()))

    assert worth(alike) == pytest.approx(400, rel=1e-6)
    assert worth(apart) == pytest.approx(2000, rel=0.15)
