"""Make the tables once, in each place that needs them, and read them into the caches."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tables
from server import Server, ServerError

HERE = Path(__file__).parent


@dataclass
class Store:
    """The places of a run: servers, the folder of files, and DuckDB's interpreter to write them."""

    servers: dict[str, Server]
    files: Path
    duckdb_python: Callable[[], Path]
    made: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def ensure(self, place: str, shape: str, rows: int, variant: str) -> str:
        """The table (or file) of a variant in a place; it is made when it is not there yet."""
        name = tables.table_name(shape, rows, variant)
        if place in ("parquet", "csv"):
            path = self.files / f"{name}.{place}"
            if not path.exists():
                _say(place, name)
                self._make_file(place, shape, rows, variant)
            return str(path)
        if (place, name) not in self.made:
            server = self.servers[place]
            if not server.has_table(name):
                _say(place, name)
                {"pg1": self._make_first, "pg2": self._copy_second, "mariadb": self._copy_mariadb}[
                    place
                ](shape, rows, variant)
            self.made.add((place, name))
        return name

    def drop(self, places: set[str]) -> None:
        """Take the tables away again from the servers that are not the bench's own."""
        for place, name in sorted(self.made):
            if place in places:
                self.servers[place].sql(f"drop table if exists {name}")

    def _make_first(self, shape: str, rows: int, variant: str) -> None:
        if variant == "left":
            select = tables.base_select(shape, 1, rows)
        else:
            self.ensure("pg1", shape, rows, "left")
            select = tables.variant_select(shape, rows, variant)
        name = tables.table_name(shape, rows, variant)
        server = self.servers["pg1"]
        # A name without its suffix means that the table is whole, whatever was interrupted.
        server.sql(f"drop table if exists {name}_new")
        server.sql(f"create table {name}_new as {select}")
        _finish(server, name)

    def _copy_second(self, shape: str, rows: int, variant: str) -> None:
        source = self.ensure("pg1", shape, rows, variant)
        first, second = self.servers["pg1"], self.servers["pg2"]
        columns = ", ".join(f"{c.name} {c.postgresql}" for c in tables.columns_of(shape))
        second.sql(f"drop table if exists {source}_new")
        second.sql(f"create table {source}_new (id bigint, {columns})")
        out = first.command(f"copy {source} to stdout (format binary)")
        into = second.command(f"copy {source}_new from stdin (format binary)")
        with subprocess.Popen(out, stdout=subprocess.PIPE) as reading:
            subprocess.run(into, stdin=reading.stdout, check=True)
        if reading.returncode:
            raise ServerError(f"copying {source} to the second server failed")
        _finish(second, source)

    def _copy_mariadb(self, shape: str, rows: int, variant: str) -> None:
        source = self.ensure("pg1", shape, rows, variant)
        server = self.servers["mariadb"]
        # COPY's text form is what LOAD DATA reads, but for booleans.
        picked = ", ".join(
            f"{c.name}::int" if c.postgresql == "boolean" else c.name
            for c in tables.columns_of(shape)
        )
        with tempfile.TemporaryDirectory(dir=self.files) as folder:
            text = Path(folder) / "rows.txt"
            copy = f"copy (select id, {picked} from {source} order by id) to stdout"
            with text.open("wb") as out:
                subprocess.run(self.servers["pg1"].command(copy), stdout=out, check=True)
            server.sql(f"drop table if exists {source}_new")
            server.sql(tables.mariadb_ddl(shape, f"{source}_new"))
            # Without these checks InnoDB loads an empty table in bulk, four times faster.
            server.sql(
                "set unique_checks = 0, foreign_key_checks = 0; load data local infile "
                f"'{text}' into table {source}_new character set utf8mb4; analyze table "
                f"{source}_new; rename table {source}_new to {source}"
            )

    def _make_file(self, kind: str, shape: str, rows: int, variant: str) -> None:
        source = self.ensure("pg1", shape, rows, variant)
        target = self.files / f"{source}.{kind}"
        # Booleans as words: every reader of CSV knows them, PostgreSQL's t and f only some.
        picked = ", ".join(
            f"{c.name}::text as {c.name}" if c.postgresql == "boolean" else c.name
            for c in tables.columns_of(shape)
        )
        with tempfile.TemporaryDirectory(dir=self.files) as folder:
            text, ready = Path(folder) / "rows.csv", Path(folder) / "ready"
            copy = f"copy (select id, {picked} from {source} order by id) to stdout"
            with text.open("wb") as out:
                command = self.servers["pg1"].command(f"{copy} (format csv, header)")
                subprocess.run(command, stdout=out, check=True)
            if kind == "parquet":
                types = json.dumps(tables.duckdb_types(shape))
                script = [str(self.duckdb_python()), str(HERE / "peers" / "to_parquet.py")]
                subprocess.run([*script, str(text), str(ready), types], check=True)
            (ready if kind == "parquet" else text).rename(target)

    def warm(self, place: str, name: str) -> None:
        """Read a table whole: a cold cache costs a factor of three to five."""
        if place in ("parquet", "csv"):
            with Path(name).open("rb", buffering=0) as file:
                while file.read(1 << 22):
                    pass
        elif place == "mariadb":
            self.servers[place].sql(
                f"select sum(crc32(name)) from {name}"
                if "narrow" in name
                else f"select sum(crc32(name0)) from {name}"
            )
        else:
            self.servers[place].sql(f"select bit_xor(hash_record_extended(t, 0)) from {name} as t")

    def warm_all(self, wanted: list[tuple[str, str]]) -> None:
        threads = [threading.Thread(target=self.warm, args=pair) for pair in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _finish(server: Server, name: str) -> None:
    server.sql(f"alter table {name}_new add primary key (id)")
    server.sql(f"vacuum (analyze, freeze) {name}_new")
    server.sql(f"alter table {name}_new rename to {name}")


def _say(place: str, name: str) -> None:
    print(f"  making {name} in {place}", flush=True)
