"""What is asked of MariaDB's and MySQL's catalog."""

from __future__ import annotations

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
