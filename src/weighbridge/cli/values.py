"""Words of the command line as values.

Each mistake names the option, what was found, and a form that would do.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from weighbridge import settings
from weighbridge.compare.request import SampleWish, Tolerance
from weighbridge.errors import BadArgument

T = TypeVar("T")

AUTO = "auto"
_MODES = {
    "abs": "absolute",
    "absolute": "absolute",
    "rel": "relative",
    "relative": "relative",
    "time": "time",
}


def read(option: str, text: str, reader: Callable[[str], T]) -> T:
    """Read an option's text. Raises BadArgument that names the option."""
    try:
        return reader(text)
    except ValueError as error:
        raise BadArgument(
            f"{option}: {error}.", next_step="`weighbridge diff --help` shows what it takes."
        ) from None


def optional(option: str, text: str | None, reader: Callable[[str], T]) -> T | None:
    """Read an option's text, if it was given."""
    return None if text is None else read(option, text, reader)


def names(option: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Read lists of column names: repeated, or with commas; quote a name that has a comma."""
    found: list[str] = []
    for text in texts:
        parts = next(csv.reader([text], skipinitialspace=True), [])
        found.extend(part.strip() for part in parts)
    if not all(found):
        raise BadArgument(
            f"{option}: found an empty name.",
            next_step='Write a,b or repeat the option: "a,b" is one name.',
        )
    return tuple(dict.fromkeys(found))


def pairs(option: str, texts: Iterable[str], form: str) -> dict[str, str]:
    """Read `COL=value` pairs; the last `=` divides, for a column's name may hold one."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise BadArgument(f"{option}: found {text!r}.", next_step=f"Write it as {form}.")
        if name.strip() in found:
            raise BadArgument(
                f"{option}: the column {name.strip()!r} is given twice.",
                next_step="Keep one of the two.",
            )
        found[name.strip()] = value.strip()
    return found


def tolerances(option: str, texts: Iterable[str]) -> dict[str, Tolerance]:
    """Read `COL=abs:0.01`, `COL=rel:0.001`, `COL=time:1s`."""
    given = pairs(option, texts, "COL=abs:0.01, COL=rel:0.001 or COL=time:1s")
    return {name: _tolerance(option, name, text) for name, text in given.items()}


def _tolerance(option: str, name: str, text: str) -> Tolerance:
    mode, _, amount = text.partition(":")
    where = f"{option} for {name!r}"
    match _MODES.get(mode.strip().lower()):
        case "time":
            return Tolerance("time", read(where, amount, settings.seconds))
        case "relative":
            return Tolerance("relative", read(where, amount, _amount))
        case "absolute":
            return Tolerance("absolute", read(where, amount, _amount))
        case _:
            raise BadArgument(
                f"{where}: found {text!r}.",
                next_step="Write abs:0.01 (units), rel:0.001 (share of the right value) or time:1s.",
            )


def rules(option: str, texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read `COL=case,trim`; a column that is given twice gathers its rules."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        for name, listed in pairs(option, [text], "COL=case,trim").items():
            found[name] = (*found.get(name, ()), *names(option, [listed]))
    return found


def sample(rate: str | None, tolerance: str | None, confidence: str | None) -> SampleWish | None:
    """Read the three options of a sample."""
    if rate is None:
        if tolerance is not None or confidence is not None:
            raise BadArgument(
                "--sample-tolerance and --confidence say how to sample, and --sample is not given.",
                next_step="Add --sample.",
            )
        return None
    plain = SampleWish()
    return SampleWish(
        None if rate == AUTO else read("--sample", rate, share),
        plain.tolerance if tolerance is None else read("--sample-tolerance", tolerance, share),
        plain.confidence if confidence is None else read("--confidence", confidence, share),
    )


def share(text: str) -> float:
    """Read a share above 0 and below or equal to 1: 0.01, 1%."""
    plain = text.strip()
    try:
        value = float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)
    except ValueError:
        raise ValueError(f"{text!r} is not a share; write 0.01 or 1%") from None
    if not 0 < value <= 1:
        raise ValueError(f"{text!r} is not above 0 and at most 1; write 0.01 or 1%")
    return value


def looks_like_a_share(text: str) -> bool:
    """Tell whether a word after `--sample` is its rate."""
    try:
        share(text)
    except ValueError:
        return text.replace(".", "", 1).rstrip("%").lstrip("-").isdigit()
    return True


def query(option: str, text: str | None) -> str | None:
    """Read SQL, or `@file.sql`."""
    if text is None or not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise BadArgument(
            f"{option}: the file {text[1:]} cannot be read: {reason}.",
            next_step="Correct the path after @.",
        ) from None


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is not a number of at least 0")
    return value
