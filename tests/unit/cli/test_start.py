"""Starting is quick, and loads nothing that it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("duckdb", "pyarrow", "rich", "sqlglot", "psycopg", "pydantic", "numpy", "tomllib")


@pytest.mark.parametrize(
    ("words", "allowed"),
    # typer reads the switches of a command by pydantic.
    [(["--help"], []), (["diff", "--help"], ["pydantic"])],
)
def test_help_loads_nothing_heavy(words: list[str], allowed: list[str]) -> None:
    code = (
        "import sys\nfrom weighbridge.cli import main\n"
        f"try: main({words!r})\n"
        f"finally: print([m for m in {HEAVY!r} if sys.modules.get(m)], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == str(allowed)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "weighbridge.toml").write_text(
        "[connections.prod]\nurl = 'mysql://h/d'\n[connections.copy]\nurl = 'mysql://h/e'\n",
        encoding="utf-8",
    )
    (tmp_path / "profits.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _completed(shell: str, line: str) -> str:
    environ = {
        "_WEIGHBRIDGE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    assert not done.stderr
    return done.stdout


def test_tab_loads_nothing_heavy(project: Path) -> None:
    code = (
        "import sys\nfrom weighbridge.cli import main\n"
        f"try: main()\nfinally: print([m for m in {HEAVY!r} if sys.modules.get(m)], file=sys.stderr)"
    )
    environ = {
        "_WEIGHBRIDGE_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "weighbridge diff a.csv --",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    assert "--tolerance" in done.stdout
    assert done.stderr.strip() == "['pydantic']"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab_offers_connections_files_and_options(project: Path, shell: str) -> None:
    sides = _completed(shell, "weighbridge diff pro")
    assert "prod" in sides
    assert "profits.csv" in sides
    assert "copy" not in sides
    assert "--tolerance" in _completed(shell, "weighbridge diff a.csv b.csv --tol")
    assert "junit" in _completed(shell, "weighbridge diff a.csv b.csv -o ju")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_shown(shell: str) -> None:
    environ = {**os.environ, "_WEIGHBRIDGE_COMPLETE": f"source_{shell}"}
    done = subprocess.run(
        [sys.executable, "-m", "weighbridge"],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert "weighbridge" in done.stdout
