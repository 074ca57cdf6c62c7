"""What answers are worth: `scores.db` beside `evaluation.db`, which is only read.

It has a lock and migrations of its own, so that scoring may go on while a run is at work.
"""
