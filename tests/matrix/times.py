"""Dates, times, moments and durations."""

from __future__ import annotations

from tests.matrix.case import (
    DIFFERENT,
    RULE,
    SAME,
    Case,
    Values,
    date,
    instant,
    integer,
    literal,
    moment,
    only,
    text,
    without,
)
from weighbridge.compare.request import Tolerance

NOON = "2024-01-01 10:00:00"
TYPED = ("postgresql", "mariadb", "duckdb")
LOCAL: Values = {
    "postgresql": ("timestamptz", "'2024-01-01 12:00:00+02'"),
    "mariadb": ("timestamp(6) null", "'2024-01-01 10:00:00'"),
    "duckdb": ("TIMESTAMPTZ", "'2024-01-01 12:00:00+02'"),
}
NANOS: Values = {"duckdb": ("TIMESTAMP_NS", "'2024-01-01 00:00:00.123456001'")}
NULL_DATE: Values = {
    "postgresql": ("date", None),
    "mariadb": ("date", None),
    "duckdb": ("DATE", None),
    "csv": ("text", None),
}
ZERO: Values = {"mariadb": ("date", "'0000-00-00'")}
ZERO_TIME: Values = {"mariadb": ("datetime(6)", "'0000-00-00 00:00:00'")}
LEAP: Values = {
    "postgresql": ("text", "'2016-12-31 23:59:60'"),
    "csv": ("text", "2016-12-31 23:59:60"),
}


def _for_ever(sign: str = "") -> Values:
    return {
        "postgresql": ("timestamp", literal(f"{sign}infinity")),
        "duckdb": ("TIMESTAMP", literal(f"{sign}infinity")),
        "parquet": None,
    }


def _before_christ(value: str) -> Values:
    return {
        "postgresql": ("timestamp", literal(f"{value} BC")),
        "duckdb": ("TIMESTAMP", literal(value.replace(" ", " (BC) "))),
    }


def _time(value: str, *, csv: bool = True) -> Values:
    held: Values = {
        "postgresql": ("time", literal(value)),
        "mariadb": ("time(6)", literal(value)),
        "duckdb": ("TIME", literal(value)),
    }
    return {**held, "csv": ("text", value)} if csv else held


def _span(postgres: str, duckdb: str) -> Values:
    return {
        "postgresql": ("interval", literal(postgres)),
        "duckdb": ("INTERVAL", literal(duckdb)),
        "parquet": None,
    }


