"""Run data-diff (and its fork) through its Python API, with the CLI's own steps.

The command line of both passes `--bisection-factor` on as text and dies of it, so the tuned
setting can only be given here. `diff_tables` is consumed to the end, as the CLI's `--stats` does.
"""

import argparse
import json

import data_diff
from data_diff import diff_tables
from data_diff.databases import connect
from data_diff.tracking import disable_tracking

parser = argparse.ArgumentParser()
parser.add_argument("left_url")
parser.add_argument("left_table")
parser.add_argument("right_url")
parser.add_argument("right_table")
parser.add_argument("--columns", required=True)
parser.add_argument("--algorithm", required=True)
parser.add_argument("--factor", type=int, required=True)
parser.add_argument("--threshold", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
asked = parser.parse_args()

disable_tracking()

# One connection pool for both sides is what makes `joindiff` possible.
first = connect(asked.left_url, asked.threads)
second = first if asked.right_url == asked.left_url else connect(asked.right_url, asked.threads)
segments = [
    data_diff.TableSegment(
        database,
        database.dialect.parse_table_name(table),
        ("id",),
        extra_columns=tuple(asked.columns.split(",")),
        case_sensitive=False,
    )
    for database, table in ((first, asked.left_table), (second, asked.right_table))
]
result = diff_tables(
    *segments,
    algorithm=data_diff.Algorithm(asked.algorithm),
    bisection_factor=asked.factor,
    bisection_threshold=asked.threshold,
    threaded=True,
    max_threadpool_size=asked.threads * 2,
)
signs: dict[object, str] = {}
for sign, values in result:
    signs[values[0]] = "!" if values[0] in signs else sign
counts = {kind: sum(1 for s in signs.values() if s == kind) for kind in "!-+"}
print(
    json.dumps(
        {
            "changed": counts["!"],
            "only_left": counts["-"],
            "only_right": counts["+"],
            "rows_fetched": result.stats.get("rows_downloaded"),
        }
    )
)
