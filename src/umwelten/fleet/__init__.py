"""Runs on several processes and machines: calls travel to workers, decisions stay where the run is."""
