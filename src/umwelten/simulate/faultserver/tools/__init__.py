"""A simulated model that calls the tools it is offered, and a judge of what the client sends back.

`spec.ToolTurns` says how the model behaves, `transcript` reads what a request says about tools, `turns`
plans the model's next turn, `judges` refuse what providers refuse. Nothing is remembered between requests:
ids and signatures carry seals (`seals`) by which they are recognised, so conversations outlive a restart.
"""
