"""Conversions in processes of their own: what a file does to its converter, it does to itself alone."""

from umwelten.inputs.workers.pool import ConversionPool
from umwelten.inputs.workers.worker import convert_now

__all__ = ["ConversionPool", "convert_now"]
