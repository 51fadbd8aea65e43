from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake import FakeEngine
from weighbridge.cli import main
from weighbridge.settings import FOREIGN, PREFIX


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    asked: dict[str, Any]


Command = Callable[..., Ran]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Command:
    """Run the command in an empty folder, on an engine that answers `answer`."""
    for name in list(os.environ):
        if name.startswith(PREFIX) or name in {foreign for foreign, _, _ in FOREIGN}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, answer: str = "same") -> Ran:
        engine = FakeEngine(answer)
        with pytest.raises(SystemExit) as left:
            main(words, engine=engine)
        out, err = capfdbinary.readouterr()
        code = left.value.code
        assert isinstance(code, int)
        return Ran(code, out.decode(), err.decode(), engine.asked)

    return run
