"""The words that some settings may have."""

from typing import Literal

PdfMode = Literal["auto", "native", "text", "images"]
"""How PDF files are sent: "auto" as they are where the model takes them, else as text."""

ProgressStyle = Literal["auto", "rich", "plain", "json", "none"]

InputSource = Literal["files", "rows", "answers"]
"""What an input is: a file, a row of a table, an answer of another evaluation."""
