"""The pages as the tests see them: links, fenced blocks, and what a block asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
)

_FENCE = re.compile(r"^```(\w*)(.*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_COMMENT = re.compile(r"^<!-- (.+?) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block. `note` is the comment that stands right before it, `line` counts from 1."""

    kind: str
    title: str | None
    note: str | None
    line: int
    text: str

    @property
    def needs_servers(self) -> bool:
        return self.note == "needs: servers"

    @property
    def printed_elsewhere(self) -> bool:
        """Tell whether a test of its own runs the command."""
        return bool(self.note and self.note.startswith("printed by: "))

    @property
    def gap(self) -> str | None:
        """Why the example does not run yet, as a fact that a strict expected failure watches."""
        return (
            self.note.removeprefix("gap: ") if self.note and self.note.startswith("gap: ") else None
        )


def blocks(page: Path) -> list[Block]:
    """List a page's fenced blocks in order."""
    found: list[Block] = []
    note: str | None = None
    opened: tuple[str, str | None, int] | None = None
    held: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is not None:
            if fence and not fence[1]:
                found.append(Block(opened[0], opened[1], note, opened[2], "\n".join(held)))
                opened, note, held = None, None, []
            else:
                held.append(line)
        elif fence:
            title = _TITLE.search(fence[2])
            opened = (fence[1], title[1] if title else None, number)
        elif comment := _COMMENT.match(line):
            note = comment[1]
        elif line.strip():
            note = None
    assert opened is None, f"{page}: a fence is not closed"
    return found


def prose(page: Path) -> str:
    """Give a page without its fenced blocks and code spans."""
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> list[str]:
    """List the targets of a page's links."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """Give the fragments that a page can be opened at."""
    text = page.read_text(encoding="utf-8")
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))
