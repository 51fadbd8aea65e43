"""The tree of errors: each class says its code, whose turn it is, and what to do next."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from typing import get_args

import pytest

import weighbridge
from weighbridge import errors

ROOT = Path(__file__).resolve().parents[2]
EXIT_CODES = {
    errors.RequestError: 2,
    errors.ConnectionFailed: 3,
    errors.RunFailed: 4,
    errors.Stopped: 5,
}


def _classes() -> list[type[errors.WeighbridgeError]]:
    """List every class of the tree, also those that other rooms derive."""
    for module in pkgutil.walk_packages(weighbridge.__path__, "weighbridge."):
        # Alembic runs its environment; nobody imports it.
        if not module.name.endswith(("__main__", "migrations.env")):
            importlib.import_module(module.name)
    found: list[type[errors.WeighbridgeError]] = []
    waiting = [errors.WeighbridgeError]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return found


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_class_is_whole(kind: type[errors.WeighbridgeError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.blame in get_args(errors.Blame)
    assert kind.__doc__
    parent = next((p for p in EXIT_CODES if issubclass(kind, p)), None)
    assert kind.exit_code == (EXIT_CODES[parent] if parent else 4)
    body = kind("Found a.", next_step="Do b.").as_dict()
    assert set(body) == {"code", "blame", "retry", "message", "next_step"}
    if kind is not errors.WeighbridgeError:
        assert kind.code in (ROOT / "docs/reference/exit-codes.md").read_text()


def test_codes_are_told_apart() -> None:
    codes = [kind.code for kind in _classes()]
    assert len(set(codes)) == len(codes)


def test_every_error_that_is_raised_gives_a_next_step() -> None:
    names = {kind.__name__ for kind in _classes()}
    seen = 0
    for file in (ROOT / "src/weighbridge").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            if called not in names:
                continue
            seen += 1
            steps = [k.value for k in node.keywords if k.arg == "next_step"]
            assert steps, f"{file}:{node.lineno} gives no next step"
            text = steps[0].value if isinstance(steps[0], ast.Constant) else "given later."
            assert str(text).strip().endswith((".", "?")), f"{file}:{node.lineno}: {text}"
    assert seen > 50
