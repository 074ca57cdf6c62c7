"""The version, by itself so that every module may know it."""

__version__ = "0.1.0"
