"""Scorers: how good an answer is, as a pure function of the answer and of what it should be, or of verdicts.

A scorer's table, as TOML gives it, becomes a `Definition` (`definition`), which is compiled once (`scorer`)
and applied to any number of answers. Nothing here sees a clock, a file, a socket or a process. Whatever an
answer holds, the time a score takes is bounded by `budget`: what may take longer is refused as unscored.

A judge's scorer is asked instead: `judge` makes its questions, and a score of the replies.

What scores come to is said from sums by file (`columns`): `figures` of a model, `differences` between models,
`picks` of one, `gates` and their `gate_outcomes`, and the `comparison` of two evaluations.
"""
