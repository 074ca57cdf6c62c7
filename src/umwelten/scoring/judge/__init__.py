"""Judges: scorers of type `judge`, which ask a model how good an answer is. Everything but the asking.

`settings` reads a definition, `wording` and `frame` make the question, `reply` has the schema of the reply
and reads it, `combination` makes a score of several verdicts, `diagnostics` tells how far judges can be
relied on, `human_labels` how far they agree with people. A verdict that is missing, broken or withheld is
never a score: nothing is filled in for it.
"""
