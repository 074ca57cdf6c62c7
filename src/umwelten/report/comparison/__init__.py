"""Two evaluations of the same files compared: whether the new one is worse, and what it costs beside."""
