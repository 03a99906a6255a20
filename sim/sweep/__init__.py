"""Many runs from one file: scenarios, vintages, values and seeds, on one machine or a cluster, side by side.

>>> from sim import sweep
>>> swept = sweep.sweep("priors/sweeps/scenarios.yaml", out="runs", workers=2)
>>> swept.tree["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027", quantile=0.5)
"""

from sim.sweep.batch import Failure, Swept, Watch
from sim.sweep.command import plan, sweep
from sim.sweep.page import as_json, estimate_lines, table
from sim.sweep.tls import Tls
from sim.sweep.watch import watching

__all__ = ["Failure", "Swept", "Tls", "Watch", "as_json", "estimate_lines", "plan", "sweep", "table", "watching"]
