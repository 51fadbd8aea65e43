from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.unit.cli.conftest import Command


def test_json_is_the_result_alone(command: Command) -> None:
    ran = command("diff", "l", "r", "-o", "json", answer="different")
    assert json.loads(ran.out)["verdict"] == "different"
    assert not ran.err


def test_ndjson_has_every_row(command: Command) -> None:
    ran = command("diff", "l", "r", "--json", answer="many")
    assert len(ran.out.splitlines()) == 200_000


def test_format_comes_from_the_ending(command: Command) -> None:
    ran = command("diff", "l", "r", "--out", "a.ndjson", answer="different")
    assert json.loads(Path("a.ndjson").read_text(encoding="utf-8"))["kind"] == "changed"
    assert ran.out.startswith("≠ DIFFERENT: 1 of 3 rows changed")
    assert ran.out.count("\n") == 1


def test_quiet_prints_nothing_of_itself(command: Command) -> None:
    assert not command("diff", "l", "r", "-q", answer="different").out
    assert not command("diff", "l", "r", "-q", "--out", "a.json", answer="different").out
    assert command("diff", "l", "r", "-q", "-o", "json", answer="different").out


@pytest.mark.parametrize(("out", "said"), [("gone/a.json", "does not exist"), (".", "is a folder")])
def test_bad_target_is_refused_before_the_work(command: Command, out: str, said: str) -> None:
    ran = command("diff", "l", "r", "--out", out)
    assert ran.code == 2
    assert said in ran.err
    assert not ran.asked


def test_parquet_to_a_file(command: Command) -> None:
    assert command("diff", "l", "r", "--out", "a.parquet", answer="different").code == 1
    assert pyarrow.parquet.read_table("a.parquet").num_rows == 1


def test_missing_folder_for_temporary_files(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_TMPDIR", "/no/such/folder")
    ran = command("diff", "l", "r")
    assert ran.code == 2
    assert "WEIGHBRIDGE_TMPDIR" in ran.err


def test_github_gets_an_annotation_and_a_summary(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("weighbridge.report.as_markdown")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    ran = command("diff", "l", "r", "-o", "json", answer="different")
    assert "::error title=weighbridge::≠ DIFFERENT" in ran.err
    json.loads(ran.out)
    assert "DIFFERENT" in (tmp_path / "summary.md").read_text(encoding="utf-8").upper()


def test_annotation_cannot_be_forged(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ran = command("diff", "l", "r", answer="unreadable")
    line = next(line for line in ran.err.splitlines() if line.startswith("::error"))
    assert line.startswith("::error title=weighbridge unreadable::left.csv is not CSV.%0A")
