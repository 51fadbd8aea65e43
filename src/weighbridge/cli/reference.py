"""The parts of docs/reference that are made from the code, so that they cannot lie.

`python -m weighbridge.cli.reference docs/reference` brings them up to date; a test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from typer.main import get_command

import weighbridge.errors as tree
from weighbridge import settings
from weighbridge.cli.app import NAME, app
from weighbridge.cli.faults import TURN, Internal
from weighbridge.cli.flags import DataDiffFlags

_BLOCK = re.compile(r"(<!-- made from the code: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(text: str) -> str:
    """Give a page with its made parts made anew."""
    makers = {
        "commands": _commands,
        "data_diff": _data_diff,
        "settings": _settings,
        "foreign": _foreign,
        "server": _server,
        "exit_codes": _exit_codes,
        "errors": _errors,
    }
    return _BLOCK.sub(lambda found: f"{found[1]}\n{makers[found[2]]()}\n{found[3]}", text)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _commands() -> str:
    return "\n".join(_command_pages(get_command(app), NAME))


def _command_pages(command: Any, path: str) -> Iterator[str]:
    subcommands = cast("dict[str, Any]", getattr(command, "commands", {}))
    arguments = [p.metavar for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([path, *arguments, "COMMAND" if subcommands else "", "[OPTIONS]"])
    yield f"## `{path}`\n\n{_paragraphs(command.help)}\n\n```text\n{' '.join(usage.split())}\n```\n"
    theirs = _data_diff_names()
    rows = [p for p in command.params if not getattr(p, "hidden", False) and p.name not in theirs]
    yield _table(("option", "meaning"), iter([_parameter(p) for p in rows] + [_HELP]))
    for name, sub in subcommands.items():
        yield from _command_pages(sub, f"{path} {name}")


_HELP = ("`--help`, `-h`", "Show this message and exit.")


def _paragraphs(text: str | None) -> str:
    parts = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(" ".join(part.split()) for part in parts)


def _parameter(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`", _cell(parameter.help)
    names = sorted([*parameter.opts, *parameter.secondary_opts], key=lambda n: n.startswith("--"))
    longs = sorted(names, key=lambda name: not name.startswith("--"))
    metavar = f" `{_cell(parameter.metavar)}`" if parameter.metavar else ""
    return ", ".join(f"`{name}`" for name in longs) + metavar, _cell(parameter.help or "")


def _data_diff_names() -> set[str]:
    return {field.name for field in fields(DataDiffFlags)}


def _data_diff() -> str:
    command = cast("Any", get_command(app)).commands["diff"]
    theirs = _data_diff_names()
    rows = [_parameter(p) for p in command.params if p.name in theirs]
    idle = [p.opts[0] for p in command.params if getattr(p, "hidden", False)]
    table = _table(("option", "meaning"), iter(rows))
    return f"{table}\nAccepted, and without effect: {', '.join(f'`{n}`' for n in idle)}.\n"


def _settings() -> str:
    rows = (
        (
            f"`{s.key}`" if s.in_file else "",
            f"`{s.variable}`",
            f"`{s.option}`" if s.option else "",
            s.unit,
            s.default_text,
            s.meaning,
        )
        for s in settings.SETTINGS
    )
    return _table(("in `[diff]`", "environment", "option", "unit", "default", "meaning"), rows)


def _foreign() -> str:
    return _table(
        ("variable", "value", "meaning"),
        ((f"`{name}`", unit, meaning) for name, unit, meaning in settings.FOREIGN),
    )


def _server() -> str:
    return _table(
        ("variable", "value", "meaning"),
        ((f"`{name}`", unit, meaning) for name, unit, meaning in settings.SERVER),
    )


def _exit_codes() -> str:
    told = {
        0: "the sides are the same, under rules or in a sample, too; with `--exit-zero`: they differ",
        1: "the sides differ",
        130: "Ctrl-C",
    }
    by_code: dict[int, list[str]] = {}
    for kind in _tree():
        by_code.setdefault(kind.exit_code, []).append(f"`{kind.code}`")
    told |= {code: ", ".join(codes) for code, codes in by_code.items()}
    return _table(("exit code", "when"), ((str(c), told[c]) for c in sorted(told)))


def _errors() -> str:
    rows = (
        (
            f'<a id="{kind.code}"></a>`{kind.code}`',
            str(kind.exit_code),
            TURN[kind.blame],
            "yes" if kind.retry else "no",
            " ".join((kind.__doc__ or "").split("\n")[0].split()),
        )
        for kind in _tree()
    )
    return _table(("code", "exit code", "whose turn", "worth a retry", "meaning"), rows)


def _tree() -> list[type[tree.WeighbridgeError]]:
    kinds = [getattr(tree, name) for name in tree.__all__]
    ours = [k for k in kinds if isinstance(k, type) and issubclass(k, tree.WeighbridgeError)]
    named = [k for k in ours if k is not tree.WeighbridgeError]
    return sorted([*named, Internal], key=lambda kind: (kind.exit_code, kind.code))


def main(folder: Path) -> None:
    """Bring every page of a folder up to date."""
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        fresh = refresh(text)
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            print(f"made anew: {page}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
