"""Symmetric positive definite systems of a hundred unknowns or so, by Cholesky's factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

Matrix = list[list[float]]

_SINGULAR = 1e-12
"""Of the diagonal: what is left of it below this is rounding, so that the rows before determine this one."""


class Singular(ValueError):
    """The system has no single solution: `row` follows from those before it."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} of the matrix follows from those before it")
        self.row = row


def factor(matrix: Sequence[Sequence[float]]) -> Matrix:
    """Return the lower triangle L with L·Lᵀ = `matrix`, row by row. Singular where there is none."""
    lower: Matrix = []
    for place, row in enumerate(matrix):
        made: list[float] = []
        for column, above in enumerate(lower):
            made.append((row[column] - sum(map(mul, made, above))) / above[column])
        left = row[place] - sum(map(mul, made, made))
        if not left > _SINGULAR * row[place]:  # NaN is not either
            raise Singular(place)
        made.append(math.sqrt(left))
        lower.append(made)
    return lower


def solve(lower: Matrix, right: Sequence[float]) -> list[float]:
    """Return x with L·Lᵀ·x = `right`."""
    return _backward(_transposed(lower), _forward(lower, right))


def inverse(lower: Matrix) -> Matrix:
    """Return the inverse of L·Lᵀ."""
    size, upper = len(lower), _transposed(lower)
    columns = []
    for place in range(size):
        unit = [0.0] * size
        unit[place] = 1.0
        columns.append(_backward(upper, _forward(lower, unit)))
    return columns


def sandwich(bread: Matrix, filling: Matrix) -> Matrix:
    """Return B·M·B of two symmetric matrices, itself exactly symmetric."""
    half = [[sum(map(mul, row, column)) for column in filling] for row in bread]
    whole = [[sum(map(mul, row, column)) for column in bread] for row in half]
    size = range(len(whole))
    return [[(whole[i][j] + whole[j][i]) / 2 for j in size] for i in size]


def _transposed(lower: Matrix) -> Matrix:
    """Return the rows of Lᵀ from the diagonal on."""
    return [[lower[row][column] for row in range(column, len(lower))] for column in range(len(lower))]


def _forward(lower: Matrix, right: Sequence[float]) -> list[float]:
    found: list[float] = []
    for row, value in zip(lower, right, strict=True):
        found.append((value - sum(map(mul, row, found))) / row[-1])
    return found


def _backward(upper: Matrix, right: Sequence[float]) -> list[float]:
    size = len(upper)
    found = [0.0] * size
    for place in range(size - 1, -1, -1):
        row = upper[place]
        found[place] = (right[place] - sum(map(mul, row[1:], found[place + 1 :]))) / row[0]
    return found
