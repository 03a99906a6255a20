"""chipcast: AI-compute hardware forecast forward, with honest uncertainty.

>>> import sim
>>> world = sim.load("base", overrides={"capex_drift.p95": 0.4})
>>> tree = sim.run(world, draws=10_000, seed=0)
>>> tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027", quantile=0.5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.forecast import load, run
    from sim.forecast import open_ as open

__all__ = ["load", "open", "run"]


def __getattr__(name: str) -> Any:
    """Import the work behind ``load``, ``run`` and ``open`` when it is first asked for, so that import is light."""
    if name not in __all__:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    import importlib

    work = importlib.import_module("sim.forecast")
    return getattr(work, {"open": "open_"}.get(name, name))
