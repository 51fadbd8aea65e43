"""The transforms of letters and their encoding, as data: rows of `explain_transforms`."""

from __future__ import annotations

from weighbridge.compare.explain_transforms import Transform

_C1 = "".join(
    chr(c) for c in range(0x80, 0xA0) if bytes([c]).decode("cp1252", "replace") != "\ufffd"
)
_CP1252 = _C1.encode("latin-1").decode("cp1252")
# As a reader sees it who takes each byte for a character of Windows-1252.
_AS_LATIN1 = f"translate({{x}}, '{_C1}{_CP1252}', '{_CP1252}{_C1}')"


def _letters() -> list[Transform]:
    title = (
        "array_to_string(list_transform(string_split(lower({l}), ' '),"
        " lambda w: upper(left(w, 1)) || substr(w, 2)), ' ')"
    )
    return [
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


def _lost() -> list[Transform]:
    found: list[Transform] = []
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


LETTERS: tuple[Transform, ...] = (*_letters(), *_lost(), *_encodings())
"""The transforms of letters: case, accents, encodings."""
