"""A dbt project as `dbt run` leaves it behind: one model, built in the schema `dev`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

UNIQUE_ID = "model.shop.orders"
# Of 100 rows in production 2 are gone and 10 of the others changed; 1 is new. `code` is of another type.
DIFFERENT = """
create schema prod;
create schema dev;
create table prod.orders (id int primary key, status text, total numeric(9, 2), code int, old_one int);
create table dev.orders (id int primary key, status text, total numeric(9, 2), code bigint, new_one int);
insert into prod.orders select i, 'paid', i * 1.5, i, 1 from generate_series(1, 100) i;
insert into dev.orders select i, case when i % 10 = 0 then 'open' else 'paid' end, i * 1.5, i, 2
    from generate_series(3, 101) i;
"""
SAME = """
create schema prod;
create schema dev;
create table prod.orders (id int primary key, status text);
insert into prod.orders select i, 'paid' from generate_series(1, 50) i;
create table dev.orders as table prod.orders;
"""


def make_tables(url: str, statements: str) -> None:
    """Run statements on a fresh database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())


def make_project(
    folder: Path, url: str, *, source: int | None, key: str | None = "id", meta: Any = None
) -> Path:
    """Write `dbt_project.yml` and `target/`; the model is the table `orders` of a database."""
    database = urlsplit(url).path.lstrip("/")
    variables = f"    prod_database: {database}\n    prod_schema: prod\n"
    if source is not None:
        variables += f"    datasource_id: {source}\n"
    (folder / "target").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(
        f"name: shop\nversion: '1.0'\nprofile: shop\nvars:\n  data_diff:\n{variables}"
    )
    metadata = {"dbt_version": "1.7.20", "project_id": "p", "user_id": "u"}
    columns = {
        name: {"name": name, "meta": {}, "tags": ["primary-key"] if name == key else []}
        for name in ("id", "status")
    }
    node = {
        "unique_id": UNIQUE_ID, "resource_type": "model", "name": "orders", "alias": "orders",
        "database": database, "schema": "dev", "columns": columns,
        "meta": {"datafold": {"datadiff": meta}} if meta else {},
        "config": {"database": None, "schema": None, "tags": []},
        "tags": [], "test_metadata": None, "depends_on": {"macros": [], "nodes": []},
    }  # fmt: skip
    results = [{"unique_id": UNIQUE_ID, "status": "success"}]
    written = {
        "manifest.json": {"metadata": metadata, "nodes": {UNIQUE_ID: node}},
        "run_results.json": {"metadata": metadata, "results": results},
    }
    for name, body in written.items():
        (folder / "target" / name).write_text(json.dumps(body))
    return folder
