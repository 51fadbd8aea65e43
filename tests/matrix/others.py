"""Bytes, UUIDs, JSON, arrays, and the types of one vendor."""

from __future__ import annotations

from tests.matrix.case import (
    DIFFERENT,
    LISTED,
    RULE,
    SAME,
    Case,
    Values,
    binary,
    json,
    literal,
    only,
    text,
    without,
)

UUID = "6ccd780c-baba-1026-9564-5b8c656024db"
BARE = UUID.replace("-", "")
SWAPPED = f"{BARE[12:16]}{BARE[8:12]}{BARE[:8]}{BARE[16:]}"
UUIDS: Values = {
    "postgresql": ("uuid", literal(UUID)),
    "mariadb": ("uuid", literal(UUID)),
    "duckdb": ("UUID", literal(UUID)),
}
POINT: Values = {"mariadb": ("point", "ST_GeomFromText('POINT(1 2)')")}
NULL_JSON: Values = {
    "postgresql": ("jsonb", None),
    "mariadb": ("json", None),
    "duckdb": ("JSON", None),
    "csv": ("text", None),
}


def _array(value: str) -> Values:
    return {
        "postgresql": ("int[]", literal(value.replace("[", "{").replace("]", "}"))),
        "duckdb": ("INTEGER[]", value),
    }


def _json_pair(name: str, about: str, left: str, right: str, want: str) -> Case:
    # Two SQLite columns are two columns of text: only a rule could know that it is JSON.
    return Case(
        name,
        about,
        json(left),
        json(right),
        want,
        rule="json" if want == RULE else "",
        unless={"sqlite:sqlite": DIFFERENT},
    )


def _network(value: str) -> Values:
    return {"postgresql": ("inet", literal(value)), "mariadb": ("inet4", literal(value))}


