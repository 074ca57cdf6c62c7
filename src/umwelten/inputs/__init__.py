"""Files as inputs: which ones are meant, and what is sent of each."""

from umwelten.inputs.content import Content, UnsupportedInput, file_hash, read
from umwelten.inputs.listed import expand, scan_files
from umwelten.inputs.scan import scan

__all__ = ["Content", "UnsupportedInput", "expand", "file_hash", "read", "scan", "scan_files"]
