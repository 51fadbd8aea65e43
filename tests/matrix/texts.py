"""Text."""

from __future__ import annotations

import unicodedata

from tests.matrix.case import DIFFERENT, RULE, SAME, Case, Values, only, text, without

ACCENT = "é"
NULL_WORDS = ("NULL", "<null>", "\\N", "_null_recon_", "DEFAULT_REPLACEMENT_STRING", "None", "nan")
PADDED: Values = {"postgresql": ("char(5)", "'ab   '"), "mariadb": ("char(5)", "'ab   '")}
XML = '<a b="1" c="2"/>'
XML_TURNED = '<a c="2" b="1"/>'


# A case is a line.
# fmt: off
CASES = (
    Case("S1", "CHAR on both sides: padding is no data", PADDED, PADDED, SAME),
    Case("S2", "CHAR and VARCHAR", PADDED, text("ab"), RULE, rule="pad"),
    Case("S2 kept", "CHAR and a VARCHAR with its padding", PADDED, text("ab   "), RULE, rule="pad"),
    Case("S2 off", "CHAR and another text", PADDED, text("abc"), DIFFERENT),
    Case("S3", "a space at the end", text("ab "), text("ab"), DIFFERENT),
    Case("S3 rtrim", "a space at the end, left out", text("ab "), text("ab"), RULE, rules=("rtrim",)),
    Case("S4 tab", "a tab at the end", text("ab\t"), text("ab"), DIFFERENT),
    Case("S4 line", "a line end at the end", text("ab\n"), text("ab"), DIFFERENT),
    Case("S4 nbsp", "a no-break space at the end", text("ab\u00a0"), text("ab"), DIFFERENT),
    Case("S4 pad", "a tab is no padding", text("ab\t"), text("ab"), DIFFERENT, rules=("pad",)),
    Case("S6", "NULL and the empty text", text(None), text(""), DIFFERENT),
    Case("S6 rule", "the empty text read as NULL", text(None), text(""), RULE, rules=("empty-null",), nulls_meet=True),
    Case("S6 same", "the empty text twice", text(""), text(""), SAME),
    *(Case(f"S7 {n}", f"NULL and the text {word}", text(None), text(word), DIFFERENT) for n, word in enumerate(NULL_WORDS)),
    Case("S12", "é composed and decomposed", text(ACCENT), text(unicodedata.normalize("NFD", ACCENT)), DIFFERENT),
    Case("S12 nfc", "é under NFC", text(ACCENT), text(unicodedata.normalize("NFD", ACCENT)), RULE, rules=("nfc",)),
    Case("S13", "an emoji and a question mark", text("\U0001f600"), text("?"), DIFFERENT),
    Case("S13 same", "an emoji", text("\U0001f600"), text("\U0001f600"), SAME),
    Case("S14", "é in Latin-1 and UTF-8", {"mariadb": ("varchar(20) character set latin1", "_latin1 x'E9'")}, text(ACCENT), SAME),
    Case("S15", "é read as Latin-1", text("Ã©"), text(ACCENT), DIFFERENT),
    Case("S17", "A and a under a collation that ignores case", text("A"), text("a"), DIFFERENT),
    Case("S17 case", "A and a, case left out", text("A"), text("a"), RULE, rules=("case",)),
    Case("S18", "straße and strasse", text("straße"), text("strasse"), DIFFERENT),
    Case("S18 case", "straße and strasse, case left out", text("straße"), text("strasse"), DIFFERENT, rules=("case",)),
    Case("S18 dotless", "I and a dotless i, case left out", text("I"), text("\u0131"), DIFFERENT, rules=("case",)),
    Case("S20", "line ends", text("a\r\nb"), text("a\nb"), DIFFERENT),
    Case("S20 crlf", "line ends, left out", text("a\r\nb"), text("a\nb"), RULE, rules=("crlf",)),
    Case("S25 text", "XML in text columns", text(XML), text(XML_TURNED), DIFFERENT),
    Case("S25 rule", "XML in text columns, under the rule", text(XML), text(XML_TURNED), RULE, rules=("xml",)),
    Case("S25 off", "another attribute, under the rule", text(XML), text('<a b="1" c="3"/>'), DIFFERENT, rules=("xml",)),
    Case("S26", "citext and text", {"postgresql": ("citext", "'abc'")}, text("ABC"), RULE, rule="citext"),
    Case("S26 same", "citext twice", {"postgresql": ("citext", "'abc'")}, {"postgresql": ("citext", "'abc'")}, SAME),
    Case("S26 off", "citext and another text", {"postgresql": ("citext", "'abc'")}, text("ABD"), DIFFERENT),
    Case("S27", "an enumeration and text", {"postgresql": ("mood", "'fine'"), "mariadb": ("enum('fine','bad')", "'fine'"), "duckdb": ("ENUM('fine', 'bad')", "'fine'")}, text("fine"), SAME),
    Case("S27 off", "an enumeration and another text", {"postgresql": ("mood", "'fine'"), "mariadb": ("enum('fine','bad')", "'fine'"), "duckdb": ("ENUM('fine', 'bad')", "'fine'")}, text("bad"), DIFFERENT),
    Case("S28", "a set and text", {"mariadb": ("set('a','b','c')", "'c,a'")}, text("a,c"), SAME),
    Case("S29", "a domain and text", {"postgresql": ("short_text", "'ab'")}, text("ab"), SAME),
    Case("S30", "quotes, backslashes, bars", text("a'b\"c\\d|e;--"), text("a'b\"c\\d|e;--"), SAME),
    Case("S31", "right to left, control and zero-width characters", text("\u202ex\u200b\x01"), text("\u202ex\u200b\x01"), SAME),
    Case("S31 off", "a zero-width space", text("x\u200b"), text("x"), DIFFERENT),
    Case("S32", "names of PostgreSQL", {"postgresql": ("name", "'ab'")}, without(text("ab"), "csv"), SAME),
    Case("S33", "text of 60 characters and 59", text("x" * 60), text("x" * 59), DIFFERENT),
    Case("S34", "text against bytes of the same letters", only(text("ab"), "postgresql", "mariadb", "duckdb", "sqlite"), {"postgresql": ("bytea", "'\\x6162'"), "mariadb": ("varbinary(9)", "x'6162'")}, DIFFERENT),
)
# fmt: on
