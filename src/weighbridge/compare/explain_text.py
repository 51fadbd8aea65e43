"""The transforms of what surrounds and formats a text, as data; `explain_transforms` says how the rows are read."""

from __future__ import annotations

from weighbridge.compare.explain_transforms import Transform

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
    return found


def _inside() -> list[Transform]:
    collapsed = r"regexp_replace(trim({x}), '\s+', ' ', 'g')"
    left, right = collapsed.replace("{x}", "{l}"), collapsed.replace("{x}", "{r}")
    return [
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


def _lengths() -> list[Transform]:
    limit = "CAST({p0} AS BIGINT)"
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
            f"starts_with({{l}}, {{r}}) AND strlen({{r}}) <= {limit}"
            f" AND strlen(left({{l}}, length({{r}}) + 1)) > {limit}",
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
    """Zeros and separators of numbers as text."""
    separator = r"[nullif(regexp_extract({x}, '\d([,. ''\x{A0}\x{202F}_])\d{3}', 1), '')]"
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
    return found


def _formats() -> list[Transform]:
    swapped = "translate({l}, '.,', ',.')"
    return [
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
    """Quotes and markup."""
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
    return found


def _affixes() -> list[Transform]:
    found: list[Transform] = []
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
    *_inside(),
    *_lengths(),
    *_written(),
    *_formats(),
    *_around(),
    *_affixes(),
)
"""The transforms of spaces, lengths, and of numbers and dates as text."""
