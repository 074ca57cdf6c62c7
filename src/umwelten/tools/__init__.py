"""Tools that models may call: Python functions, the built-in ones, and how their calls are run."""
