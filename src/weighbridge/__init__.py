"""Weighbridge moves data and proves that it arrived.

import weighbridge

with weighbridge.compare("postgresql://u@h/db#public.orders", "orders/*.parquet") as result:
    print(result.report.verdict, result.report.rows)
    for row in result:
        print(row.kind, row.key, row.changed)
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weighbridge import errors as errors
    from weighbridge.library import Comparison, compare, preview

__version__ = "0.1.0.dev0"
__all__ = ["Comparison", "compare", "errors", "preview"]


def __getattr__(name: str) -> Any:
    # The engine's libraries load on first use: `weighbridge --help` must not pay for them.
    if name in {"compare", "Comparison", "preview"}:
        from weighbridge import library  # noqa: PLC0415 lazy on purpose, see above

        return getattr(library, name)
    if name == "errors":
        # `from weighbridge import errors` would ask this very function.
        return import_module("weighbridge.errors")
    raise AttributeError(name)


class _Face(ModuleType):
    # `compare` is the verb here and a room below: importing the room would bind its module over
    # the verb, so that the second call would fail.
    @property
    def compare(self) -> Any:
        return __getattr__("compare")

    @compare.setter
    def compare(self, room: ModuleType) -> None:
        pass


sys.modules[__name__].__class__ = _Face
