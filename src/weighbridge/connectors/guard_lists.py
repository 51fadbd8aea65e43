"""What user SQL may not call, and what a filter may: the guard's lists, as data.

The lists for queries name what writes, waits, locks, reads files, reaches other systems or
runs a text as SQL. They stand behind a read-only transaction, not instead of one: a function
that a user of the server wrote can have any name.
"""

from __future__ import annotations

import re

# Words that no single read-only query needs. INTO alone writes tables, files and variables.
# NEXTVAL moves a sequence, in MariaDB's Oracle mode without any bracket.
FORBIDDEN_WORDS = frozenset({"into", "outfile", "dumpfile", "nextval"})
# Two words in a row: locks, sequences, MySQL's PROCEDURE ANALYSE().
FORBIDDEN_PAIRS = frozenset(
    {
        ("for", "update"),
        ("for", "share"),
        ("for", "no"),
        ("for", "key"),
        ("lock", "in"),
        ("next", "value"),
        ("previous", "value"),
        ("procedure", "analyse"),
    }
)
# A bracket that opens with one of these is a statement inside the query.
STATEMENT_WORDS = frozenset(
    {"insert", "update", "delete", "merge", "replace", "copy", "call", "do", "execute", "explain"}
)


def _names(text: str, *prefixes: str) -> re.Pattern[str]:
    starts = [re.escape(prefix) + ".*" for prefix in prefixes]
    return re.compile("|".join([*map(re.escape, text.split()), *starts]), re.DOTALL)


# PostgreSQL's own functions are allowed by name, because a new release brings new ones.
_PG_HARMLESS = (
    "typeof|column_size|column_compression|size_pretty|size_bytes|collation_for|input_is_valid"
    "|get_(?:constraintdef|expr|functiondef|indexdef|userbyid|viewdef|serial_sequence)|encoding_to_char"
)

FORBIDDEN_CALLS = {
    "postgres": re.compile(
        rf"pg_(?!(?:{_PG_HARMLESS})$).*|"
        + _names(
            """set_config current_setting nextval setval loread lowrite txid_current ts_stat
            table_to_xml table_to_xmlschema table_to_xml_and_xmlschema connectby xpath_table http
            invoke http_get http_post http_put http_delete http_patch schedule unschedule
            schedule_in_database gin_clean_pending_list ts_rewrite
            create_distributed_table query_export_to_s3 table_import_from_s3""",
            *("lo_", "dblink", "query_to_xml", "cursor_to_xml", "schema_to_xml", "database_to_xml"),
            *(
                "crosstab",
                "binary_upgrade_",
                "brin_",
                "aws_",
                "run_command_on_",
                "master_",
                "plpgsql_",
            ),
            *("postgres_fdw_", "file_fdw_", "fmgr_", "citus_", "http_"),
        ).pattern,
        re.DOTALL,
    ),
    "mysql": _names(
        """load_file sleep benchmark get_lock release_lock release_all_locks is_free_lock
        is_used_lock last_insert_id master_pos_wait master_gtid_wait source_pos_wait
        wait_for_executed_gtid_set wait_until_sql_thread_after_gtids nextval setval lastval
        read_firewall_users read_firewall_groups set_firewall_mode mysql_query""",
        *("sys_", "lib_mysqludf", "group_replication_", "asynchronous_connection_", "keyring_"),
        *("service_", "audit_", "mysqlx_", "version_tokens_", "wsrep_", "spider_", "masking_"),
        *("mysql_firewall_", "http_", "lua_"),
    ),
    "duckdb": re.compile(
        r".*_(?:scan|query|execute|attach|secrets?)|"
        + _names(
            """glob getenv getvariable set_variable query query_table install load checkpoint
            force_checkpoint nextval currval current_setting which_secret shell copy_database
            json_execute_serialized_sql from_substrait from_substrait_json sql_auto_complete
            load_aws_credentials open_prompt sniff_csv test_vector_types scan_arrow_ipc
            parse_duckdb_log_message storage_info""",
            *(
                "read_",
                "parquet_",
                "pragma_",
                "duckdb_",
                "iceberg_",
                "delta_",
                "ducklake_",
                "write_",
            ),
            *(
                "st_read",
                "st_drivers",
                "http_",
                "enable_",
                "disable_",
                "pg_",
                "postgres_",
                "mysql_",
            ),
            *("sqlite_", "sleep", "dbgen", "dsdgen", "tpch", "tpcds", "truncate_duckdb_logs"),
        ).pattern,
        re.DOTALL,
    ),
    "sqlite": _names(
        """load_extension writefile readfile edit lsmode fsdir lsdir eval sha3_query zipfile
        sqlar_compress sqlar_uncompress fts3_tokenizer sqlite_dbpage dbstat bytecode tables_used
        shell_add_schema shell_putsnl generate_report csv sqlite_compileoption_used""",
        *("pragma_", "sqlite_", "fts5_", "shell_"),
    ),
}

