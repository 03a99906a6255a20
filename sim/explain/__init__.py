"""The chain behind one cell of a summary: ``chipcast explain "revenue[nvidia,2027]"``.

``cell`` reads which number is meant; ``chain`` finds the equations and priors behind it by tracing the model;
``shares`` says how much of its spread each prior explains; ``explanation`` joins them, ``page`` shows them, and
``docs`` writes the generated part of docs/model.md.
"""

from sim.explain.explanation import Contribution, Explanation, Figure, Step, explain
from sim.explain.page import page

__all__ = ["Contribution", "Explanation", "Figure", "Step", "explain", "page"]
