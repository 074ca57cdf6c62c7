"""Faults by chance in the sources, and whether the tests see them: `make mutants`."""
