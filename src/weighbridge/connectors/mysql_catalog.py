"""What is asked of MariaDB's and MySQL's catalog."""

from __future__ import annotations

from datetime import UTC, datetime

from weighbridge.errors import BadArgument

# Name, type, declared type, nullable, generation of each column.
COLUMNS = """
select column_name, data_type, column_type, is_nullable = 'YES', generation_expression
  from information_schema.columns where table_schema = %s and table_name = %s
 order by ordinal_position
"""
# The columns of unique indexes over whole values.
KEYS = """
select index_name, column_name, nullable = 'YES' from information_schema.statistics
 where table_schema = %s and table_name = %s and non_unique = 0 and sub_part is null
 order by index_name, seq_in_index
"""
# MariaDB's JSON is text with a check.
JSON = """
select check_clause from information_schema.check_constraints
 where constraint_schema = %s and table_name = %s
"""
# Whether it is a table, a view, or a table that keeps its history.
KIND = """
select table_type from information_schema.tables where table_schema = %s and table_name = %s
"""


def as_of(label: str, kind: str, moment: datetime) -> str:
    """Write what follows a table's name to read it as it was: https://mariadb.com/kb/en/system-versioned-tables/.

    Raises BadArgument for a table that keeps no history.
    """
    if kind != "SYSTEM VERSIONED":
        raise BadArgument(
            f"{label} keeps no earlier states: it is not a system-versioned table.",
            next_step="ALTER TABLE … ADD SYSTEM VERSIONING keeps them from then on; till then,"
            " read it as it is now.",
        )
    at = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return f" FOR SYSTEM_TIME AS OF TIMESTAMP '{at}'"
