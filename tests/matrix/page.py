"""Write docs/reference/cases.md from the cases: `python -m tests.matrix.page`."""

from __future__ import annotations

from pathlib import Path

from tests.matrix.case import Case, holds
from tests.matrix.engines import CASES, VENDORS
from tests.matrix.not_holdable import NOT_HOLDABLE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cases.md"
HEAD = """# When two values are the same: the cases

Made from `tests/matrix` by `python -m tests.matrix.page`; a test holds it against the cases. Each
line is run on PostgreSQL against every other engine that can hold the values, and on each engine
against itself, in both directions. Keys, duplicates and row order are in `test_rows.py`, the traps
of hash functions in `test_hash_traps.py`.

`=` identical · `≈` identical under a rule, named and counted · `≠` different · `E` listed as not
compared, with the reason. The option is what the user asked for.

| case | what | option | verdict | otherwise | left held by | right held by |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """Write the whole page."""
    lines = [_line(case) for case in CASES]
    gaps = [
        f"| {name} | {case} | {reason} |"
        for name, vendor in VENDORS.items()
        for case, reason in vendor.gaps.items()
    ]
    missing = [f"| {case} | {reason} |" for case, reason in NOT_HOLDABLE.items()]
    return (
        HEAD
        + "\n".join(lines)
        + "\n\n## Known gaps\n\nStrict expected failures: when one closes, its test says so.\n\n"
        + "\n".join(["| engine | case | reason |", "|---|---|---|", *gaps])
        + "\n\n## Not held by any engine of this release\n\n"
        + "\n".join(["| case | reason |", "|---|---|", *missing])
        + "\n"
    )


def _line(case: Case) -> str:
    options = [f"`{rule}`" for rule in case.rules]
    options += [case.tolerance.label] if case.tolerance else []
    otherwise = [f"{v} with {e.replace(':', ' and ')}" for e, v in case.unless.items() if v != "-"]
    held = [", ".join(e for e in VENDORS if holds(v, e)) for v in (case.a, case.b)]
    about = case.about.replace("|", "\\|").replace("<", "&lt;").replace("\\N", "\\\\N")
    cells = (case.id, about, ", ".join(options), case.want, ", ".join(otherwise), *held)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page())
