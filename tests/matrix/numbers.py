"""Numbers and booleans."""

from __future__ import annotations

from tests.matrix.case import (
    DIFFERENT,
    LISTED,
    RULE,
    SAME,
    Case,
    Values,
    boolean,
    date,
    decimal,
    double,
    integer,
    only,
    text,
    without,
)
from weighbridge.compare.request import Tolerance

BIG = integer(9007199254740993)
TRUE = without(boolean(True), "mariadb", "csv")
UNSIGNED: Values = {
    "postgresql": ("numeric(20,0)", "18446744073709551615"),
    "mariadb": ("bigint unsigned", "18446744073709551615"),
    "duckdb": ("UBIGINT", "18446744073709551615"),
    "csv": ("text", "18446744073709551615"),
}
LESS_UNSIGNED: Values = {
    "postgresql": ("numeric(20,0)", "18446744073709551614"),
    "mariadb": ("bigint unsigned", "18446744073709551614"),
    "duckdb": ("UBIGINT", "18446744073709551614"),
    "csv": ("text", "18446744073709551614"),
}
_LONG = "12345678901234567890123456789012345.123456789012345678901234567891"
_LONGER = "12345678901234567890123456789012345.123456789012345678901234567892"
SINGLE: Values = {
    "postgresql": ("real", "1.2345678"),
    "mariadb": ("float", "1.2345678"),
    "duckdb": ("FLOAT", "1.2345678"),
}


def _wide(value: str) -> Values:
    return {
        "postgresql": ("numeric(65,30)", value),
        "mariadb": ("decimal(65,30)", value),
        "csv": ("text", value),
    }


def _free(value: str) -> Values:
    """Write a number of PostgreSQL's numeric without bounds."""
    return {"postgresql": ("numeric", f"'{value}'")}


