"""The transforms of text, as data; `explain_transforms` says how the rows are read."""

from __future__ import annotations

from weighbridge.compare.explain_transforms import VALUES, Transform

_C1 = "".join(
    chr(c) for c in range(0x80, 0xA0) if bytes([c]).decode("cp1252", "replace") != "\ufffd"
)
_CP1252 = _C1.encode("latin-1").decode("cp1252")
# As a reader sees it who takes each byte for a character of Windows-1252.
_AS_LATIN1 = f"translate({{x}}, '{_C1}{_CP1252}', '{_CP1252}{_C1}')"
_SPACES = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(160)"
_CRLF = "chr(13) || chr(10)"
_NUMBER = r"'[-+]?\d+([.,]\d+)?'"


def _unescaped(x: str) -> str:
    for code, char in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&#34;", '"'),
        ("&#39;", "''"),
        ("&#x27;", "''"),
        ("&apos;", "''"),
        ("&nbsp;", "\xa0"),
        ("&amp;", "&"),
    ):
        x = f"replace({x}, '{code}', '{char}')"
    return x


def _spaces() -> list[Transform]:
    found: list[Transform] = []
    for side, function, place in (
        ("_right", "rtrim", "at the end"),
        ("_left", "ltrim", "at the start"),
        ("", "trim", "around it"),
    ):
        left, right = (f"{function}({x}, {_SPACES})" for x in ("{l}", "{r}"))
        found += [
            Transform(
                f"trim{side}",  # pyright: ignore[reportArgumentType] - made of listed names
                "text",
                f"{{r}} = {left}",
                f"right is left without the spaces {place}",
            ),
            Transform(
                f"pad{side}",  # pyright: ignore[reportArgumentType] - made of listed names
                "text",
                f"{right} = {left} AND strlen({{r}}) > strlen({{l}})",
                f"right is left with more spaces {place}",
            ),
        ]
    collapsed = r"regexp_replace(trim({x}), '\s+', ' ', 'g')"
    left, right = collapsed.replace("{x}", "{l}"), collapsed.replace("{x}", "{r}")
    return [
        *found,
        Transform(
            "crlf_to_lf",
            "text",
            f"{{r}} = replace({{l}}, {_CRLF}, chr(10))",
            "right has LF where left has CR LF",
        ),
        Transform(
            "lf_to_crlf",
            "text",
            f"{{l}} = replace({{r}}, {_CRLF}, chr(10))",
            "right has CR LF where left has LF",
        ),
        Transform(
            "spaces_collapsed",
            "text",
            f"{{r}} = {left}",
            "right is left with each run of spaces made one",
        ),
        Transform(
            "whitespace",
            "text",
            f"{left} = {right}",
            "the sides differ only in white space",
            weak=True,
        ),
    ]


def _letters() -> list[Transform]:
    title = (
        "array_to_string(list_transform(string_split(lower({l}), ' '),"
        " lambda w: upper(left(w, 1)) || substr(w, 2)), ' ')"
    )
    found = [
        Transform("upper", "text", "{r} = upper({l})", "right is left in upper case"),
        Transform("lower", "text", "{r} = lower({l})", "right is left in lower case"),
        Transform(
            "title",
            "text",
            f"lower({{r}}) = lower({{l}}) AND {{r}} = {title}",
            "right is left with a capital at the start of each word",
        ),
        Transform(
            "case",
            "text",
            "lower({r}) = lower({l})",
            "the sides differ only in upper and lower case",
            weak=True,
        ),
        Transform(
            "nfc",
            "text",
            "{r} = nfc_normalize({l})",
            "right is left with letters and accents composed (NFC)",
        ),
        Transform(
            "nfd",
            "text",
            "{l} = nfc_normalize({r})",
            "right is left with letters and accents taken apart (NFD)",
        ),
        Transform(
            "accents_lost", "text", "{r} = strip_accents({l})", "right is left without accents"
        ),
    ]
    for outside, range_ in (
        ("ASCII", r"\x00-\x7F"),
        ("Latin-1", r"\x{0}-\x{FF}"),
        ("the BMP", r"\x{0}-\x{FFFF}"),
    ):
        for by, said in (("?", "is '?'"), ("", "is missing"), ("\ufffd", "is U+FFFD")):
            found.append(
                Transform(
                    "characters_lost",
                    "text",
                    f"{{r}} = regexp_replace({{l}}, '[^{range_}]', '{by}', 'g')",
                    f"each character outside {outside} {said} on the right",
                    detail={"outside": outside, "by": by},
                )
            )
    return found


