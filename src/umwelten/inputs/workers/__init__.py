"""Conversions in processes of their own: what a file does to its converter, it does to itself alone.

`pool` has the workers of a run, `worker` one of them; the rest is the process itself, which imports as little
as it can.
"""