# A case is a line.
# fmt: off
CASES = (
    Case("N1", "1.0 and 1.00", {**decimal(10, 1, "1.0"), **_free("1.0")}, decimal(10, 2, "1.00"), SAME),
    Case("N1 real", "1.25 as a double of SQLite", decimal(10, 2, "1.25"), {"sqlite": ("REAL", "1.25")}, RULE, rule="double"),
    Case("N2", "1.0049 and 1.00", decimal(18, 4, "1.0049"), decimal(18, 2, "1.00"), DIFFERENT),
    Case("N2 round", "rounded to 2", without(decimal(18, 4, "1.0049"), "csv"), without(decimal(18, 2, "1.00"), "csv"), RULE, rules=("round:2",), rule="round:2"),
    Case("N2 csv", "rounded to 2, of a CSV", decimal(18, 4, "1.0049"), decimal(18, 2, "1.00"), RULE, rules=("number", "round:2")),
    Case("N2 abs", "within 0.01", without(decimal(18, 4, "1.0049"), "csv"), without(decimal(18, 2, "1.00"), "csv"), RULE, tolerance=Tolerance("absolute", 0.01), rule="within"),
    Case("N2 rel", "within 0.1 %, which it is not", without(decimal(18, 4, "1.0049"), "csv"), without(decimal(18, 2, "1.00"), "csv"), DIFFERENT, tolerance=Tolerance("relative", 0.001)),
    Case("N3", "6 and 6.40", integer(6), decimal(10, 2, "6.40"), DIFFERENT),
    Case("N3 same", "6 and 6.00", integer(6), without(decimal(10, 2, "6.00"), "csv"), SAME),
    Case("N4", "NaN in a numeric and NULL", {"postgresql": ("numeric(10,2)", "'NaN'")}, decimal(10, 2, None), DIFFERENT),
    Case("N4 free", "NaN in a numeric without bounds and NULL", _free("NaN"), decimal(10, 2, None), DIFFERENT),
    Case("N4 zero", "NaN in a numeric and 0.00", {"postgresql": ("numeric(10,2)", "'NaN'")}, decimal(10, 2, "0.00"), DIFFERENT),
    Case("N4 most", "NaN in a numeric and the most it holds", {"postgresql": ("numeric(10,2)", "'NaN'")}, decimal(10, 2, "99999999.99"), DIFFERENT),
    Case("N4 next", "NaN in a numeric and what stands for it", {"postgresql": ("numeric(10,2)", "'NaN'")}, decimal(11, 2, "100000000.00"), DIFFERENT),
    Case("N4 same", "NaN in numerics of two widths", {"postgresql": ("numeric(10,2)", "'NaN'")}, {"postgresql": ("numeric(12,3)", "'NaN'"), "csv": ("text", "NaN")}, SAME),
    Case("N4 double", "NaN in a numeric and in a double", {"postgresql": ("numeric(10,2)", "'NaN'")}, only(double("NaN"), "postgresql", "duckdb"), RULE),
    Case("N4 infinity", "an infinite numeric and NaN", _free("Infinity"), _free("NaN"), DIFFERENT),
    Case("N5", "NaN and NaN", double("NaN"), double("NaN"), SAME),
    Case("N6", "+Infinity twice", double("Infinity"), double("Infinity"), SAME),
    Case("N6 minus", "-Infinity twice", double("-Infinity"), double("-Infinity"), SAME),
    Case("N6 signs", "+Infinity and -Infinity", double("Infinity"), double("-Infinity"), DIFFERENT),
    Case("N6 nan", "+Infinity and NaN", double("Infinity"), double("NaN"), DIFFERENT),
    Case("N6 most", "+Infinity and the largest double", double("Infinity"), double("1.7976931348623157e308"), DIFFERENT),
    Case("N7", "-0.0 and 0.0", double("-0.0"), double("0.0"), RULE, rule="-0.0"),
    Case("N10", "0.36640625", double("0.36640625"), double("0.36640625"), SAME),
    Case("N11", "1e300", double("1e300"), double("1e300"), SAME),
    Case("N11 least", "5e-324", double("5e-324"), double("5e-324"), SAME),
    Case("N11 digits", "17 digits of a double", double("0.30000000000000004"), double("0.30000000000000004"), SAME),
    Case("N11 next", "neighbouring doubles", double("0.30000000000000004"), double("0.3"), DIFFERENT),
    Case("N12", "1e-20 and 2e-20", double("1e-20"), double("2e-20"), DIFFERENT),
    Case("N12 exact", "the same as decimals", without(decimal(30, 25, "0.0000000000000000000100000"), "csv"), decimal(30, 25, "0.0000000000000000000200000"), DIFFERENT),
    Case("N13", "2^53 + 1 and 2^53", BIG, integer(9007199254740992), DIFFERENT),
    Case("N13 double", "2^53 + 1 and the double 2^53", without(BIG, "csv"), without(double("9007199254740992"), "csv"), DIFFERENT),
    Case("N13 text", "the double 2^53 and 2^53 + 1 as text", without(double("9007199254740992"), "csv"), text("9007199254740993"), DIFFERENT),
    Case("N13 text same", "the double 2^53 and its text", without(double("9007199254740992"), "csv"), text("9007199254740992"), RULE, unless={"csv": SAME}),
    Case("N13 whole", "an integer and a double of its size", without(integer(5), "csv"), without(double("5.0"), "csv"), SAME),
    Case("N13 part", "an integer and a double beside it", without(integer(5), "csv"), without(double("5.5"), "csv"), DIFFERENT),
    Case("N13 nan", "an integer and NaN", without(integer(5), "csv"), without(double("NaN"), "csv"), DIFFERENT),
    Case("N14", "the eleventh digit", integer(12345678901234), integer(12345678901235), DIFFERENT),
    Case("N15", "18446744073709551615", UNSIGNED, UNSIGNED, SAME),
    Case("N15 less", "18446744073709551614 and …615", UNSIGNED, LESS_UNSIGNED, DIFFERENT),
    Case("N15 minus", "18446744073709551615 and -1", UNSIGNED, integer(-1), DIFFERENT),
    Case("N15 least", "the least 64-bit integer", integer(-9223372036854775807), integer(-9223372036854775807), SAME),
    Case("N15 huge", "a 128-bit integer", {"duckdb": ("HUGEINT", "170141183460469231731687303715884105727"), "parquet": None}, {**_free("170141183460469231731687303715884105727"), "csv": ("text", "170141183460469231731687303715884105727")}, SAME),
    Case("N16", "65 digits", _wide(_LONG), _wide(_LONG), SAME),
    Case("N16 last", "the last of 65 digits", _wide(_LONG), _wide(_LONGER), DIFFERENT),
    Case("N17", "1E-130", _free("1E-130"), {"csv": ("text", "0." + "0" * 129 + "1"), **_free("0." + "0" * 129 + "1")}, SAME),
    Case("N18", ".5 without its zero", without(decimal(10, 2, "0.5"), "csv"), {"csv": ("text", ".5")}, SAME),
    Case("N20", "money", {"postgresql": ("money", "1.00::numeric::money")}, decimal(10, 2, "1.00"), RULE, rule="money", unless={"csv": SAME}),
    Case("N20 cents", "money and a cent more", {"postgresql": ("money", "1.00::numeric::money")}, decimal(10, 2, "1.01"), DIFFERENT),
    Case("N21", "1 and the text 1", without(integer(1), "csv"), text("1"), RULE, unless={"csv": SAME}, rule="int as text"),
    Case("N21 zero", "1 and 01", without(integer(1), "csv"), text("01"), DIFFERENT),
    Case("N21 space", "1 and a space before it", without(integer(1), "csv"), text(" 1"), DIFFERENT),
    Case("N21 point", "1 and 1.0", without(integer(1), "csv"), text("1.0"), DIFFERENT),
    Case("N22", "tinyint(1) 2 is not true", {"postgresql": ("smallint", "2"), "mariadb": ("tinyint(1)", "2"), "duckdb": ("TINYINT", "2"), "sqlite": ("BOOLEAN", "2"), "csv": ("text", "2")}, boolean(True), DIFFERENT),
    Case("N23", "true and true", boolean(True), boolean(True), SAME),
    Case("N23 false", "true and false", boolean(True), boolean(False), DIFFERENT),
    Case("N23 int", "true and 1", TRUE, {"postgresql": ("smallint", "1"), "mariadb": ("int", "1"), "duckdb": ("TINYINT", "1"), "sqlite": ("BOOLEAN", "1")}, RULE, rule="true is 1"),
    Case("N23 number", "true and 1 in a decimal", TRUE, {"postgresql": ("numeric(1,0)", "1"), "mariadb": ("decimal(1,0)", "1"), "duckdb": ("DECIMAL(1,0)", "1")}, RULE),
    Case("N23 bit", "true and b'1'", TRUE, {"mariadb": ("bit(1)", "b'1'"), "postgresql": ("bit(1)", "B'1'")}, SAME),
    Case("N23 bit 0", "true and b'0'", TRUE, {"mariadb": ("bit(1)", "b'0'"), "postgresql": ("bit(1)", "B'0'")}, DIFFERENT),
    *(Case(f"N23 {word} {n}", f"true and the text {word}", TRUE, text(word), RULE, unless={"csv": SAME}) for n, word in enumerate(("Y", "T", "t"))),
    Case("N25", "YEAR 2024", {"mariadb": ("year", "24"), "postgresql": ("smallint", "2024"), "duckdb": ("SMALLINT", "2024"), "sqlite": ("INTEGER", "2024"), "csv": ("text", "2024")}, integer(2024), SAME),
    Case("N26 down", "0.125 and 0.12", decimal(6, 3, "0.125"), decimal(4, 2, "0.12"), DIFFERENT),
    Case("N26 up", "0.125 and 0.13", decimal(6, 3, "0.125"), decimal(4, 2, "0.13"), DIFFERENT),
    Case("N26 round", "0.125 and 0.13, rounded", without(decimal(6, 3, "0.125"), "csv"), without(decimal(4, 2, "0.13"), "csv"), RULE, rules=("round:2",)),
    Case("N26 round down", "0.125 and 0.12, rounded", without(decimal(6, 3, "0.125"), "csv"), without(decimal(4, 2, "0.12"), "csv"), DIFFERENT, rules=("round:2",)),
    Case("N26 truncate", "0.125 and 0.12, cut off", without(decimal(6, 3, "0.125"), "csv"), without(decimal(4, 2, "0.12"), "csv"), RULE, rules=("truncate:2",)),
    Case("N27", "single precision", SINGLE, SINGLE, SAME),
    Case("N27 double", "single and double precision", SINGLE, without(double("1.2345678"), "csv", "sqlite"), RULE, rule="float32"),
    Case("N27 next", "single precision, the last bit", SINGLE, {"postgresql": ("real", "1.2345679"), "mariadb": ("float", "1.2345679"), "duckdb": ("FLOAT", "1.2345679")}, DIFFERENT),
    Case("N27 csv", "single precision and its text", SINGLE, {"csv": ("text", "1.2345678")}, SAME),
    Case("N28", "a decimal and a double", without(decimal(10, 2, "0.10"), "csv"), without(double("0.1"), "csv"), RULE, rule="double"),
    Case("N28 far", "a decimal and a double beside it", without(decimal(10, 2, "0.10"), "csv"), without(double("0.1000001"), "csv"), DIFFERENT),
    Case("N29", "a date and an integer", without(date("2024-01-01"), "csv"), integer(20240101), LISTED, unless={"csv": DIFFERENT}),
    Case("N29 bool", "a boolean and a date", TRUE, without(date("2024-01-01"), "csv"), LISTED),
)
# fmt: on
