from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import Command


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("same", 0),
        ("different", 1),
        ("unreachable", 3),
        ("unreadable", 4),
        ("bug", 4),
        ("over budget", 5),
    ],
)
def test_code_says_how_it_ended(command: Command, answer: str, code: int) -> None:
    assert command("diff", "l.csv", "r.csv", answer=answer).code == code


@pytest.mark.parametrize(
    "words",
    [
        ["diff"],
        ["diff", "one"],
        ["diff", "1", "2", "3", "4", "5"],
        ["diff", "l.csv", "r.csv", "--no-such-option"],
        ["diff", "l.csv", "r.csv", "--key"],
        ["diff", "l.csv", "r.csv", "--limit", "many"],
        ["no-such-command"],
    ],
)
def test_wrong_request_is_2_with_a_next_step(command: Command, words: list[str]) -> None:
    ran = command(*words)
    assert ran.code == 2
    assert "  next: " in ran.err
    assert "code: bad_argument" in ran.err
    assert not ran.asked
    assert not ran.out


def test_exit_zero_is_0_where_sides_differ_and_not_where_it_failed(command: Command) -> None:
    assert command("diff", "l", "r", "--exit-zero", answer="different").code == 0
    assert command("diff", "l", "r", "--exit-zero", answer="unreadable").code == 4


def test_a_fault_of_ours_is_said_to_be_one(command: Command) -> None:
    ran = command("diff", "l.csv", "r.csv", answer="bug")
    assert "This is a fault of weighbridge (ZeroDivisionError" in ran.err
    assert "code: internal" in ran.err
    assert "Traceback" not in ran.err
    assert "Traceback" in command("diff", "l.csv", "r.csv", "--debug", answer="bug").err


@pytest.mark.parametrize("answer", ["bug", "unreachable"])
@pytest.mark.parametrize("extra", [[], ["--debug"], ["-o", "json"]])
def test_no_secret_is_printed(command: Command, answer: str, extra: list[str]) -> None:
    sides = ("postgresql://u:hun%2Fter2@h/db?token=t0psecret#t", "r.csv")
    ran = command("diff", *sides, *extra, answer=answer)
    for secret in ("hun%2Fter2", "hun/ter2", "t0psecret"):
        assert secret not in ran.out + ran.err
    assert "postgresql://u:***@h/db" in ran.err


def test_control_codes_of_a_message_are_shown(command: Command) -> None:
    ran = command("diff", "l.csv", "r.csv", answer="unreadable")
    assert "\x1b" not in ran.err
    assert "Line 2␛[31m" in ran.err


def test_machines_get_the_error_as_json(command: Command) -> None:
    ran = command("diff", "l.csv", "r.csv", "-o", "json", answer="over budget")
    error = json.loads(ran.out)["error"]
    assert error["code"] == "over_budget"
    assert error["next_step"] == "Raise --max-rows."


def test_no_words_show_the_help(command: Command) -> None:
    ran = command()
    assert ran.code == 0
    assert "diff" in ran.out
    assert command("--version").out.startswith("weighbridge ")
    assert command("version").out == command("--version").out
