"""SQL that came with a request, held against the dialect of the side that will run it.

The guard of the connectors does the reading (its lexer, sqlglot's tokens, sqlglot's tree); here it
is asked before anything is stored, so that who sent the SQL hears it and no worker runs in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from weighbridge.catalog.vendor_forms import FORMS
from weighbridge.connectors.guard import check_filter, check_query
from weighbridge.connectors.registry import VENDORS
from weighbridge.errors import BadQuery

if TYPE_CHECKING:
    from weighbridge.datadiffs.request import DiffRequest

# Reading SQL costs time that grows with it: no honest filter is longer.
MOST_FILTER, MOST_QUERY = 10_000, 100_000


def check_sql(vendors: tuple[str, str], request: DiffRequest) -> None:
    """Refuse a filter that is no single condition, or a query that does more than read.

    `vendors` are the two connections' kinds. Raises BadQuery, which names the field.
    """
    for side, vendor in enumerate(vendors):
        dialect = dialect_of(vendor)
        _one(f"filter{side + 1}", request.filters[side], dialect, check_filter, MOST_FILTER)
        _one(f"query{side + 1}", request.queries[side], dialect, check_query, MOST_QUERY)


def dialect_of(vendor: str) -> str:
    """Name the SQL that a kind of connection speaks."""
    return VENDORS[FORMS[vendor][1]][3]


def _one(  # noqa: PLR0917 a line of the table above
    field: str, sql: str | None, dialect: str, check: Callable[[str, str], str], most: int
) -> None:
    if sql is None:
        return
    if len(sql) > most:
        raise BadQuery(
            f"{field} has {len(sql):,} characters, more than {most:,}.",
            next_step="Put it in a view on the server and compare the view.",
        )
    try:
        check(sql, dialect)
    except BadQuery as error:
        raise BadQuery(f"{field}: {error.message}", next_step=error.next_step) from None
