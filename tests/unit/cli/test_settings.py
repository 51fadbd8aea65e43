from __future__ import annotations

from pathlib import Path

import pytest

from weighbridge import settings


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10MB", 10**7), ("2GiB", 2**31), ("1.5k", 1500), ("1 kib", 1024)],
)
def test_size(text: str, number: int) -> None:
    assert settings.size(text) == number


@pytest.mark.parametrize("text", ["", "MB", "-1", "1XB", "i", "1iB", "1e3", "ten"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        settings.size(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("90", 90),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("5µs", 5e-6),
        ("1h30min", 5400),
        ("2days", 172800),
    ],
)
def test_seconds(text: str, number: float) -> None:
    assert settings.seconds(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 apples", "5s!", "1..5s", "h1"])
def test_no_seconds(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|unknown unit"):
        settings.seconds(text)


def test_variable_by_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("value \n", encoding="utf-8")
    assert settings.variable_text("X", {"X_FILE": str(secret)}) == ("value ", "X_FILE")
    assert settings.variable_text("X", {}) is None
    with pytest.raises(ValueError, match="both set"):
        settings.variable_text("X", {"X": "a", "X_FILE": str(secret)})
    with pytest.raises(ValueError, match="cannot be read"):
        settings.variable_text("X", {"X_FILE": str(tmp_path / "gone")})


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda s: s.key)
def test_every_setting_has_its_words(setting: settings.Setting) -> None:
    assert setting.unit
    assert setting.meaning
    assert setting.variable.startswith(settings.PREFIX)
    if setting.default is not None and setting.default not in {True, False, ()}:
        assert setting.read(setting.default_text) == setting.default
