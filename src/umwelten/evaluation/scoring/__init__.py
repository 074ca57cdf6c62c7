"""Scoring of the answers of an evaluation: what is missing is computed, and nothing else."""
