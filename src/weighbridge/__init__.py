"""Weighbridge moves data and proves that it arrived.

import weighbridge

with weighbridge.compare("postgresql://u@h/db#public.orders", "orders/*.parquet") as result:
    print(result.report.verdict, result.report.rows)
    for row in result:
        print(row.kind, row.key, row.changed)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weighbridge.library import Comparison, compare, preview

__version__ = "0.1.0.dev0"
__all__ = ["Comparison", "compare", "errors", "preview"]


def __getattr__(name: str) -> Any:
    # The engine's libraries load on first use: `weighbridge --help` must not pay for them.
    if name in {"compare", "Comparison", "preview"}:
        from weighbridge import library  # noqa: PLC0415 lazy on purpose, see above

        return getattr(library, name)
    if name == "errors":
        from weighbridge import errors  # noqa: PLC0415 lazy on purpose, see above

        return errors
    raise AttributeError(name)
