"""How delivered values are compared with the source's, where their types alone do not say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.types.columns import Column, ColumnType

_MOMENTS = {"timestamp", "timestamptz"}


def rules_for(source: Column, delivered: ColumnType) -> tuple[str, ...]:
    """Give the rules that a model's data_type asks for.

    Everything else is said by the two types: json in another spelling, a uuid as text, an instant
    without its zone, are equal as the engine's own pairings say.
    """
    kind = source.type
    if delivered.family == "float" and kind.family == "int":
        # Whole numbers beyond 2^53 became the double that is next to them.
        return ("number",)
    if delivered.family in _MOMENTS and kind.family in _MOMENTS and (kind.scale or 0) < 6:
        # A source with fewer digits delivers zeros: what else stands there was put there.
        return ("exact",)
    return ()
