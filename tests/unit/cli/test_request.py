"""What is typed, and what the library is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Command
from weighbridge.compare.request import Budget, SampleWish, Tolerance


@pytest.mark.parametrize(
    ("words", "name", "meant"),
    [
        (["-k", "a,b", "--key", "c"], "key", ("a", "b", "c")),
        (["--key-columns", '"a,b",c'], "key", ("a,b", "c")),
        (["-c", "col%", "-c", "x,y"], "columns", ("col%", "x", "y")),
        (["--exclude", "a, b"], "exclude", ("a", "b")),
        (["--map", "a=b", "--map", "x=y=z"], "rename", {"a": "b", "x=y": "z"}),
        (["--where", "a > 1"], "where", "a > 1"),
        (["-w", "a", "--left-where", "b"], "where", ("(a) AND (b)", "a")),
        (["--left-where", "b"], "where", ("b", None)),
        (["--right-query", "select 1"], "right_query", "select 1"),
        (
            ["--tolerance", "m=abs:0.01", "--tolerance", "r=rel:1e-3"],
            "tolerances",
            {"m": Tolerance("absolute", 0.01), "r": Tolerance("relative", 0.001)},
        ),
        (["--tolerance", "t=time:250ms"], "tolerances", {"t": Tolerance("time", 0.25)}),
        (["--tolerance", "t=time:1min"], "tolerances", {"t": Tolerance("time", 60)}),
        (["--rule", "n=case,trim", "--rule", "n=nfc"], "rules", {"n": ("case", "trim", "nfc")}),
        (["--sample"], "sample", SampleWish()),
        (["--sample", "1%", "--confidence", "95%"], "sample", SampleWish(0.01, confidence=0.95)),
        (["--sample", "0.5", "--sample-tolerance", "0.1%"], "sample", SampleWish(0.5, 0.001)),
        (["--strategy", "join"], "strategy", "join"),
        (["-a", "hashdiff"], "strategy", "checksum"),
        (["-a", "joindiff"], "strategy", "join"),
        (["--limit", "5"], "limit", 5),
        (["--stats"], "limit", 0),
        (
            ["--max-rows", "10_000", "--max-bytes", "2GiB", "--timeout", "1h30min"],
            "budget",
            Budget(10_000, 2 * 2**30, 5400.0),
        ),
        (["--no-snapshot"], "snapshot", False),
        (["--paranoid"], "paranoid", True),
        (["--recheck", "30"], "recheck", 30.0),
        ([], "key", None),
        ([], "where", None),
        ([], "sample", None),
        ([], "memory", 96 * 2**20),
    ],
)
def test_option_is_understood(command: Command, words: list[str], name: str, meant: Any) -> None:
    assert command("diff", "l.csv", "r.csv", *words).asked[name] == meant


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tolerance", "a"], "--tolerance: found 'a'"),
        (["--tolerance", "a=0.1"], "found '0.1'"),
        (["--tolerance", "a=abs:-1"], "at least 0"),
        (["--tolerance", "a=time:1parsec"], "unknown unit 'parsec'"),
        (["--tolerance", "a=abs:1", "--tolerance", "a=abs:2"], "given twice"),
        (["--map", "a"], "--map: found 'a'"),
        (["--key", "a,,b"], "empty name"),
        (["--sample", "2"], "at most 1"),
        (["--sample", "-1"], "--sample"),
        (["--confidence", "0.9"], "Add --sample"),
        (["--strategy", "fast"], "'fast' is not one of auto, checksum, stream, join"),
        (["--algorithm", "x"], "--algorithm"),
        (["--algorithm", "auto", "--strategy", "join"], "Keep --strategy"),
        (["--max-bytes", "10 potatoes"], "is not a size"),
        (["--timeout", "soon"], "not a length of time"),
        (["--output", "xls"], "'xls' is not one of table"),
        (["--json", "-o", "csv"], "Keep --output"),
        (["--left-query", "@gone.sql"], "gone.sql cannot be read"),
        (["--since", "2024-01-01"], "Add --updated-column"),
        (["--max-age", "1h", "--since", "2024", "-t", "u"], "--max-age and --since"),
        (["--max-age", "99999y", "-t", "u"], "too long ago"),
        (["--config", "gone.toml"], "gone.toml does not exist"),
    ],
)
def test_mistake_is_named(command: Command, words: list[str], said: str) -> None:
    ran = command("diff", "l.csv", "r.csv", *words)
    assert ran.code == 2
    assert said in ran.err
    assert not ran.asked


def test_query_is_read_from_a_file(command: Command) -> None:
    Path("q.sql").write_text("select 'ä'", encoding="utf-8")
    assert command("diff", "l", "r", "--left-query", "@q.sql").asked["left_query"] == "select 'ä'"


@pytest.mark.parametrize(
    ("words", "sides"),
    [
        (
            ["mysql://u:p@h/d", "t", "postgresql://h/e", "s.t"],
            ("mysql://u:p@h/d#t", "postgresql://h/e#s.t"),
        ),
        (["mysql://h/d", "a", "b"], ("mysql://h/d#a", "mysql://h/d#b")),
        (["prod", "a", "copy", "b"], ("prod:a", "copy:b")),
        (["mysql://h/d", "50%", "b"], ("mysql://h/d#50%25", "mysql://h/d#b")),
        (["a.csv", "b.csv"], ("a.csv", "b.csv")),
    ],
)
def test_forms_of_data_diff(command: Command, words: list[str], sides: tuple[str, str]) -> None:
    asked = command("diff", *words).asked
    assert (asked["left"], asked["right"]) == sides


def test_duckdb_url_of_data_diff(command: Command, tmp_path: Path) -> None:
    (tmp_path / "f.duckdb").touch()
    asked = command(
        "diff", "duckdb://main@f.duckdb", "a", f"duckdb://main:@{tmp_path}/f.duckdb", "b"
    ).asked
    assert asked["left"] == "duckdb:///f.duckdb#a"
    assert asked["right"] == f"duckdb:///{tmp_path}/f.duckdb#b"


def test_ages_count_back_in_utc(command: Command) -> None:
    asked = command("diff", "l", "r", "-t", "u", "--min-age", "5min", "--max-age", "1days").asked
    assert asked["updated_column"] == "u"
    assert asked["since"] < asked["until"]
    assert len(asked["since"]) == len("2024-01-01 00:00:00")


def test_idle_options_are_accepted_with_one_note(command: Command) -> None:
    words = ("-j", "4", "--bisection-factor", "32", "--bisection-threshold", "9", "--no-tracking")
    ran = command("diff", "l", "r", *words)
    assert ran.code == 0
    assert ran.err.count("note:") == 1
    assert "--bisection-factor" in ran.err
    assert not command("diff", "l", "r", *words, "-q").err


def test_option_beats_environment_beats_file_beats_default(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("diff", "l", "r").asked["limit"] == 100
    Path("weighbridge.toml").write_text(
        "[diff]\nlimit = 1\nexclude = ['a', 'b']\n", encoding="utf-8"
    )
    asked = command("diff", "l", "r").asked
    assert asked["limit"] == 1
    assert asked["exclude"] == ("a", "b")
    monkeypatch.setenv("WEIGHBRIDGE_LIMIT", "2")
    assert command("diff", "l", "r").asked["limit"] == 2
    assert command("diff", "l", "r", "--limit", "3").asked["limit"] == 3


def test_tolerances_of_the_file_are_overridden_per_column(command: Command) -> None:
    Path("weighbridge.toml").write_text(
        "[diff.tolerance]\na = 'abs:1'\nb = 'abs:1'\n[diff.rule]\nn = ['case', 'trim']\n",
        encoding="utf-8",
    )
    asked = command("diff", "l", "r", "--tolerance", "a=abs:2").asked
    assert asked["tolerances"] == {"a": Tolerance("absolute", 2), "b": Tolerance("absolute", 1)}
    assert asked["rules"] == {"n": ("case", "trim")}


def test_plain_password_of_a_used_connection_is_noted(command: Command) -> None:
    Path("weighbridge.toml").write_text(
        "[connections.prod]\nurl = 'mysql://u:pw123@h/d'\n", encoding="utf-8"
    )
    ran = command("diff", "prod:a", "r.csv")
    assert "'prod' is readable" in ran.err
    assert "pw123" not in ran.err
    assert "note" not in command("diff", "l.csv", "r.csv").err


def test_explain_asks_for_the_plan_only(command: Command) -> None:
    ran = command("diff", "l", "r", "--explain", answer="bug")
    assert ran.code == 0
    assert "No data query was run." in ran.out
    assert "1,000 rows left, unknown right" in ran.out
    assert "\x1b" not in ran.out
    assert '"strategy": "stream"' in command("diff", "l", "r", "--explain", "-o", "json").out