# A case is a line.
# fmt: off
CASES = (
    Case("B1", "two bytes", binary(b"\xde\xad"), binary(b"\xde\xad"), SAME),
    Case("B1 zero", "a zero byte in the middle", binary(b"a\x00b"), binary(b"a\x00b"), SAME),
    Case("B1 off", "the last bit", binary(b"\xde\xad"), binary(b"\xde\xac"), DIFFERENT),
    *(Case(f"B3 {n}", f"bytes as {about}", binary(b"\xde\xad"), text(word), RULE, unless={"csv": SAME}, rule="hex or base64") for n, (about, word) in enumerate((("hex", "DEAD"), ("PostgreSQL's hex", "\\xdead"), ("0x", "0xDEAD"), ("base64", "3q0=")))),
    Case("B3 off", "bytes and other hex", binary(b"\xde\xad"), text("DEAC"), DIFFERENT),
    Case("B5", "no bytes and NULL", binary(b""), {"postgresql": ("bytea", None), "mariadb": ("varbinary(40)", None), "duckdb": ("BLOB", None), "sqlite": ("BLOB", None)}, DIFFERENT),
    Case("U1", "a UUID as text", UUIDS, text(UUID), SAME),
    Case("U1 same", "a UUID", UUIDS, UUIDS, SAME),
    *(Case(f"U2 {n}", f"a UUID as {word}", UUIDS, text(word), SAME) for n, word in enumerate((UUID.upper(), f"{{{UUID}}}", BARE))),
    Case("U2 off", "another UUID", UUIDS, text(UUID.replace("6cc", "6cd")), DIFFERENT),
    Case("U3", "a UUID as 16 bytes", UUIDS, binary(bytes.fromhex(BARE)), RULE),
    Case("U5", "16 bytes in another order", UUIDS, binary(bytes.fromhex(SWAPPED)), DIFFERENT),
    Case("U5 rule", "16 bytes in another order, under the rule", UUIDS, binary(bytes.fromhex(SWAPPED)), RULE, rules=("uuid-swapped",)),
    Case("J1", "keys in another order", {**json('{"a":1,"b":2}'), "postgresql": ("jsonb", '\'{"a":1,"b":2}\'')}, json('{"b":2, "a":1}'), RULE, rule="json", unless={"sqlite:sqlite": DIFFERENT}),
    _json_pair("J2", "1.0 and 1", '{"a":1.0}', '{"a":1}', RULE),
    Case("J2 text", "1.0 and 1, as text", json('{"a":1.0}'), json('{"a":1}'), DIFFERENT, rules=("text",)),
    _json_pair("J3", "1e2 and 100", '{"a":1e2}', '{"a":100}', RULE),
    _json_pair("J3 zero", "1.10 and 1.1", '{"a":1.10}', '{"a":1.1}', RULE),
    _json_pair("J3 text", "1 and the text 1", '{"a":1}', '{"a":"1"}', DIFFERENT),
    _json_pair("J3 digits", "17 digits", '{"a":12345678901234567}', '{"a":12345678901234568}', DIFFERENT),
    Case("J5", "JSON null and NULL", without(json("null"), "sqlite", "csv"), NULL_JSON, DIFFERENT),
    _json_pair("J8", "arrays in another order", "[1,2]", "[2,1]", DIFFERENT),
    Case("J9", "white space, in text columns", text('{"a": 1}'), text('{"a":1}'), DIFFERENT),
    Case("J9 rule", "white space, in text columns, under the rule", text('{"a": 1}'), text('{"a":1}'), RULE, rules=("json",)),
    Case("J10", "a key twice", json('{"a":1,"a":2}'), json('{"a":2}'), DIFFERENT),
    Case("J11", "true and 1", json('{"a":true}'), json('{"a":1}'), DIFFERENT),
    Case("A1", "an array and JSON text", _array("[1,2]"), text("[1,2]"), RULE),
    Case("A1 same", "an array", _array("[1,2]"), _array("[1,2]"), SAME),
    Case("A2", "an array with a NULL", _array("[1,NULL]"), _array("[1]"), DIFFERENT),
    Case("A4", "an array in another order", _array("[1,2]"), _array("[2,1]"), DIFFERENT),
    Case("A6", "an array that starts at 2", {"postgresql": ("int[]", "'[2:3]={1,2}'")}, _array("[1,2]"), RULE),
    Case("A6 same", "arrays that start at 2", {"postgresql": ("int[]", "'[2:3]={1,2}'")}, {"postgresql": ("int[]", "'[2:3]={1,2}'")}, SAME),
    Case("A7", "a map and JSON in another order", {"postgresql": ("hstore", "'a=>1,b=>2'"), "duckdb": ("MAP(VARCHAR, VARCHAR)", "MAP {'a': '1', 'b': '2'}")}, text('{"b":"2","a":"1"}'), RULE),
    Case("A7 map", "hstore and a map", {"postgresql": ("hstore", "'a=>1,b=>2'")}, {"duckdb": ("MAP(VARCHAR, VARCHAR)", "MAP {'b': '2', 'a': '1'}")}, RULE),
    Case("A8", "a struct and JSON", {"duckdb": ("STRUCT(a INTEGER)", "{'a': 1}")}, {"postgresql": ("jsonb", '\'{"a": 1}\'')}, RULE),
    Case("G1", "a point", POINT, POINT, SAME),
    Case("G1 srid", "a point and its SRID", POINT, {"mariadb": ("point", "ST_GeomFromText('POINT(1 2)', 4326)")}, DIFFERENT),
    Case("G1 off", "another point", POINT, {"mariadb": ("point", "ST_GeomFromText('POINT(1 3)')")}, DIFFERENT),
    Case("G2", "one address, with and without its mask", {"postgresql": ("inet", "'10.0.0.1'")}, text("10.0.0.1"), RULE, rule="network"),
    Case("G2 mask", "one address and its mask", {"postgresql": ("inet", "'10.0.0.1'")}, text("10.0.0.1/32"), SAME),
    Case("G2 cidr", "inet and cidr", {"postgresql": ("inet", "'10.0.0.1'")}, {"postgresql": ("cidr", "'10.0.0.1/32'")}, SAME),
    Case("G2 same", "an address", _network("10.0.0.1"), _network("10.0.0.1"), SAME, unless={"postgresql:mariadb": RULE, "mariadb:postgresql": RULE}),
    Case("G2 net", "an address and a network", {"postgresql": ("inet", "'10.0.0.0'")}, text("10.0.0.0/24"), DIFFERENT),
    Case("G2 six", "an address of IPv6", {"postgresql": ("inet", "'::1'")}, text("::1"), RULE),
    Case("G2 mac", "a hardware address", {"postgresql": ("macaddr", "'08:00:2b:01:02:03'")}, text("08:00:2B:01:02:03"), RULE),
    Case("G6", "bits", {"postgresql": ("bit(8)", "B'00000101'"), "mariadb": ("bit(8)", "b'101'"), "duckdb": ("BIT", "'00000101'")}, {"postgresql": ("bit(8)", "B'00000101'"), "mariadb": ("bit(8)", "b'101'"), "duckdb": ("BIT", "'00000101'"), "csv": ("text", "00000101")}, SAME),
    Case("G6 off", "other bits", {"postgresql": ("bit(8)", "B'00000101'"), "mariadb": ("bit(8)", "b'101'"), "duckdb": ("BIT", "'00000101'")}, {"postgresql": ("bit(8)", "B'00000100'"), "mariadb": ("bit(8)", "b'100'"), "duckdb": ("BIT", "'00000100'"), "csv": ("text", "00000100")}, DIFFERENT),
    Case("G7", "points of a plane", {"postgresql": ("point", "'(1,2)'")}, {"postgresql": ("point", "'(1,2)'")}, SAME),
    Case("G7 off", "points of a plane, apart", {"postgresql": ("point", "'(1,2)'")}, {"postgresql": ("point", "'(1,3)'")}, DIFFERENT),
    Case("G8", "a UUID and a number", UUIDS, {"postgresql": ("int", "1"), "mariadb": ("int", "1"), "duckdb": ("INTEGER", "1")}, LISTED),
    Case("G8 bytes", "bytes and a number", only(binary(b"\x01"), "postgresql", "mariadb", "duckdb", "sqlite"), {"postgresql": ("int", "1"), "mariadb": ("int", "1"), "duckdb": ("INTEGER", "1")}, LISTED),
    Case("G9", "a range", {"postgresql": ("int4range", "'[1,3)'")}, {"postgresql": ("int4range", "'[1,2]'")}, SAME),
    Case("G9 text", "text search", {"postgresql": ("tsvector", "'a b'")}, {"postgresql": ("tsvector", "'a c'")}, DIFFERENT),
    Case("G10", "a composite type", {"postgresql": ("couple", "ROW(1, 'x')")}, {"postgresql": ("couple", "ROW(1, 'y')")}, DIFFERENT),
)
# fmt: on
