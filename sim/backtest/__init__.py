"""How the engine would have done: forecasts of the past, scored beside simple ones made from the same information.

``rolling`` forecasts the capex process from each year since 2010; ``vintages`` runs the dated books; ``opponents`` are
what they are measured against; ``outcomes`` what came; ``frozen`` keeps a forecast for quarters still to come.
``scoreboard`` puts it together, ``page`` writes docs/scoreboard.md. What was settled before scoring is on that page.
"""
