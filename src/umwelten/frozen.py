"""The base of the value types that all layers share."""

from __future__ import annotations

from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class FrozenStruct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the value types: immutable, built by keyword."""
