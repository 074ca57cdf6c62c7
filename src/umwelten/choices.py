"""What some settings may be: words, and messages."""

from typing import Literal, TypedDict

PdfMode = Literal["auto", "native", "text", "images"]
"""How PDF files are sent: "auto" as they are where the model takes them, else as text."""

OpenAIApi = Literal["auto", "chat", "responses"]
"""OpenAI's API to ask: chat completions, Responses, or the one that a model needs."""

ProgressStyle = Literal["auto", "rich", "plain", "json", "none"]

RayEnv = Literal["none", "pip"]
"""How the workers of a Ray cluster get umwelten: it is installed there, or Ray installs this version."""

InputSource = Literal["files", "rows", "answers", "pairs"]
"""What an input is: a file, a row of a table, an answer of another evaluation, or two of them in an order."""

RowRule = Literal[1, 2]
"""How the rows of a table are read, and what of a row is part of a call's identity.

1, in evaluations begun by earlier versions: the whole row as JSON; a file of unknown type is csv. 2: what the
prompt uses of the row; a file of lines has a row each, and one JSON object may hold the rows."""

ROW_RULE: RowRule = 2
"""That of an evaluation that is begun now."""


class Message(TypedDict):
    """A message of a prompt. `content` is a text, with the same placeholders as any prompt."""

    role: Literal["system", "user", "assistant"]
    content: str