# Relations that read files, hold password hashes, or are calls without brackets.
FORBIDDEN_TABLES = {
    "postgres": _names(
        """pg_authid pg_shadow pg_user_mapping pg_user_mappings pg_hba_file_rules
        pg_ident_file_mappings pg_file_settings pg_largeobject pg_subscription""",
    ),
    "mysql": re.compile(r"mysql\..*|(?:.*\.)?user_variables", re.DOTALL),
    # DuckDB opens a file when a table has the name of one, quoted or not.
    "duckdb": re.compile(
        r".*[/\\*?:~].*|.*\.(?:[ct]sv|txt|parquet|pq|json|jsonl|ndjson|geojson|xlsx|arrow|feather"
        r"|ipc|db|duckdb|sqlite|avro|shp|gpkg|npy|log|gz|zst|bz2)|duckdb_(?:secrets|settings).*",
        re.DOTALL,
    ),
    "sqlite": _names("sqlite_dbpage sqlite_stmt dbstat", "pragma_"),
}

# Parts of a syntax tree, by the name of sqlglot's class or of one that it is derived from.
FORBIDDEN_NODES = frozenset(
    """DML DDL Command Into Lock Set SetItem Pragma Attach Detach Copy Use Kill Execute Describe
    Show Transaction Commit Rollback Analyze LoadData Cache Uncache Refresh Summarize Parameter
    SessionParameter Placeholder NextValueFor Install Declare Grant Revoke
    Alter Drop TruncateTable Comment Block Semicolon Export""".split()  # noqa: SIM905 a list of words
)

# A filter: what may stand in it. Calls are allowed by name below, not by class.
FILTER_NODES = frozenset(
    """And Or Not Xor Paren Tuple EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ In Between Is Like
    ILike Glob SimilarTo RegexpLike RegexpILike Escape Any All Null Boolean Literal HexString
    BitString ByteString RawString National Introducer Column Identifier Add Sub Mul Div Mod IntDiv
    Neg DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift
    BitwiseRightShift Cast TryCast DataType DataTypeParam Interval IntervalSpan Var Case If Collate
    AtTimeZone Array Bracket Slice Extract Trim Overlay Struct PropertyEQ JSONExtract
    JSONExtractScalar JSONBExtract JSONBExtractScalar JSONBContains JSONBContainsTopKey
    JSONBContainsAnyTopKeys JSONBContainsAllTopKeys JSONPath JSONPathRoot JSONPathKey
    JSONPathSubscript JSONPathWildcard ArrayContainsAll ArrayContainedBy ArrayOverlaps Overlaps
    CurrentDate CurrentTime CurrentTimestamp Localtime Localtimestamp Match Distance
    """.split()  # noqa: SIM905 a list of words
)
# Calls without brackets that tell about the session, not about the row.
FILTER_NOT_CALLED = frozenset(
    """CurrentUser SessionUser CurrentRole CurrentCatalog CurrentSchema CurrentDatabase
    Rand""".split()  # noqa: SIM905 a list of words
)
# What is neither true nor false, so no filter by itself.
FILTER_VALUES = frozenset(
    """Tuple Null Literal HexString BitString ByteString RawString National Introducer Add Sub Mul
    Div Mod IntDiv Neg DPipe Interval IntervalSpan Array Struct Trim Extract CurrentDate
    CurrentTime CurrentTimestamp Localtime Localtimestamp AtTimeZone Var Distance""".split()  # noqa: SIM905 a list of words
)
FILTER_CALLS = frozenset(
    """abs age ascii array_contains array_length array_position any all array bit_count bool
    btrim cast ceil ceiling char char_length character_length chr coalesce concat concat_ws contains
    convert convert_tz crc32 date date_add date_bin date_diff date_format date_part date_sub
    date_trunc datediff datetime day dayname dayofmonth dayofweek dayofyear dateadd epoch epoch_ms
    ends_with exp extract field find_in_set floor format from_unixtime greatest hash hex hour
    if ifnull iif ilike in instr isfinite isinf isnan isnull json_array_length json_contains json_extract
    json_extract_string json_keys json_length json_type json_typeof json_unquote json_valid
    json_value jsonb_array_length jsonb_extract_path_text jsonb_typeof julianday last_day lcase
    least left len length like list_contains ln localtime localtimestamp locate log log10 log2
    lower lpad ltrim make_date make_timestamp md5 microsecond mid minute mod month monthname
    now nullif num_nonnulls num_nulls nvl octet_length overlay pi position pow power prefix quarter
    regexp_count regexp_instr regexp_like regexp_matches regexp_replace regexp_substr replace
    reverse right round row rpad rtrim second sha1 sha2 sha256 sign split_part sqrt starts_with
    str_to_date strftime string_to_array strip_accents strpos strptime substr substring
    suffix time timediff timestamp timestampadd timestampdiff timezone to_char to_date to_days
    to_number to_timestamp translate trim trunc truncate try_cast typeof ucase unhex unicode
    unix_timestamp unixepoch upper utc_date utc_time utc_timestamp values week weekday weekofyear
    year yearweek current_date current_time current_timestamp curdate curtime""".split()  # noqa: SIM905 a list of words
)
# Words before a bracket that call nothing.
KEYWORDS_BEFORE_BRACKET = frozenset(
    """and or not xor in is between like ilike rlike regexp similar to escape when then else
    case interval from as by on using where having select with union intersect except all any some
    distinct binary collate at zone div mod array row values over filter exists limit offset
    decimal numeric dec varchar char character nchar nvarchar varying bit float double time timestamp
    datetime int integer bigint smallint tinyint varbinary unsigned signed""".split()  # noqa: SIM905 a list of words
)
