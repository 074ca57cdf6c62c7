"""The embedded model: its weights, and the llama.cpp child process that serves them."""

from umwelten.local.chat_template import places_tools
from umwelten.local.pull import pull_weights
from umwelten.local.server import LocalServers
from umwelten.local.weights import LOCAL_MODELS, LocalModel, check_engine, find_weights, has_engine

__all__ = [
    "LOCAL_MODELS",
    "LocalModel",
    "LocalServers",
    "check_engine",
    "find_weights",
    "has_engine",
    "places_tools",
    "pull_weights",
]
