"""Numbers as people and models write them."""

from __future__ import annotations

import re
import unicodedata
from decimal import Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, localcontext
from typing import Literal

Take = Literal["last", "first", "only"]
TAKES: tuple[Take, ...] = ("last", "first", "only")

_LONGEST = 1_000
"""Characters of a number. Longer ones are read as no number: nobody counts so far, and powers get costly."""
_LARGEST = 9_999
"""Powers of ten."""
_CONTEXT = Context(
    prec=1_100, Emax=4 * _LARGEST, Emin=-4 * _LARGEST, traps=[DivisionByZero, InvalidOperation]
)
_QUOTIENT = Context(prec=50, traps=[])

_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉"
_SPACES = "\u00a0\u2009\u202f"
_NUMBER = re.compile(
    rf"""
    (?=[-−–$€£¥₹\d.{_VULGAR}])                     # fast: where nothing else can begin
    (?:
    (?<![^\W_]) (?<!\d[./])                         # no part of a word, nor of a longer number
    (?P<sign> (?:(?<![\w)\]]) [-−–])? )
    (?:[$€£¥₹]\s?)?
    (?P<inner> (?:(?<=[$€£¥₹])[-−–])? )
    (?:
        (?P<dots> \d{{1,3}}+ (?:\.\d{{3}})++ ,\d++ )                        # 1.234,50
      | (?P<lakhs> \d{{1,2}}+ (?:,\d\d(?!\d))++ ,\d{{3}}(?!\d) (?:\.\d++)? )     # 12,34,567
      | (?P<groups> \d{{1,3}}+ (?:(?:,|[{_SPACES}'’_]|\{{,\}})\d{{3}}(?!\d))++ (?:\.\d++)? )
      | (?P<comma> (?<!\d,)\d++ ,(?:\d{{1,2}}|\d{{4,}})(?![\d,.]\d|\d) )            # 3,14
      | (?P<fraction> \d++ / \d++ (?![/\d]) )
      | (?P<plain> \d++(?:\.\d++)? | \.\d++ )
    )
    (?P<vulgar> [{_VULGAR}]? )
    (?P<exponent> (?:[eE][-+]?\d++)? )
    (?P<percent> \s?[%％] )?
  | (?P<alone_sign> [-−–]? ) (?P<alone> [{_VULGAR}] )
    )
    """,
    re.VERBOSE,
)
_MINUS = frozenset("-−–")


def numbers_in(text: str, *, percent: bool = False) -> list[Decimal | None]:
    """Return all numbers of a text in order, `None` for each that is too long or too large to be read.

    Thousands separators, currencies and units are off. `percent`: `60%` is 0.6, else 60.
    """
    return [_value(match, percent) for match in _NUMBER.finditer(text)]


def take_number(text: str, take: Take, *, percent: bool = False) -> Decimal | None:
    """Return the last or first number of a text, or the only one: `None` if there are others beside it."""
    chosen: re.Match[str] | None = None
    for match in _NUMBER.finditer(text):
        chosen = match
        if take == "first":
            break
        if take == "only":
            return _only(numbers_in(text, percent=percent))
    return None if chosen is None else _value(chosen, percent)


def _only(found: list[Decimal | None]) -> Decimal | None:
    return found[0] if all(number == found[0] for number in found) else None


def within(number: Decimal, expected: Decimal, absolute: Decimal, relative: Decimal) -> bool:
    """Return whether two numbers differ by no more than either tolerance, that of `expected` or the other."""
    with localcontext(_CONTEXT):
        try:
            return abs(number - expected) <= max(absolute, relative * abs(expected))
        except DecimalException:
            return False


def as_text(number: Decimal) -> str:
    """Return the number as it is shown: plainly, unless that is long."""
    plain = number.normalize(_CONTEXT)
    exponent = plain.as_tuple().exponent
    return f"{plain:f}" if isinstance(exponent, int) and -20 <= exponent <= 20 else str(plain)


def _value(match: re.Match[str], percent: bool) -> Decimal | None:
    if match.end() - match.start() > _LONGEST:
        return None
    with localcontext(_CONTEXT):
        try:
            number = _magnitude(match)
        except DecimalException:
            return None
        if not number.is_finite() or abs(number.adjusted()) > _LARGEST:
            return None
        if match["percent"] and percent:
            number /= 100
        signs = (match["sign"] or "") + (match["inner"] or "") + (match["alone_sign"] or "")
        return number if _MINUS.isdisjoint(signs) else -number


def _magnitude(match: re.Match[str]) -> Decimal:
    if match["alone"]:
        return _vulgar(match["alone"])
    if match["fraction"]:
        top, _, bottom = match["fraction"].partition("/")
        return _QUOTIENT.divide(Decimal(top), Decimal(bottom))
    if match["dots"]:
        digits = match["dots"].replace(".", "").replace(",", ".")
    elif grouped := match["groups"] or match["lakhs"]:
        digits = re.sub(r"[^\d.]", "", grouped)
    elif match["comma"]:
        digits = match["comma"].replace(",", ".")
    else:
        digits = match["plain"]
    number = Decimal(digits + (match["exponent"] or ""))
    return number + _vulgar(match["vulgar"]) if match["vulgar"] else number


def _vulgar(character: str) -> Decimal:
    top, _, bottom = unicodedata.normalize("NFKC", character).partition("\u2044")
    return _QUOTIENT.divide(Decimal(top), Decimal(bottom))
