"""Cases that no engine of this release can hold, or that are no pair of values, and why."""

from __future__ import annotations

ORACLE = "Oracle only; no connector for it yet"
MSSQL = "SQL Server only; no connector for it yet"

NOT_HOLDABLE = {
    "N18 Oracle": f"{ORACLE}: '.5' for 0.5 is held as CSV text instead (N18)",
    "N17 Oracle": f"{ORACLE}: 1E-130 is held by PostgreSQL's numeric instead (N17)",
    "N10 Snowflake": "Snowflake only; the double itself is N10",
    "N19": f"{MSSQL}: money with separators of a culture",
    "T7": f"{MSSQL}: datetime counts in ticks of 1/300 s",
    "T8 smalldatetime": f"{MSSQL}: the rule `minute` is T8",
    "T10 Oracle": f"{ORACLE}: a DATE with a time of day; a moment against a date is T10",
    "T16 Spark": "Spark and Hive only: the Julian calendar of old Parquet files; the days are T16",
    "S5": f"{ORACLE}: '' is NULL there; the rule `oracle` is S6's `empty-null`",
    "S13 utf8mb3": "MariaDB refuses or replaces the emoji when it is stored: the '?' is S13",
    "B5 EMPTY_BLOB": f"{ORACLE}: no bytes against NULL is B5",
    "G1 PostGIS": "PostGIS is in none of the test servers; MariaDB's points are G1",
    "G5": f"LOB locators, ROWID and rowversion: {ORACLE}; {MSSQL}. What cannot be compared is N29, G8",
    "T25": "window edges are rows: test_rows",
    "S8": "two columns: test_rows and test_hash_traps",
    "S9": "two columns: test_rows and test_hash_traps",
    "S22": "keys: test_rows",
    "K17": "rows under writes: test_recheck",
    "K18": "rows under writes: test_recheck",
    "K19": "a class of an integrity job, which is not in this release",
    "K20": "a class of an integrity job, which is not in this release",
    "K21": "a class of an integrity job, which is not in this release",
    "K22": "a class of an integrity job; the row itself is a plain difference",
}