def _bytes_of_latin1(x: str) -> str:
    r"""Write a text's Latin-1 bytes as DuckDB writes a BLOB: a byte beyond ASCII is \xHH.

    It starts from the UTF-8 bytes, where U+0080 to U+00BF are C2 and the byte itself, and
    U+00C0 to U+00FF are C3 and the byte less 40 hex. A backslash is \x5C, so \y is free.
    """
    x = f"replace(CAST(encode({x}) AS VARCHAR), '\\xC2', '')"
    for low, high in zip("89AB", "CDEF", strict=True):
        x = f"replace({x}, '\\xC3\\x{low}', '\\y{high}')"
    return f"replace({x}, '\\y', '\\x')"


def _encodings() -> list[Transform]:
    found: list[Transform] = []
    for encoding, words, sql in (
        ("latin-1", "Latin-1", "{x}"),
        ("cp1252", "Windows-1252", _AS_LATIN1),
    ):
        for name, x, y, said in (
            ("mojibake", "{l}", "{r}", f"right is left's UTF-8 read as {words}"),
            ("mojibake_repaired", "{r}", "{l}", f"left is right's UTF-8 read as {words}"),
        ):
            read = _bytes_of_latin1(sql.replace("{x}", y))
            found.append(
                Transform(
                    name,  # pyright: ignore[reportArgumentType] - a tuple's str, listed there
                    "text",
                    # One character per byte, which also keeps out characters beyond Latin-1.
                    f"length({y}) = strlen({x}) AND strlen({x}) > length({x})"
                    f" AND CAST(encode({x}) AS VARCHAR) = {read}",
                    said,
                    detail={"encoding": encoding},
                )
            )
    return found


def _lengths() -> list[Transform]:
    longest = "strlen({r}) <= N AND strlen(left({l}, length({r}) + 1)) > N"
    return [
        Transform(
            "truncate_chars",
            "text",
            "{r} = left({l}, CAST({p0} AS BIGINT))",
            "right is left cut at {p0} characters",
            fit="CASE WHEN starts_with({l}, {r}) THEN [CAST(length({r}) AS VARCHAR)] END",
            told=lambda p: (p[0], {"length": int(p[0])}),
        ),
        Transform(
            "truncate_bytes",
            "text",
            f"starts_with({{l}}, {{r}}) AND {longest.replace('N', 'CAST({p0} AS BIGINT)')}",
            "right is left cut at {p0} bytes",
            # A character of three bytes leaves up to two unused: every limit that fits this row.
            fit="CASE WHEN starts_with({l}, {r}) AND {l} <> {r} THEN list_transform("
            "range(strlen({r}), strlen(left({l}, length({r}) + 1))),"
            " lambda n: [CAST(n AS VARCHAR)]) END",
            several=True,
            told=lambda p: (p[0], {"bytes": int(p[0])}),
        ),
    ]


