"""Whether a diff may look at a sample only: values in, the reason why not out.

Source: contract, B3: a sample is used as long as the rate of key errors in it (duplicate keys, and
keys of one side only) stays at or below the tolerance; else every row is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.report.words import plural, share

if TYPE_CHECKING:
    from weighbridge.compare.result import Report

Sampling = tuple[float | None, float | None, int | None]
# Percent. What holds where a request names only some of the three.
TOLERANCE, CONFIDENCE = 0.1, 99.0


def wished(sampling: Sampling) -> bool:
    """Tell whether a request asks for a sample at all."""
    return any(value is not None for value in sampling)


def tolerance_of(sampling: Sampling) -> float:
    """Give the rate of key errors that is borne, 0 to 1."""
    return (TOLERANCE if sampling[0] is None else sampling[0]) / 100


def confidence_of(sampling: Sampling) -> float:
    """Give the wished confidence, 0 to 1."""
    return (CONFIDENCE if sampling[1] is None else sampling[1]) / 100


def too_small(sampling: Sampling, rows: int | None) -> str | None:
    """Say why no sample is drawn; None if one may be. `rows`: those of the larger side."""
    if tolerance_of(sampling) == 0:
        return "Every row was compared: a sampling tolerance of 0 leaves nothing to a sample."
    threshold = sampling[2]
    if threshold is None:
        return None
    if rows is None:
        return "Every row was compared: nothing tells how many rows there are."
    if rows < threshold:
        return (
            f"Every row was compared: the larger side has about {plural(rows, 'row')}, fewer than"
            f" the sampling threshold of {threshold:,}."
        )
    return None


def too_faulty(sampling: Sampling, report: Report) -> str | None:
    """Say why a finished sample cannot stand for the whole; None if it can, or is the whole."""
    rate, tolerance = key_errors(report), tolerance_of(sampling)
    if report.sampling is None or rate <= tolerance:
        return None
    return (
        f"Every row was compared: in a sample of {plural(report.rows.left, 'row')}"
        f" {share(rate)} of the keys were duplicate or on one side only, more than the sampling"
        f" tolerance of {share(tolerance)}."
    )


def key_errors(report: Report) -> float:
    """Give the rate of rows whose key is null, duplicate or exclusive, on the worse side, 0 to 1."""
    keys, rows = report.keys, (report.rows.left, report.rows.right)
    wrong = [sum(side) for side in zip(keys.nulls, keys.dupes, keys.exclusives, strict=True)]
    return max(bad / max(of, 1) for bad, of in zip(wrong, rows, strict=True))
