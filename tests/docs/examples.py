"""Runs a page's `console` and `python` blocks, and compares what they print with what is shown.

A line `…` stands for any number of lines, a `…` inside a line for any text. Blocks with a title are
written to files first; the files of `docs/start.md` are there for every page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import DOCS, Block, blocks

_MARK = "\x1e"


@dataclass
class Folder:
    """Where a page's examples run, and with which variables."""

    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        ours = {
            k: v for k, v in os.environ.items() if not k.startswith(("WEIGHBRIDGE_", "GITHUB_"))
        }
        scripts = str(Path(sys.executable).parent)
        return (
            ours
            | {
                "PATH": f"{scripts}:{os.environ['PATH']}",
                "COLUMNS": "100",
                "LC_ALL": "C.UTF-8",
                "PYTHONUTF8": "1",
            }
            | self.environ
        )


def write_files(page: Path, folder: Folder, *, servers: bool) -> None:
    """Write the blocks that are files."""
    for source in dict.fromkeys([DOCS / "start.md", page]):
        for block in blocks(source):
            if block.title and block.title != "output" and (servers or not block.needs_servers):
                (folder.path / block.title).write_text(block.text + "\n", encoding="utf-8")


def run_page(page: Path, folder: Folder, *, servers: bool, gaps: bool = False) -> int:
    """Run a page's examples in order, or its gaps alone; give how many ran."""
    ran = 0
    listed = blocks(page)
    for at, block in enumerate(listed):
        if block.kind not in {"console", "python"} or block.needs_servers > servers:
            continue
        if (block.gap is not None) is not gaps or block.printed_elsewhere:
            continue
        where = f"{page.relative_to(DOCS.parent)}:{block.line}"
        if block.kind == "console":
            _run_console(block, folder, where)
        else:
            following = listed[at + 1] if at + 1 < len(listed) else None
            shown = following.text if following and following.title == "output" else None
            _run_python(block, shown, folder, where)
        ran += 1
    return ran


def _run_console(block: Block, folder: Folder, where: str) -> None:
    commands: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            assert commands, f"{where}: output before the first command"
            commands[-1][1].append(line)
    script = "".join(f"{{ {command}; }} 2>&1\nprintf '\\n{_MARK}'\n" for command, _ in commands)
    ended = _run(["bash", "-c", script], folder)
    printed = ended.stdout.split(_MARK)
    for (command, shown), got in zip(commands, printed, strict=False):
        assert_shown("\n".join(shown), got, f"{where}: $ {command}")


def _run_python(block: Block, shown: str | None, folder: Folder, where: str) -> None:
    ended = _run([sys.executable, "-c", block.text], folder)
    assert ended.returncode == 0, f"{where}\n{ended.stderr}"
    if shown is not None:
        assert_shown(shown, ended.stdout, where)


def _run(command: list[str], folder: Folder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder.path,
        env=folder.variables(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_shown(shown: str, printed: str, where: str) -> None:
    """Check that what a page shows is what was printed."""
    pattern = ""
    for line in shown.splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r".*?".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n"
    text = "\n".join(line.rstrip() for line in printed.splitlines()).strip("\n") + "\n"
    if not shown.strip():
        text = text.strip("\n")
    assert re.fullmatch(pattern, text), f"{where}\n--- shown\n{shown}\n--- printed\n{text}"
