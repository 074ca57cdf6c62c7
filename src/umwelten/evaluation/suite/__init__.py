"""Suites: several tasks, each an evaluation of its own, run and scored one after the other."""
