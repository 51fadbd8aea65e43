"""User SQL as tokens, by a reader that refuses whatever two readers could read differently.

The server, sqlglot and this file must agree on where strings, names and comments end: a
statement that hides behind a disagreement is how guards of this kind are passed. So what is
rare and ambiguous is refused with a way to write it plainly, and comments are blanked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from weighbridge.errors import BadQuery
from weighbridge.types.safe_text import safe_text

MAX_LENGTH = 200_000
MAX_DEPTH = 100

Kind = Literal["word", "name", "string", "number", "symbol", "comment"]


@dataclass(frozen=True, slots=True)
class Token:
    """`value`: a word in lower case, a quoted name without its quotes, else the text."""

    kind: Kind
    value: str
    start: int
    end: int

    @property
    def mark(self) -> str:
        """The symbol that this is; nothing for a quoted name that is spelled like one."""
        return self.value if self.kind == "symbol" else ""


@dataclass(frozen=True, slots=True)
class Lexed:
    """`text` has a blank for each character of a comment, so positions are the user's."""

    text: str
    tokens: tuple[Token, ...]


_WORD = re.compile(r"[^\W\d][\w$]*")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]+|0[bB][01]+|([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SPACE = re.compile(r"[ \t\n\r\f]+")
_NAME_MARKS = {"postgres": '"', "duckdb": '"', "sqlite": '"`', "mysql": "`"}
_STRING_MARKS = {"postgres": "'", "duckdb": "'", "sqlite": "'", "mysql": "'\""}
# Variables, parameters, templates and other quotes: sqlglot or a driver gives them a meaning
# that the server does not, or the other way round.
_REFUSED = {
    "postgres": "`\\${}",
    "duckdb": "`\\$#@?",
    "sqlite": "\\$#@?:{}[]",
    "mysql": "\\$@?{}[]",
}
# An assignment in MySQL; a template for sqlglot, in which {# begins a comment.
_REFUSED_PAIRS = frozenset({"mysql:=", "duckdb{{", "duckdb{%", "duckdb{#"})
_CLOSING = {")": "(", "]": "[", "}": "{"}


def refuse(sql: str, at: int, found: str, next_step: str) -> BadQuery:
    """Make the error for something at a place in the user's SQL."""
    line = sql.count("\n", 0, at) + 1
    column = at - sql.rfind("\n", 0, at)
    return BadQuery(
        f"The SQL cannot be used: found {found} at line {line}, column {column}.",
        next_step=next_step,
    )


def shown(text: str) -> str:
    """Quote a part of the user's SQL in a message: short, and with nothing hostile in it."""
    return f"'{safe_text(text if len(text) <= 40 else text[:39] + '…')}'"


def lex(sql: str, dialect: str, *, comments: bool) -> Lexed:
    """Read SQL of one of the four dialects. Raises BadQuery at the first doubtful thing.

    `comments`: whether they are blanked out; otherwise they are refused too.
    """
    if len(sql) > MAX_LENGTH:
        raise refuse(sql, 0, f"{len(sql)} characters", f"Write it in {MAX_LENGTH} or fewer.")
    bad = re.search(r"[\x00\ud800-\udfff]", sql)
    if bad:
        raise refuse(sql, bad.start(), shown(bad.group()), "Remove the character.")
    text = list(sql)
    tokens: list[Token] = []
    for token in _parts(sql, dialect):
        if token.kind != "comment":
            tokens.append(token)
        elif not comments:
            raise refuse(sql, token.start, "a comment", "Remove the comment.")
        else:
            text[token.start : token.end] = (c if c == "\n" else " " for c in token.value)
    _check_brackets(sql, tokens)
    return Lexed("".join(text), tuple(tokens))


def _parts(sql: str, dialect: str) -> Iterator[Token]:
    """Give the tokens, comments among them."""
    at = 0
    while at < len(sql):
        space = _SPACE.match(sql, at)
        if space:
            if re.search(r"\r(?!\n)", space.group()):
                raise refuse(sql, at, "a carriage return alone", "End lines with a line feed.")
            at = space.end()
            continue
        end = _comment_end(sql, at, dialect)
        if end:
            yield Token("comment", sql[at:end], at, end)
        else:
            token = _token(sql, at, dialect)
            end = token.end
            yield token
        at = end


def _token(sql: str, at: int, dialect: str) -> Token:
    char = sql[at]
    if char in _STRING_MARKS[dialect]:
        end = _quoted_end(sql, at)
        return Token("string", sql[at:end], at, end)
    if char in _NAME_MARKS[dialect]:
        end = _quoted_end(sql, at)
        return Token("name", sql[at + 1 : end - 1].replace(char * 2, char), at, end)
    number = _NUMBER.match(sql, at)
    if number:
        end = number.end()
        if re.match(r"[\w$]", sql[end : end + 1]):
            # 1union, 1into: some servers end the number there and some do not.
            raise refuse(
                sql, at, f"a number that runs into {shown(sql[end])}", "Put a space there."
            )
        return Token("number", number.group(), at, end)
    word = _WORD.match(sql, at)
    if word:
        return _word(sql, word)
    pair = dialect + sql[at : at + 2]
    if char in _REFUSED[dialect] or not "!" <= char <= "~" or pair in _REFUSED_PAIRS:
        raise refuse(
            sql, at, shown(char), f"Write it without this character, which {dialect} SQL can avoid."
        )
    return Token("symbol", char, at, at + 1)


def _word(sql: str, word: re.Match[str]) -> Token:
    text, end = word.group(), word.end()
    if not text.isascii() and (text.upper().isascii() or text.lower().isascii()):
        # sqlglot would read SELECT with the long s, U+017F, as the keyword.
        raise refuse(sql, word.start(), shown(text), "Write keywords in plain letters.")
    if text.lower() == "u" and re.match("&['\"]", sql[end : end + 2]):
        raise refuse(sql, word.start(), "a U& string or name", "Write the characters themselves.")
    return Token("word", text.lower(), word.start(), end)


def _quoted_end(sql: str, at: int) -> int:
    """Give where a quoted text ends; refuse one that ends elsewhere if backslash escapes."""
    mark = sql[at]
    plain = re.compile(f"{mark}(?:[^{mark}]|{mark}{mark})*+{mark}").match(sql, at)
    if plain is None:
        raise refuse(
            sql, at, f"a {mark} that is not closed", f"Close it, or double a {mark} in it."
        )
    escaping = re.compile(rf"{mark}(?:[^{mark}\\]|\\.|{mark}{mark})*+{mark}", re.DOTALL)
    other = escaping.match(sql, at)
    if other is None or other.end() != plain.end():
        raise refuse(
            sql,
            at,
            f"a backslash before a {mark}",
            f"Write a {mark} inside quotes as {mark}{mark}.",
        )
    return plain.end()


def _comment_end(sql: str, at: int, dialect: str) -> int | None:
    """Give where a comment that begins here ends, None if none does."""
    if sql.startswith("/*", at):
        return _block_end(sql, at)
    if sql.startswith("--", at):
        if dialect == "mysql" and not re.match(r"[ \t\n]|$", sql[at + 2 : at + 3]):
            raise refuse(sql, at, "-- without a space after it", "Write `-- ` or `- -`.")
    elif not (sql[at] == "#" and dialect == "mysql"):
        return None
    end = sql.find("\n", at)
    end = len(sql) if end < 0 else end
    if re.search(r"\r(?!\n)", sql[at : end + 1]):
        raise refuse(sql, at, "a carriage return in a comment", "Remove the comment.")
    return end


def _block_end(sql: str, at: int) -> int:
    if re.match(r"/\*M?!", sql[at : at + 4]):
        raise refuse(
            sql, at, "an executable comment", "Write its content as plain SQL, or drop it."
        )
    close = sql.find("*/", at + 2)
    if close < 0:
        raise refuse(sql, at, "a comment that is not closed", "Close it with */.")
    if "/*" in sql[at + 2 : close]:
        raise refuse(sql, at, "a comment inside a comment", "Remove one of them.")
    return close + 2


def _check_brackets(sql: str, tokens: list[Token]) -> None:
    """Hold that no bracket closes what it did not open, so that the text can be wrapped."""
    opened: list[Token] = []
    for token in tokens:
        if token.kind != "symbol":
            continue
        if token.value in _CLOSING.values():
            opened.append(token)
            if len(opened) > MAX_DEPTH:
                raise refuse(sql, token.start, f"{MAX_DEPTH} nested brackets", "Nest fewer.")
        elif token.value in _CLOSING and (
            not opened or opened.pop().value != _CLOSING[token.value]
        ):
            raise refuse(sql, token.start, f"a {token.value} too many", "Balance the brackets.")
    if opened:
        last = opened[-1]
        raise refuse(sql, last.start, f"a {last.value} that is not closed", "Balance the brackets.")
