"""MariaDB: zero dates, tinyint(1), unsigned integers, times beyond a day."""

from __future__ import annotations

from tests.matrix.vendor import MINUS_ZERO, Columns, Rows, Vendor, quoted, values_of
from tests.servers.mariadb import connect


def make(url: str, table: str, columns: Columns, rows: Rows) -> str:
    """Make a table and name it."""
    with connect(url) as connection, connection.cursor() as cursor:
        # Zero dates must get in, and a hundred columns wide is no fault.
        cursor.execute("SET SESSION sql_mode = '', innodb_strict_mode = 0, time_zone = '+00:00'")
        cursor.execute(f"CREATE TABLE `{table}` ({quoted(columns, '`')})")
        if rows:
            cursor.execute(f"INSERT INTO `{table}` VALUES {values_of(rows)}")
    return f"{url}#{table}"


VENDOR = Vendor("mariadb", make, ("auto", "stream"), {"N7": MINUS_ZERO})
