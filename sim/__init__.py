"""chipcast: AI-compute hardware forecast forward, with honest uncertainty.

>>> import sim
>>> world = sim.load("base", overrides={"capex_drift.p95": 0.4})
>>> tree = sim.run(world, draws=10_000, seed=0)
>>> tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027", quantile=0.5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.conditioning import condition
    from sim.forecast import load, resume, run
    from sim.forecast import open_ as open

__all__ = ["condition", "load", "open", "resume", "run"]

HOME = {"condition": ("sim.conditioning", "condition"), "open": ("sim.forecast", "open_")}


def __getattr__(name: str) -> Any:
    """Import the work behind a function when it is first asked for, so that import is light."""
    if name not in __all__:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    import importlib

    module, function = HOME.get(name, ("sim.forecast", name))
    return getattr(importlib.import_module(module), function)
