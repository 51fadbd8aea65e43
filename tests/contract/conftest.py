"""A listening server, a database with tables that differ in known ways, and real clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.conftest import source_body
from tests.clients.dbt_project import make_tables
from tests.docs.pages import DOCS
from weighbridge.cli.app import _MODEST

if TYPE_CHECKING:
    from tests.listening import Listening

Stored = Callable[[str], int]
PAGE = DOCS / "how-to" / "use-datafold-clients.md"
# What the page says that a client's key must be good for: what `keys create` gives without words.
NEEDED = _MODEST


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """Give a server that listens, for the tests of one file."""
    from tests.listening import listening  # noqa: PLC0415 the web's libraries are for these alone

    with listening(postgres, tmp_path_factory.mktemp("server")) as opened:
        yield opened


@pytest.fixture
def stored(server: Listening, fresh_postgres: str) -> Stored:
    """Make tables in a fresh database, and give the number of the stored connection to it."""

    def make(statements: str) -> int:
        make_tables(fresh_postgres, statements)
        name = fresh_postgres.rpartition("/")[2]
        body = source_body(fresh_postgres, name)
        answer = server.house.client().post("/data_sources", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    return make


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give the place of a dbt project that is not there yet."""
    return tmp_path / "project"


def figures(printed: str) -> dict[str, list[str]]:
    """Take the table of rows apart that both clients print: name → its figures."""
    names = ("Total", "Added", "Removed", "Different", "Unchanged")
    lines = [line.split() for line in printed.splitlines()]
    return {words[0]: words[1:] for words in lines if words and words[0] in names}
