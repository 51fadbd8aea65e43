"""The limit for files: DuckDB's bare full outer join, counting and nothing else."""

import json
import sys

import duckdb

left, right = sys.argv[1], sys.argv[2]
types = json.loads(sys.argv[3])


def source(path: str) -> str:
    """The types of a CSV are told: guessing them is not part of the bare join."""
    return f"read_csv('{path}', columns = {types})" if path.endswith(".csv") else f"'{path}'"


differs = " or ".join(f"l.{c} is distinct from r.{c}" for c in types if c != "id")
row = duckdb.execute(
    f"""select count(*) filter (where l.id is not null and r.id is not null and ({differs})),
               count(*) filter (where r.id is null), count(*) filter (where l.id is null)
        from {source(left)} as l full outer join {source(right)} as r on l.id = r.id"""
).fetchone()
assert row is not None
print(json.dumps({"changed": row[0], "only_left": row[1], "only_right": row[2]}))
