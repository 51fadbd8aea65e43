"""The engines of the matrix: two PostgreSQL servers that differ, a MariaDB, and a folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import servers
from tests.matrix import postgresql
from tests.matrix.engines import Engines
from weighbridge.compare import assemble


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the explanations away: a hundred columns that differ are no verdict."""
    monkeypatch.setattr(assemble, "explanations", lambda *_: ())


@pytest.fixture(scope="session")
def engines(
    postgres: str, postgres2: str, mariadb: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engines]:
    """Give every engine, each with an empty database or folder."""
    folder = str(tmp_path_factory.mktemp("matrix"))
    with (
        servers.fresh_postgres(postgres) as first,
        servers.fresh_postgres(postgres2) as second,
        servers.fresh_mariadb(mariadb) as third,
    ):
        places = dict.fromkeys(("duckdb", "sqlite", "parquet", "csv"), (folder, folder))
        yield Engines(
            {
                **places,
                "postgresql": (postgresql.prepare(first), postgresql.prepare(second)),
                "mariadb": (third, third),
            }
        )
