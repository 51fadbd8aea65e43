"""Each transform is found where it was planted, also among noise, and is counted exactly."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.unit.compare.explaining import Planted
from weighbridge.compare.explain_columns import TRANSFORMS
from weighbridge.compare.explain_transforms import TransformName
from weighbridge.compare.result import Explanation

STAMP = "TIMESTAMP '2024-02-03 04:05:06.789' + to_seconds(x * 3671)"
WORDS = "'Le caf\u00e9 num\u00e9ro ' || md5(x::VARCHAR)"
ASCII = "'The Item ' || md5(x::VARCHAR)"
PRICE = "((x * 7919 % 100000) / 1000 + 0.0004)::DECIMAL(12, 4)"
HALVES = "(x + list_extract([0.5, 0.3, 0.8], x::INT % 3 + 1))::DECIMAL(12, 1)"
MANY = "((x * 7919 % 1000) - 500 + 0.25)::DOUBLE"
SPELL = "list_extract(['a', 'b', 'c', 'd', 'e', 'f', 'g'], x::INT % 7 + 1)"

# left, right, words, detail
CASES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "null_to_value": ("NULL::VARCHAR", "''", "right is '' where left is NULL", {"right": ""}),
    "null_to_value 0": ("NULL::INT", "0", "right is 0 where left is NULL", {"right": "0"}),
    "null_to_value date": (
        "NULL::DATE",
        "DATE '1970-01-01'",
        "right is '1970-01-01' where left is NULL",
        {"right": "1970-01-01"},
    ),
    "value_to_null": ("''", "NULL::VARCHAR", "right is NULL where left is ''", {"left": ""}),
    "right_null": (ASCII, "NULL::VARCHAR", "right is NULL", {}),
    "left_null": ("NULL::VARCHAR", ASCII, "left is NULL, right is not", {}),
    "replaced": ("'A'", "'B'", "right is 'B' where left is 'A'", {"left": "A", "right": "B"}),
    "constant": (ASCII, "'x'", "right is 'x'", {"right": "x"}),
    "constant blob": ("encode(md5(x::VARCHAR))", "'\\xAA'::BLOB", "right is '\\xAA'", {}),
    "flipped": ("x % 2 = 0", "x % 2 <> 0", "right is not left", {}),
    "negated": (MANY, f"-{MANY}", "right = −left", {}),
    "sign_lost": ("-x - 1 - x * x", "x * x + x + 1", "without its sign", {}),
    "float32": ("x / 7.0::DOUBLE + 0.1", "(x / 7.0::DOUBLE + 0.1)::FLOAT", "single precision", {}),
    "float64": (
        "9007199254740993 + 2 * x::BIGINT",
        "(9007199254740993 + 2 * x::BIGINT)::DOUBLE::BIGINT",
        "double precision",
        {},
    ),
    "digits_15": (
        "1234567890123456789 + x * 10007",
        "((1234567890123456789 + x * 10007) // 10000) * 10000",
        "zeros after the 15th digit",
        {},
    ),
    "offset": ("x", "x + 17", "right = left + 17", {"offset": 17}),
    "offset decimal": (PRICE, f"{PRICE} - 0.5", "right = left − 0.5", {"offset": -0.5}),
    "offset double": (MANY, f"{MANY} + 1.5", "right = left + 1.5", {"offset": 1.5}),
    "offset huge": (
        "x::HUGEINT * 10000000000000000000000000",
        "x::HUGEINT * 10000000000000000000000000 + 1",
        "right = left + 1",
        {"offset": 1},
    ),
    "factor": (MANY, f"{MANY} * 100", "right = left × 100", {"factor": 100}),
    "factor cents": (PRICE, f"({PRICE} * 0.01)::DECIMAL(12, 4)", "right = left × 0.01", {}),
    "factor odd": (MANY, f"{MANY} * 1.2345", "right = left × 1.2345", {"factor": 1.2345}),
    "factor currency": (
        "(100 + x * 3.1)::DECIMAL(12, 2)",
        "((100 + x * 3.1) * 1.0834)::DECIMAL(12, 2)",
        "right = left × 1.0834",
        {"factor": 1.0834},
    ),
    "factor miles": (MANY, f"{MANY} * 1.609344", "right = left × 1.609344", {}),
    "celsius_to_fahrenheit": (MANY, f"{MANY} * 1.8 + 32", "°C to °F", {}),
    "fahrenheit_to_celsius": (MANY, f"({MANY} - 32) / 1.8", "°F to °C", {}),
    "round": (
        PRICE,
        f"round({PRICE}, 2)",
        "rounded to 2 decimals",
        {"digits": 2, "mode": "nearest"},
    ),
    "round half up": (
        HALVES,
        f"round({HALVES})::DECIMAL(12, 1)",
        "rounded half up to 0 decimals",
        {"digits": 0, "mode": "half_up"},
    ),
    "round half even": (
        f"({HALVES})::DOUBLE",
        f"round_even({HALVES}, 0)::DOUBLE",
        "rounded half to even to 0 decimals",
        {"digits": 0, "mode": "half_even"},
    ),
    "truncate": (
        "(x * 1.379 - 200)::DECIMAL(12, 3)",
        "trunc((x * 1.379 - 200)::DECIMAL(12, 3))::DECIMAL(12, 3)",
        "cut to 0 decimals",
        {"digits": 0},
    ),
    "floor": (
        "(x * 1.379 - 400)::DECIMAL(12, 3)",
        "floor((x * 1.379 - 400)::DECIMAL(12, 3))::DECIMAL(12, 3)",
        "rounded down to 0 decimals",
        {"digits": 0},
    ),
    "shift": (STAMP, f"{STAMP} - INTERVAL 5 HOUR", "right = left − 5 h", {"seconds": -18000}),
    "shift days": (f"({STAMP})::DATE", f"({STAMP})::DATE + 1", "right = left + 1 day", {}),
    "shift text": (
        f"({STAMP})::VARCHAR",
        f"{STAMP} + INTERVAL 90 MINUTE",
        "right = left + 1 h 30 min",
        {"seconds": 5400},
    ),
    "shift clock": (
        f"({STAMP})::TIME",
        f"({STAMP} - INTERVAL 5 HOUR)::TIME",
        "right = left − 5 h",
        {"seconds": -18000},
    ),
    "shift_dst": (
        STAMP,
        f"{STAMP} - CASE WHEN x % 3 = 0 THEN INTERVAL 4 HOUR ELSE INTERVAL 5 HOUR END",
        "right = left − 4 h or − 5 h (daylight saving)",
        {"seconds": [-14400, -18000]},
    ),
    "shift_months": (
        "DATE '2024-01-15' + x::INT",
        "(DATE '2024-01-15' + x::INT + INTERVAL 3 MONTH)::DATE",
        "right = left + 3 months",
        {"months": 3},
    ),
    "day_month_swapped": (
        "make_date(2024, x::INT % 12 + 1, (x::INT // 12) % 12 + 1)",
        "make_date(2024, (x::INT // 12) % 12 + 1, x::INT % 12 + 1)",
        "day and month swapped",
        {},
    ),
    "time_truncated": (
        f"{STAMP} + to_milliseconds(x)",
        f"date_trunc('second', {STAMP} + to_milliseconds(x))",
        "cut to whole seconds",
        {"unit": "seconds"},
    ),
    "time_truncated day": (
        STAMP,
        f"date_trunc('day', {STAMP})",
        "time of day lost",
        {"unit": "days"},
    ),
    "time_truncated old": (
        f"{STAMP} - INTERVAL 100 YEAR",
        f"date_trunc('hour', {STAMP} - INTERVAL 100 YEAR)",
        "cut to whole hours",
        {"unit": "hours"},
    ),
    "time_rounded": (
        f"{STAMP} + to_milliseconds(x * 7)",
        f"date_trunc('second', {STAMP} + to_milliseconds(x * 7 + 500))",
        "rounded to whole seconds",
        {"unit": "seconds"},
    ),
    "trim_right": (f"{ASCII} || '  '", ASCII, "without the spaces at the end", {}),
    "trim_left": (f"' ' || {ASCII}", ASCII, "without the spaces at the start", {}),
    "trim": (f"'  ' || {ASCII} || ' '", ASCII, "without the spaces around it", {}),
    "pad_right": (ASCII, f"rpad({ASCII}, 60, ' ')", "more spaces at the end", {}),
    "pad_left": (ASCII, f"lpad({ASCII}, 60, ' ')", "more spaces at the start", {}),
    "pad": (ASCII, f"' ' || {ASCII} || ' '", "more spaces around it", {}),
    "crlf_to_lf": (f"'a' || x || e'\\r\\n' || {ASCII}", f"'a' || x || e'\\n' || {ASCII}", "LF", {}),
    "lf_to_crlf": (
        f"'a' || x || e'\\n' || {ASCII}",
        f"'a' || x || e'\\r\\n' || {ASCII}",
        "CR LF",
        {},
    ),
    "spaces_collapsed": ("'a   b' || x", "'a b' || x", "each run of spaces made one", {}),
    "whitespace": ("'a ' || x || ' b'", "'a  ' || x || e'\\tb'", "only in white space", {}),
    "upper": (WORDS, f"upper({WORDS})", "upper case", {}),
    "lower": (WORDS, f"lower({WORDS})", "lower case", {}),
    "title": (
        f"'of ' || {SPELL} || 'mice AND men'",
        f"'Of ' || upper({SPELL}) || 'mice And Men'",
        "capital at the start of each word",
        {},
    ),
    "case": (
        WORDS,
        f"upper(left({WORDS}, 20)) || substr({WORDS}, 21)",
        "only in upper and lower",
        {},
    ),
    "truncate_chars": (WORDS, f"left({WORDS}, 20)", "cut at 20 characters", {"length": 20}),
    "truncate_bytes": (
        f"repeat('x', x::INT % 3) || repeat('€', 12) || {SPELL}",
        "repeat('x', x::INT % 3) || repeat('€', (20 - x::INT % 3) // 3)",
        "cut at 20 bytes",
        {"bytes": 20},
    ),
    "mojibake": (
        WORDS,
        f"replace({WORDS}, '\u00e9', '\u00c3\u00a9')",
        "UTF-8 read as Latin-1",
        {"encoding": "latin-1"},
    ),
    "mojibake cp1252": (
        "'\u20ac ' || x",
        "'\u00e2\u201a\u00ac ' || x",
        "UTF-8 read as Windows-1252",
        {"encoding": "cp1252"},
    ),
    "mojibake_repaired": (
        f"replace({WORDS}, '\u00e9', '\u00c3\u00a9')",
        WORDS,
        "left is right's UTF-8 read as Latin-1",
        {},
    ),
    "characters_lost": (
        WORDS,
        f"replace({WORDS}, '\u00e9', '?')",
        "outside ASCII is '?'",
        {"outside": "ASCII", "by": "?"},
    ),
    "characters_lost bmp": (
        f"'\U0001f600' || {WORDS}",
        f"'?' || {WORDS}",
        "outside Latin-1 is '?'",
        {"outside": "Latin-1"},
    ),
    "characters_lost bmp only": (
        f"'\u20ac\U0001f600' || {WORDS}",
        f"'\u20ac?' || {WORDS}",
        "outside the BMP is '?'",
        {"outside": "the BMP"},
    ),
    "accents_lost": (WORDS, f"replace({WORDS}, '\u00e9', 'e')", "without accents", {}),
    "nfc": (f"replace({WORDS}, '\u00e9', 'e\u0301')", WORDS, "NFC", {}),
    "nfd": (WORDS, f"replace({WORDS}, '\u00e9', 'e\u0301')", "NFD", {}),
    "zeros_lost": ("lpad(x::VARCHAR, 7, '0')", "x::VARCHAR", "without the zeros in front", {}),
    "zeros_lost number": ("lpad(x::VARCHAR, 7, '0')", "x", "without the zeros in front", {}),
    "zeros_added": ("x::VARCHAR", "lpad(x::VARCHAR, 7, '0')", "with zeros in front", {}),
    "separators_lost": (
        "format('{:,}', 1000000 + x)",
        "(1000000 + x)::VARCHAR",
        "without the thousands separator ','",
        {"text": ","},
    ),
    "separators_added": (
        "(1000000 + x)::VARCHAR",
        "replace(format('{:,}', 1000000 + x), ',', '.')",
        "with the thousands separator '.'",
        {"text": "."},
    ),
    "decimal_comma": ("x || '.5'", "x || ',5'", "decimal comma", {}),
    "decimal_point": ("x || ',5'", "x || '.5'", "decimal point", {}),
    "scientific": (
        "(1234567890123 + x * 100000000000)::VARCHAR",
        "printf('%.3E', (1234567890123 + x * 100000000000)::DOUBLE)",
        "scientific notation",
        {},
    ),
    "same_number": (
        "x::VARCHAR || CASE WHEN x % 2 = 0 THEN '.0' ELSE '' END",
        "x::VARCHAR || CASE WHEN x % 2 = 0 THEN '.000' ELSE '.00' END",
        "same number written in two ways",
        {},
    ),
    "same_moment": (
        "strftime(DATE '2024-01-01' + x::INT, '%Y-%m-%d')",
        "strftime(DATE '2024-01-01' + x::INT, '%Y/%m/%d')",
        "same moment written in two ways",
        {},
    ),
    "quotes_added": (ASCII, f"'\"' || {ASCII} || '\"'", "in quotes", {}),
    "quotes_removed": (f"'\"' || {ASCII} || '\"'", ASCII, "without its quotes", {}),
    "html_escaped": ("'a<b & c' || x", "'a&lt;b &amp; c' || x", "as HTML writes them", {}),
    "html_unescaped": ("'it&#39;s &amp; ' || x", "'it''s & ' || x", "turned back", {}),
    "prefix_added": (
        "'n' || x",
        "'ID-n' || x",
        "right is left and 'ID-' in front",
        {"text": "ID-"},
    ),
    "suffix_added": ("'n' || x", "'n' || x || ' USD'", "and ' USD' behind", {}),
    "prefix_removed": ("'ID-n' || x", "'n' || x", "without 'ID-' in front", {}),
    "suffix_removed": ("'n' || x || '.csv'", "'n' || x", "without '.csv' behind", {}),
}


def _found(noise: bool) -> dict[str, Explanation]:
    """Plant every case as a column of one table."""
    pairs = [
        (left, f"CASE WHEN x % 5 = 3 THEN NULL ELSE {right} END" if noise else right)
        for left, right, _, _ in CASES.values()
    ]
    found = Planted(pairs, names=list(CASES)).of_columns()
    return {e.columns[0]: e for e in found}


@pytest.fixture(scope="module")
def clean() -> dict[str, Explanation]:
    return _found(noise=False)


@pytest.fixture(scope="module")
def noisy() -> dict[str, Explanation]:
    """A fifth of the rows differ in another way: the right is NULL."""
    return _found(noise=True)


@pytest.mark.parametrize("case", CASES)
def test_planted_fault_is_found(case: str, clean: dict[str, Explanation]) -> None:
    _, _, words, detail = CASES[case]
    found = clean[case]
    assert words in found.text
    assert found.detail.items() >= {"transform": case.partition(" ")[0], **detail}.items()
    assert found.support >= 0.85 * 400
    assert (found.kind, found.rows, found.of) == ("transform", "changed", 400)
    assert found.text.endswith(f"in {found.support:,} of 400")


# With NULL for noise, these are another finding: more of the same, or a constant among others.
BLURRED = {"constant", "constant blob", "right_null", "value_to_null"}


@pytest.mark.parametrize("case", [c for c in CASES if c not in BLURRED])
def test_found_among_noise(
    case: str, clean: dict[str, Explanation], noisy: dict[str, Explanation]
) -> None:
    assert noisy[case].detail["transform"] == clean[case].detail["transform"]
    assert 0.65 * 400 <= noisy[case].support <= 320


def test_every_name_is_planted() -> None:
    of_several = {"swapped_columns", "shifted_columns", "copied_column"}
    assert {t.name for t in TRANSFORMS} | of_several == set(get_args(TransformName))
    assert {c.partition(" ")[0] for c in CASES} == {t.name for t in TRANSFORMS}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("md5(x::VARCHAR)", "md5((x + 1)::VARCHAR)"),
        ("encode(md5(x::VARCHAR))", "encode(md5((x + 1)::VARCHAR))"),
        ("to_seconds(x)", "to_seconds(x * x + 3)"),
        ("'nan'::DOUBLE", "x::DOUBLE"),
        ("x::DOUBLE", "'inf'::DOUBLE + x"),
        ("[x]", "[x + 1]"),
        ("{'a': x}", "{'a': x * x}"),
        ("uuid() ", "uuid()"),
        ("x::BIT", "(x + 1)::BIT"),
        ("(x::HUGEINT << 100) + x", "-((x::HUGEINT << 90) * x)"),
        ("DATE '5877642-06-25' + x::INT % 10", "DATE '0001-01-01' + (x * x)::INT"),
        ("TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(x)", "'x' || x"),
        ("x % 2 = 0", "md5(x::VARCHAR)"),
        ("(x % 3)::VARCHAR::ENUM('0', '1', '2')", "x * x"),
        ("NULL::VARCHAR", "NULL::VARCHAR"),
        ("NULL", "NULL"),
        ("TIMETZ '01:00:00+02'", "TIME '01:00:00'"),
    ],
)
def test_odd_types_raise_nothing(left: str, right: str) -> None:
    for explanation in Planted([(left, right)], base="true").explained():
        assert 0 < explanation.support <= explanation.of


@pytest.mark.parametrize("infinite", ["'infinity'::TIMESTAMP", "'-infinity'::TIMESTAMP"])
def test_infinite_moment_is_noise(infinite: str) -> None:
    shifted = f"CASE WHEN x % 4 = 0 THEN {infinite} ELSE {STAMP} - INTERVAL 1 HOUR END"
    (found,) = [e for e in Planted([(STAMP, shifted)]).explained() if e.kind == "transform"]
    assert found.text == "c0: right = left − 1 h in 300 of 400"


def test_no_differences_and_few() -> None:
    assert Planted([("x", "x + 1")], rows=0).explained() == ()
    # One row shows some offset and some factor: that is no finding. Its case is.
    assert Planted([("7", "9")], rows=1).explained() == ()
    (found,) = Planted([("'a'", "'A'")], rows=1).explained()
    assert (found.detail, found.support, found.of) == ({"transform": "upper"}, 1, 1)
    # Four of five rows are too few, three of three are not.
    assert Planted([("x", "CASE WHEN x = 0 THEN 99 ELSE x + 3 END")], rows=5).explained() == ()
    (found,) = Planted([("x", "x + 3")], rows=3).explained()
    assert found.text == "c0: right = left + 3 in 3 of 3"


def test_hostile_values_are_shown_not_sent() -> None:
    (found,) = Planted(
        [("md5(x::VARCHAR)", "chr(27) || '[31m''<b>' || repeat('y', 90)")]
    ).explained()
    assert "\x1b" not in found.text
    assert "'␛[31m''<b>yyy" in found.text
    assert len(found.text) < 100
    (found,) = Planted([("x", "x + 1")], names=["a\x1b\u202e"]).explained()
    assert found.text.isprintable()


def test_shifted_swapped_and_copied_columns() -> None:
    a, b, c, d, e = (f"md5((x * 5 + {i})::VARCHAR)" for i in range(5))
    shifted = Planted([(a, a), (b, c), (c, d), (d, e), (e, "x")], changed="[1, 2, 3, 4]")
    found = shifted.explained()[0]
    assert found.text == "c1 to c3 hold the value of their right neighbour in 400 of 400"
    assert found.detail["transform"] == "shifted_columns"
    found = Planted([(a, b), (b, a)]).explained()[0]
    assert found.text == "c0 and c1 are swapped in 400 of 400"
    assert found.columns == ("c0", "c1")
    # An integer that lands in a text column is still the same value.
    found = Planted([(a, "x::VARCHAR"), ("x", "x")], changed="[0]").explained()[0]
    assert found.text == "c0: right is left's c1 in 400 of 400"
    found = Planted([(b, a), (c, b), (d, c)], changed="[0, 1, 2]").explained()[0]
    assert found.text == "c1 to c2 hold the value of their left neighbour in 400 of 400"


def test_flags_that_are_equal_by_chance_are_no_copy() -> None:
    planted = Planted([("x % 2 = 0", "x % 3 = 0"), ("x % 3 = 0", "x % 3 = 0")], changed="[0]")
    assert all("left's" not in e.text for e in planted.explained())


def test_thirty_columns_leave_room_for_slices() -> None:
    columns = [(f"x + {i}", f"x + {i + 1 + i}") for i in range(30)]
    found = Planted(
        [*columns, ("CASE WHEN x < 500 THEN 'UA' ELSE 'DL' END", "'UA'")],
        changed="range(30)",
        base="true",
    ).explained()
    assert len(found) == 12
    assert sum(e.kind == "transform" for e in found) >= 8
    assert any("c30 = 'UA'" in e.text for e in found)