def _written() -> list[Transform]:
    """Numbers and dates as text."""
    separator = r"[nullif(regexp_extract({x}, '\d([,. ''\x{A0}\x{202F}_])\d{3}', 1), '')]"
    swapped = "translate({l}, '.,', ',.')"
    found: list[Transform] = []
    for name, x, y, said in (
        ("lost", "{l}", "{r}", "without the zeros in front"),
        ("added", "{r}", "{l}", "with zeros in front"),
    ):
        found.append(
            Transform(
                f"zeros_{name}",  # pyright: ignore[reportArgumentType] - made of listed names
                "text",
                rf"starts_with({x}, '0') AND {y} = regexp_replace({x}, '^0+(\d)', '\1')",
                f"right is left {said}",
            )
        )
    for name, x, y, said in (
        ("lost", "{l}", "{r}", "without the thousands separator {p}"),
        ("added", "{r}", "{l}", "with the thousands separator {p}"),
    ):
        found.append(
            Transform(
                f"separators_{name}",  # pyright: ignore[reportArgumentType] - made of listed names
                "text",
                f"{y} = replace({x}, {{p0}}, '') AND regexp_full_match({y}, {_NUMBER})",
                f"right is left {said}",
                fit=separator.replace("{x}", x),
                shows=("text",),
            )
        )
    return [
        *found,
        Transform(
            "decimal_comma",
            "text",
            f"{{r}} = {swapped} AND regexp_full_match({{l}}, '[-+]?\\d[\\d,]*\\.\\d+')",
            "right has a decimal comma where left has a point",
        ),
        Transform(
            "decimal_point",
            "text",
            f"{{r}} = {swapped} AND regexp_full_match({{l}}, '[-+]?\\d[\\d.]*,\\d+')",
            "right has a decimal point where left has a comma",
        ),
        Transform(
            "scientific",
            "text",
            r"regexp_full_match({r}, '[-+]?\d([.,]\d+)?[eE][-+]?\d+')"
            " AND abs(TRY_CAST(replace({r}, ',', '.') AS DOUBLE) / TRY_CAST({l} AS DOUBLE) - 1)"
            " < 0.01",
            "right is left in scientific notation, digits lost",
        ),
        Transform(
            "same_number",
            "text",
            "TRY_CAST({l} AS DOUBLE) = TRY_CAST({r} AS DOUBLE)",
            "the sides are the same number written in two ways",
            weak=True,
        ),
        Transform(
            "same_moment",
            "text",
            "TRY_CAST({l} AS TIMESTAMP) = TRY_CAST({r} AS TIMESTAMP)",
            "the sides are the same moment written in two ways",
            weak=True,
        ),
    ]


def _around() -> list[Transform]:
    """Marks around or in front of a text."""
    found: list[Transform] = []
    for name, x, y, said in (
        ("added", "{l}", "{r}", "in quotes"),
        ("removed", "{r}", "{l}", "without its quotes"),
    ):
        quoted = [f"'{q}' || {inner} || '{q}'" for q in ('"', "''") for inner in (x,)]
        doubled = f"""'"' || replace({x}, '"', '""') || '"'"""
        found.append(
            Transform(
                f"quotes_{name}",  # pyright: ignore[reportArgumentType] - made of listed names
                "text",
                f"{y} IN ({', '.join([*quoted, doubled])})",
                f"right is left {said}",
            )
        )
    for name, x, y, said in (
        ("html_escaped", "{r}", "{l}", "with &, < and > as HTML writes them"),
        ("html_unescaped", "{l}", "{r}", "with HTML's &amp; and the like turned back"),
    ):
        found.append(
            Transform(
                name,  # pyright: ignore[reportArgumentType] - a tuple's str, listed there
                "text",
                f"contains({x}, '&') AND {y} = {_unescaped(x)}",
                f"right is left {said}",
            )
        )
    for done, x, y, said in (("added", "{l}", "{r}", "and"), ("removed", "{r}", "{l}", "without")):
        extra = f"CASE WHEN {x} <> '' AND T({y}, {x}) THEN [C({y}, length({y}) - length({x}))] END"
        for part, test, cut, glued, place in (
            ("prefix", "ends_with", "left", f"{{p0}} || {x}", "in front"),
            ("suffix", "starts_with", "right", f"{x} || {{p0}}", "behind"),
        ):
            found.append(
                Transform(
                    f"{part}_{done}",  # pyright: ignore[reportArgumentType] - made of listed names
                    "text",
                    f"{y} = {glued}",
                    f"right is left {said} {{p}} {place}",
                    fit=extra.replace("T(", f"{test}(").replace("C(", f"{cut}("),
                    shows=("text",),
                )
            )
    return found


TEXT: tuple[Transform, ...] = (
    *_spaces(),
    *_letters(),
    *_encodings(),
    *_lengths(),
    *_written(),
    *_around(),
)
"""The transforms of text."""

TRANSFORMS: tuple[Transform, ...] = (*VALUES, *TEXT)
"""All, in the order in which they win ties."""
