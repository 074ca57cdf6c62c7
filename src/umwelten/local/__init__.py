"""The embedded model: finding and fetching its weights, and the llama.cpp child that serves them."""

from umwelten.local.pull import pull_weights
from umwelten.local.server import LocalServers
from umwelten.local.weights import LOCAL_MODELS, LocalModel, find_weights

__all__ = ["LOCAL_MODELS", "LocalModel", "LocalServers", "find_weights", "pull_weights"]
