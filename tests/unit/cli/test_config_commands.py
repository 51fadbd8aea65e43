from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command
from weighbridge.settings import SETTINGS

CONFIG = """
[connections.prod]
url = "postgresql://reader:hunter2@db/shop?sslpassword=t0p"
[diff]
limit = 7
"""


def test_every_value_names_its_origin(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("weighbridge.toml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("WEIGHBRIDGE_TIMEOUT", "5min")
    monkeypatch.setenv("NO_COLOR", "1")
    ran = command("config", "show", "--origin")
    assert ran.code == 0
    lines = {line.split(" ")[0]: line.partition("# ")[2] for line in ran.out.splitlines()}
    assert set(lines) >= {setting.key for setting in SETTINGS}
    assert all(lines.values())
    assert lines["limit"].startswith("file: ")
    assert lines["timeout"] == "environment: WEIGHBRIDGE_TIMEOUT"
    assert lines["strategy"] == "default"
    assert lines["connections.prod"].endswith("weighbridge.toml:2")
    assert "hunter2" not in ran.out
    assert "t0p" not in ran.out
    assert "#" not in command("config", "show").out


def test_connections_are_listed_without_secrets(command: Command) -> None:
    Path("weighbridge.toml").write_text(CONFIG, encoding="utf-8")
    ran = command("connections", "list")
    assert ran.out.startswith("prod\tpostgresql://reader:***@db/shop?sslpassword=***\t")


def test_mistake_in_the_file_is_reported(command: Command) -> None:
    Path("weighbridge.toml").write_text("[diff]\nlimitt = 7\n", encoding="utf-8")
    ran = command("config", "show")
    assert ran.code == 2
    assert "weighbridge.toml:2" in ran.err
    assert "Did you mean limit?" in ran.err


def test_mistake_in_the_environment_is_reported(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_LIMIT", "lots")
    ran = command("config", "show")
    assert ran.code == 2
    assert "environment: WEIGHBRIDGE_LIMIT" in ran.err
