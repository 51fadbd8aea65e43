"""datacompy on polars, with only the counts asked for: its report costs extra and is left out."""

import json
import sys

import polars as pl
from datacompy.polars import PolarsCompare


def read(path: str) -> pl.DataFrame:
    if path.endswith(".csv"):
        return pl.read_csv(path, try_parse_dates=True)
    return pl.read_parquet(path)


left, right = read(sys.argv[1]), read(sys.argv[2])
compare = PolarsCompare(left, right, join_columns="id")
both = compare.intersect_rows.height
print(
    json.dumps(
        {
            "changed": both - compare.count_matching_rows(),
            "only_left": compare.df1_unq_rows.height,
            "only_right": compare.df2_unq_rows.height,
        }
    )
)
