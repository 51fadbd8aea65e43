"""Write a CSV file as Parquet, types given: run by the environment that has DuckDB."""

import json
import sys

import duckdb

source, target, types = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
duckdb.execute(
    f"copy (from read_csv('{source}', header = true, columns = {types})) "
    f"to '{target}' (format parquet, compression zstd)"
)
