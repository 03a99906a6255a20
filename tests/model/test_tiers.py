"""The value chain: what each tier earns."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sim.axes import TIERS
from sim.model.tiers import tier_revenue
from tests.model.tiny import number

ACCELERATOR, NETWORK = TIERS.index("accelerator"), TIERS.index("network")


def test_tier_revenue__by_hand():
    # 100 bn of which a fifth is networking, and 20 bn without: 100 of accelerators, 20 of their suppliers' networking
    content = dict(zip(TIERS, (1, 0.08, 0.1, 0.15, 0.12, 0.8), strict=True))
    earned = tier_revenue(number([100, 20]), number([0.2, 0]), number(list(content.values())))
    expected = {"accelerator": 100, "foundry": 8, "hbm": 10, "server": 15, "network": 32, "cooling_power": 80}
    np.testing.assert_allclose(dict(zip(TIERS, earned.tolist(), strict=True))["network"], 32, rtol=1e-6)
    np.testing.assert_allclose(earned, [expected[tier] for tier in TIERS], rtol=1e-6)


amounts = hnp.arrays(np.float32, (3, 2), elements=st.floats(0, 1000, width=32))
shares = hnp.arrays(np.float32, (3, 2), elements=st.floats(0, 1, width=32))


@given(amounts, shares)
@settings(max_examples=30)
def test_tier_revenue__accelerators_and_networking_are_the_suppliers_revenue(revenue, attach):
    content = np.zeros((len(TIERS), 2))
    content[ACCELERATOR] = 1
    earned = np.asarray(tier_revenue(number(revenue), number(attach), number(content)))
    np.testing.assert_allclose(earned[ACCELERATOR] + earned[NETWORK], revenue.sum(axis=0), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(earned[NETWORK], (revenue * attach).sum(axis=0), rtol=1e-5, atol=1e-3)
