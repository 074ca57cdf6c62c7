"""Rational numbers that stay exact as long as that costs little, and how they are written.

Every number is a `Fraction`. One whose numerator or denominator grows beyond some 6,000 digits is rounded to
60 significant ones, so that the time of an operation is bounded; what is irrational has 60 from the start.
At most 30 are shown, so roundings do not show.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction

from umwelten.tools.tool import ToolError

_MOST_BITS = 20_000
"""An operation of numbers of this size takes some 0.1 ms."""

_DIGITS = 60
_LARGEST_EXPONENT = 9_999
"""Of ten. Also how far numbers may be from 0 and 1 before it is an error."""

_SHOWN_EXACT = 30
"""Significant digits up to which a finite decimal is shown whole."""
_SHOWN = 20
"""Significant digits of all others."""
_LONGEST_INTEGER = 100
_PLAIN = range(-7, 21)
"""Exponents of ten at which a number is written without one."""

_CONTEXT = decimal.Context(
    prec=_DIGITS,
    Emax=_LARGEST_EXPONENT,
    Emin=-_LARGEST_EXPONENT,
    traps=[decimal.Overflow, decimal.Underflow, decimal.InvalidOperation, decimal.DivisionByZero],
)

PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494")
E = Fraction("2.71828182845904523536028747135266249775724709369995957496697")


def bounded(value: Fraction) -> Fraction:
    """Return the number, rounded to 60 digits where it has become long."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _MOST_BITS:
        return value
    return Fraction(to_decimal(value))


def to_decimal(value: Fraction) -> Decimal:
    """Return the number to 60 significant digits. Raises `ToolError` where it is too large or too small."""
    with _errors():
        exponent = _exponent(value)
        if abs(exponent) > _LARGEST_EXPONENT:
            raise ToolError(_TOO_LARGE if exponent > 0 else _TOO_SMALL)
        return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def read_number(text: str) -> Fraction:
    """Return the number that is written, exactly: 0.1 is a tenth."""
    value = Decimal(text.replace("_", ""))
    if value and abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise ToolError(_TOO_LARGE if value.adjusted() > 0 else _TOO_SMALL)
    return Fraction(value)


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """Return `base` to the power of `exponent`, exactly where it is rational and not too long."""
    if base == 0:
        if exponent < 0:
            raise ToolError("division by zero: 0 to a negative power")
        return Fraction(int(exponent == 0))
    if exponent.denominator > 1:
        root = _exact_root(base, exponent.denominator)
        if root is None:
            return _inexact_power(base, exponent)
        base, exponent = root, Fraction(exponent.numerator)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits <= _MOST_BITS or abs(base) == 1:
        whole = exponent.numerator if abs(base) != 1 else exponent.numerator % 2
        return Fraction(base**whole)
    return _inexact_power(base, exponent)


def _inexact_power(base: Fraction, exponent: Fraction) -> Fraction:
    if base < 0 and exponent.denominator > 1:
        raise ToolError("a negative number to a fractional power is not a real number")
    with _errors():
        return Fraction(_CONTEXT.power(to_decimal(base), to_decimal(exponent)))


def square_root(value: Fraction) -> Fraction:
    """Return the square root, exactly where it is rational."""
    if value < 0:
        raise ToolError("the square root of a negative number is not a real number")
    root = _exact_root(value, 2)
    return Fraction(_CONTEXT.sqrt(to_decimal(value))) if root is None else root


def logarithm(value: Fraction, base: Fraction | None = None) -> Fraction:
    """Return the natural logarithm, or that to a base, exactly where it is whole."""
    if value <= 0 or (base is not None and (base <= 0 or base == 1)):
        raise ToolError("a logarithm is of a number above 0, to a base above 0 other than 1")
    with _errors():
        result = _CONTEXT.ln(to_decimal(value))
        if base is None:
            return Fraction(result)
        quotient = Fraction(_CONTEXT.divide(result, _CONTEXT.ln(to_decimal(base))))
    whole = round(quotient)
    return Fraction(whole) if abs(whole) <= _MOST_BITS and power(base, Fraction(whole)) == value else quotient


def exponential(value: Fraction) -> Fraction:
    """Return e to this power."""
    with _errors():
        return Fraction(_CONTEXT.exp(to_decimal(value)))


def rounded(value: Fraction, digits: int = 0) -> Fraction:
    """Return the number with so many decimals; a half is rounded away from zero, as people do."""
    scale = Fraction(10) ** digits
    scaled = abs(value) * scale
    whole = math.floor(scaled + Fraction(1, 2))
    return (whole if value >= 0 else -whole) / scale


def shown(value: Fraction) -> str:
    """Return the number in decimals: whole where it is finite and short, else 20 significant digits."""
    if value.denominator == 1 and abs(value.numerator) < 10**_LONGEST_INTEGER:
        return str(value.numerator)
    number = to_decimal(value)
    with _errors():
        digits = _SHOWN_EXACT if Fraction(number) == value and _length(number) <= _SHOWN_EXACT else _SHOWN
        number = decimal.Context(prec=digits, Emax=_LARGEST_EXPONENT, Emin=-_LARGEST_EXPONENT).plus(number)
    number = number.normalize(_CONTEXT)
    if number == 0 or number.adjusted() in _PLAIN:
        return f"{number:f}"
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"{mantissa}e{exponent}"


def _length(number: Decimal) -> int:
    return len(number.normalize(_CONTEXT).as_tuple().digits)


def _exponent(value: Fraction) -> int:
    """Return about the exponent of ten."""
    if value == 0:
        return 0
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    return int(bits * math.log10(2))


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    """Return the rational root, `None` where there is none or it is not looked for."""
    if value < 0 or degree > 64:
        return None
    numerator, denominator = _whole_root(value.numerator, degree), _whole_root(value.denominator, degree)
    return None if numerator is None or denominator is None else Fraction(numerator, denominator)


def _whole_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
    else:  # Newton's method from above
        root = 1 << -(-value.bit_length() // degree)
        while (lower := ((degree - 1) * root + value // root ** (degree - 1)) // degree) < root:
            root = lower
    return root if root**degree == value else None


_TOO_LARGE = f"the result is too large: above 1e{_LARGEST_EXPONENT}"
_TOO_SMALL = f"the result is too close to 0: below 1e-{_LARGEST_EXPONENT}"


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what `decimal` raises into what a model is told."""
    try:
        yield
    except decimal.Overflow:
        raise ToolError(_TOO_LARGE) from None
    except decimal.Underflow:
        raise ToolError(_TOO_SMALL) from None
    except decimal.DecimalException:
        raise ToolError("the result is not a real number") from None
