"""Deterministic scorers: how good an answer is, as a pure function of the answer and of what it should be.

A scorer's table, as TOML gives it, becomes a `Definition` (`definition`), which is compiled once (`scorer`)
and applied to any number of answers. Nothing here sees a clock, a file, a socket or a process. Whatever an
answer holds, the time a score takes is bounded by `budget`: what may take longer is refused as unscored.

What scores come to is said from sums by file (`columns`): `figures` of a model, `differences` between models,
`picks` of one, `gates` and their `gate_outcomes`.
"""
