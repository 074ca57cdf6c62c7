"""Which letter of a multiple-choice question an answer chooses."""

from __future__ import annotations

import re

_OPEN = r"""[\s*_$`"'“\[({\\]{0,12}(?:\\(?:boxed|text|textbf|mathbf|mathrm)\{){0,3}[\s*_$`(]{0,4}"""
"""What may stand before a letter: marks of Markdown and LaTeX, quotes, brackets. At most so many, so that
time grows with the answer alone."""
_CLOSE = r"""[\s*_$`"'”\])}]{0,12}"""


class ChoiceReader:
    """Reads the chosen letter.

    What is said to be the answer (`Answer: X`, `the answer is X`) decides, the last one if it is said several
    times; else the last `(X)` or `X.` alone on a line.
    """

    def __init__(self, letters: str) -> None:
        group = f"[{re.escape(letters)}]"
        flags = re.IGNORECASE
        joined = rf"{_CLOSE}(?:[,/&]|\bor\b|\band\b){_OPEN}"
        self._said = re.compile(
            rf"\banswer(?:\s{{1,3}}is)?{_CLOSE}(?:[:=]|(?<=is)|(?<=is[*_]{{2}}))?{_OPEN}"
            rf"({group})(?![\w'’])(?:{joined}({group})(?![\w'’]))?(?=(?P<rest>{_CLOSE}[^\n]{{0,2}}))",
            flags,
        )
        self._colon = re.compile(r"[:=]|\bis\b", flags)
        self._alone = re.compile(
            rf"\(({group})\)|^[^\S\n]{{0,9}}[*_$`]{{0,4}}({group})[*_$`]{{0,4}}[.):]?[*_$`]{{0,4}}[^\S\n]{{0,9}}$",
            flags | re.MULTILINE,
        )
        self._letters = {letter.casefold(): letter for letter in letters}

    def read(self, text: str) -> str | None:
        """Return the chosen letter, as it is written in `letters`, or `None`."""
        said: str | None = None
        was_said = False
        for match in self._said.finditer(text):
            if self._colon.search(text, match.start() + 6, match.start(1)) and not _is_word(match):
                was_said = True
                both = match[2] is not None and match[2].casefold() != match[1].casefold()
                said = None if both else match[1]
        if not was_said:
            for match in self._alone.finditer(text):
                said = match[1] or match[2]
        return None if said is None else self._letters.get(said.casefold())


def _is_word(match: re.Match[str]) -> bool:
    """Return whether the letter is a word of a sentence: "the answer is a mystery", "I don't know"."""
    rest = match["rest"]
    goes_on = rest[:1].isspace() and rest.strip(" *_")[:1].isalpha()
    return match[2] is None and goes_on and (match[1].islower() or (match[1] == "I"))
