"""Files as inputs: their selection, and what is sent of each."""

from umwelten.inputs.files.file_list import expand, scan_files
from umwelten.inputs.files.scan import scan
from umwelten.inputs.reader import Content, Converted, UnsupportedInput, file_hash, input_hash, read

__all__ = [
    "Content",
    "Converted",
    "UnsupportedInput",
    "expand",
    "file_hash",
    "input_hash",
    "read",
    "scan",
    "scan_files",
]
