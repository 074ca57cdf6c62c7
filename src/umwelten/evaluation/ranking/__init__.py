"""Rankings as evaluations: judges say which of two answers is better, pair by pair."""
