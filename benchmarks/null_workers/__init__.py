"""Workers that answer without a request (`benchmarks.fleet_cost --null`)."""
