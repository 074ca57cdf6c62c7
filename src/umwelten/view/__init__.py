"""The local page over all evaluations: a server of this machine alone, and what its pages ask for."""