# A case is a line.
# fmt: off
CASES = (
    Case("T1", "12:00+02 and 10:00", LOCAL, without(moment(NOON), "csv"), RULE, rule="utc"),
    Case("T1 csv", "12:00+02 written in a CSV", LOCAL, {"csv": ("text", "2024-01-01 12:00:00+02")}, SAME),
    Case("T1 off", "12:00+02 and 12:00", LOCAL, without(moment("2024-01-01 12:00:00"), "csv"), DIFFERENT),
    Case("T2", "one moment, sessions in other time zones", instant(NOON), instant(NOON), SAME),
    Case("T2 next", "a microsecond apart", instant(NOON), instant("2024-01-01 10:00:00.000001"), DIFFERENT),
    Case("T3", ".123456 and .123", without(moment("2024-01-01 00:00:00.123456"), "csv"), without(moment("2024-01-01 00:00:00.123", 3), "csv"), RULE, rule="3 fractional"),
    Case("T3 off", ".123456 and .124", without(moment("2024-01-01 00:00:00.123456"), "csv"), without(moment("2024-01-01 00:00:00.124", 3), "csv"), DIFFERENT),
    Case("T3 tolerance", "a second apart, within 1 s", without(moment(NOON), "csv"), without(moment("2024-01-01 10:00:01"), "csv"), RULE, tolerance=Tolerance("time", 1)),
    Case("T3 beyond", "two seconds apart, within 1 s", without(moment(NOON), "csv"), without(moment("2024-01-01 10:00:02"), "csv"), DIFFERENT, tolerance=Tolerance("time", 1)),
    Case("T4", ".9995 rounds into the next second", without(moment("2024-01-01 00:00:00.9995"), "csv"), without(moment("2024-01-01 00:00:01", 3), "csv"), RULE, rule="rounded"),
    Case("T4 cut", ".9995 is .999 only if it is cut off", without(moment("2024-01-01 00:00:00.9995"), "csv"), without(moment("2024-01-01 00:00:00.999", 3), "csv"), DIFFERENT),
    Case("T4 truncate", ".9995 is .999, cut off", without(moment("2024-01-01 00:00:00.9995"), "csv"), without(moment("2024-01-01 00:00:00.999", 3), "csv"), RULE, rules=("truncate-ms",), rule="truncate-ms"),
    Case("T6", "a nanosecond more", NANOS, without(moment("2024-01-01 00:00:00.123456"), "csv"), RULE),
    Case("T6 same", "nanoseconds", NANOS, NANOS, SAME),
    Case("T6 off", "a nanosecond and a microsecond more", NANOS, without(moment("2024-01-01 00:00:00.123457"), "csv"), DIFFERENT),
    Case("T8", "12:34:30 and 12:35", without(moment("2024-01-01 12:34:30"), "csv"), without(moment("2024-01-01 12:35:00"), "csv"), RULE, rules=("minute",)),
    Case("T9", "a date and its midnight", without(date("2024-01-01"), "csv"), moment("2024-01-01 00:00:00"), RULE, unless={"csv": SAME}),
    Case("T10", "a date and 13:00 of that day", date("2024-01-01"), without(moment("2024-01-01 13:00:00"), "csv"), DIFFERENT),
    Case("T10 date", "the time of day, left out", date("2024-01-01"), without(moment("2024-01-01 13:00:00"), "csv"), RULE, rules=("date",), unless={"csv": "-"}),
    Case("T11", "0000-00-00 and NULL", ZERO, NULL_DATE, DIFFERENT),
    Case("T11 rule", "0000-00-00 read as NULL", ZERO, without(NULL_DATE, "csv"), RULE, rules=("zero-date",), rule="zero-date", nulls_meet=True),
    Case("T11 same", "0000-00-00 twice", ZERO, {**ZERO, "csv": ("text", "0000-00-00")}, SAME),
    Case("T11 midnight", "0000-00-00 with and without a time of day", ZERO, ZERO_TIME, RULE),
    Case("T11 part", "a day that is no day", {"mariadb": ("date", "'2024-00-15'")}, {"mariadb": ("date", "'2024-00-16'")}, DIFFERENT),
    Case("T11 part same", "a day that is no day, twice", {"mariadb": ("date", "'2024-00-15'")}, {"mariadb": ("date", "'2024-00-15'"), "csv": ("text", "2024-00-15")}, SAME),
    Case("T11 year", "0000-00-00 and the year one", ZERO, without(date("0001-01-01"), "csv"), DIFFERENT),
    Case("T13", "infinity and 9999-12-31", _for_ever(), without(moment("9999-12-31 00:00:00"), "csv"), DIFFERENT),
    Case("T13 rule", "infinity read as 9999-12-31", _for_ever(), without(moment("9999-12-31 00:00:00"), "csv"), RULE, rules=("infinity",), rule="infinity"),
    Case("T13 last", "infinity and the last second", _for_ever(), without(moment("9999-12-31 23:59:59"), "csv"), RULE, rules=("infinity",)),
    Case("T13 same", "infinity twice", _for_ever(), _for_ever(), SAME),
    Case("T13 date", "dates without end", {"postgresql": ("date", "'infinity'"), "duckdb": ("DATE", "'infinity'"), "parquet": None}, {"postgresql": ("date", "'infinity'"), "duckdb": ("DATE", "'infinity'"), "parquet": None}, SAME),
    Case("T13 tz", "instants without end", {"postgresql": ("timestamptz", "'infinity'")}, {"postgresql": ("timestamptz", "'-infinity'")}, DIFFERENT),
    Case("T14", "-infinity and infinity", _for_ever("-"), _for_ever(), DIFFERENT),
    Case("T14 year", "-infinity and the year one", _for_ever("-"), without(moment("0001-01-01 00:00:00"), "csv"), DIFFERENT),
    Case("T14 bc", "44 BC", _before_christ("0044-03-15 00:00:00"), _before_christ("0044-03-15 00:00:00"), SAME),
    Case("T14 ad", "44 BC and 44 AD", _before_christ("0044-03-15 00:00:00"), without(moment("0044-03-15 00:00:00"), "csv"), DIFFERENT),
    Case("T16", "a day that the Gregorian reform left out", date("1582-10-10"), date("1582-10-10"), SAME),
    Case("T16 old", "1500 in two calendars", date("1500-03-01"), date("1500-03-10"), DIFFERENT),
    Case("T16 first", "the first day", date("0001-01-01"), date("0001-01-01"), SAME),
    Case("T17", "an hour that a clock skips, read as UTC", without(instant("2024-03-31 02:30:00"), "csv"), without(moment("2024-03-31 02:30:00"), "csv"), RULE, rule="utc"),
    Case("T18", "12:00+02 and 10:00", {"postgresql": ("timetz", "'12:00:00+02'"), "duckdb": ("TIMETZ", "'12:00:00+02'"), "parquet": None}, _time("10:00:00", csv=False), RULE),
    Case("T18 off", "12:00+02 and 12:00", {"postgresql": ("timetz", "'12:00:00+02'"), "duckdb": ("TIMETZ", "'12:00:00+02'"), "parquet": None}, _time("12:00:00", csv=False), DIFFERENT),
    Case("T19", "838:59:59", {"mariadb": ("time", "'838:59:59'")}, _span("838:59:59", "838:59:59"), RULE, rule="interval"),
    Case("T19 minus", "-01:00:00", {"mariadb": ("time", "'-01:00:00'")}, _span("-01:00:00", "-01:00:00"), RULE),
    Case("T19 part", "-00:00:00.5", {"mariadb": ("time(6)", "'-00:00:00.5'")}, _span("-00:00:00.5", "-00:00:00.5"), RULE),
    Case("T19 sign", "-01:00:00 and 01:00:00", {"mariadb": ("time", "'-01:00:00'")}, _span("01:00:00", "01:00:00"), DIFFERENT),
    Case("T19 csv", "838:59:59 in a CSV", {"mariadb": ("time(3)", "'838:59:59'")}, {"csv": ("text", "838:59:59")}, SAME),
    Case("T20", "a time of day", _time("12:30:00.5"), _time("12:30:00.5"), SAME),
    Case("T20 midnight", "24:00:00 and 00:00:00", {"postgresql": ("time", "'24:00:00'"), "mariadb": ("time", "'24:00:00'"), "csv": ("text", "24:00:00")}, _time("00:00:00"), DIFFERENT),
    Case("T20 day", "24:00:00 twice", {"postgresql": ("time", "'24:00:00'"), "mariadb": ("time", "'24:00:00'"), "csv": ("text", "24:00:00")}, {"postgresql": ("time", "'24:00:00'"), "mariadb": ("time", "'24:00:00'")}, SAME),
    Case("T22", "1 day and 24 hours", _span("1 day", "1 day"), _span("24:00:00", "24:00:00"), DIFFERENT),
    Case("T22 rule", "1 day is 24 hours", _span("1 day", "1 day"), _span("24:00:00", "24:00:00"), RULE, rules=("interval",)),
    Case("T22 same", "a duration", _span("1 mon 2 days 03:04:05.6", "1 month 2 days 03:04:05.6"), {**_span("1 mon 2 days 03:04:05.6", "1 month 2 days 03:04:05.6"), "csv": ("text", "1 mon 2 days 03:04:05.6")}, SAME),
    Case("T22 minus", "a month forward, a day back", _span("1 mon -1 days", "1 month -1 days"), _span("1 mon -1 days", "1 month -1 days"), SAME),
    Case("T23", "milliseconds since 1970", without(integer(1704067200123), "csv"), without(moment("2024-01-01 00:00:00.123"), "csv"), RULE, rules=("epoch-ms",), rule="epoch"),
    Case("T23 off", "milliseconds since 1970, one off", without(integer(1704067200124), "csv"), without(moment("2024-01-01 00:00:00.123"), "csv"), DIFFERENT, rules=("epoch-ms",)),
    Case("T24", "a leap second", LEAP, only(moment("2017-01-01 00:00:00"), *TYPED), RULE, rules=("leap-second",), rule="leap-second"),
    Case("T24 off", "a leap second, no rule", LEAP, only(moment("2017-01-01 00:00:00"), *TYPED), DIFFERENT),
    Case("T26", "a moment and its text", only(moment(NOON), *TYPED), text(NOON), RULE, unless={"csv": SAME}, rule="timestamp as text"),
    Case("T26 T", "a moment and its text in ISO 8601", only(moment(NOON), *TYPED), {"csv": ("text", "2024-01-01T10:00:00")}, SAME),
    Case("T26 off", "a moment and another's text", only(moment(NOON), *TYPED), text("2024-01-01 10:00:01"), DIFFERENT),
    Case("T26 no", "a moment and a text that is none", only(moment(NOON), *TYPED), text("soon"), DIFFERENT),
)
# fmt: on
