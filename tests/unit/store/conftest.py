"""One server of ours for all tests of a module: each test leaves rows, none leaves a wrong shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import House, a_house


@pytest.fixture(scope="module")
def ground(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a server of ours on a database that the module's tests share."""
    folder: Path = tmp_path_factory.mktemp("ground")
    with a_house(postgres, folder) as opened:
        yield opened
