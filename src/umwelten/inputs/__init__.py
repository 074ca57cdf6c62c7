"""Files as inputs: which ones are meant, and what is sent of each."""

from umwelten.inputs.content import Content, Converted, UnsupportedInput, file_hash, read
from umwelten.inputs.listed import expand, scan_files
from umwelten.inputs.scan import scan

__all__ = ["Content", "Converted", "UnsupportedInput", "expand", "file_hash", "read", "scan", "scan_files"]
