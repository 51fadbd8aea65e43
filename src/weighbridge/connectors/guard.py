"""What SQL of users is let through to a server: one read-only query, or one condition.

Three readings must agree: our lexer (guard_lexer), sqlglot's tokens, sqlglot's tree. What is
given back is the user's own text without its comments, so the server reads what was checked.
This is the second fence; the first is a read-only transaction, and the third a role that may
only read. `quote` and `table_name` are at home in `names` and are given on from here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from weighbridge.connectors import guard_lists as lists
from weighbridge.connectors.guard_lexer import Lexed, Token, lex, refuse, shown
from weighbridge.connectors.names import quote, style_of, table_name
from weighbridge.errors import BadQuery

if TYPE_CHECKING:
    from sqlglot import Expr
    from sqlglot.expressions import Table, Where

__all__ = ["check_filter", "check_query", "quote", "table_name"]

# sqlglot quotes the SQL in its warnings: they are for who asks, not for the terminal.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

_READ_ONLY = "Give one SELECT that only reads."
_ONE_CONDITION = "Give one condition; join several with AND or OR."
_WORD_KINDS = frozenset({"word", "name"})


def check_query(sql: str, dialect: str) -> str:
    r"""Check that the text is one read-only query, and give it without comments and semicolon.

    The result can stand as `SELECT … FROM (\n{sql}\n) AS q`: its brackets and quotes are
    balanced and it has no comment. Raises BadQuery, which names the part that is refused;
    BadArgument for an unknown dialect.
    """
    style_of(dialect)
    lexed = _without_end(sql, lex(sql, dialect, comments=True))
    _check_start(sql, lexed, dialect)
    _check_words(sql, lexed.tokens, dialect)
    for token in _calls(lexed.tokens):
        if token.kind == "string" or lists.FORBIDDEN_CALLS[dialect].fullmatch(token.value.lower()):
            raise refuse(sql, token.start, f"a call of {shown(token.value)}", _READ_ONLY)
        if not token.value.isascii():
            raise refuse(
                sql, token.start, f"a call of {shown(token.value)}", "Call functions in ASCII."
            )
    tree = _parse(lexed, dialect)
    if not _ancestry(tree) & {"Query", "Values"}:
        raise BadQuery(f"The SQL is not a query but {_kind(tree)}.", next_step=_READ_ONLY)
    for node in tree.walk():
        if _ancestry(node) & lists.FORBIDDEN_NODES:
            raise BadQuery(f"The SQL cannot be used: found {_kind(node)}.", next_step=_READ_ONLY)
        if type(node).__name__ == "Table":
            _check_table(cast("Table", node), dialect)
    return lexed.text.strip()


def check_filter(sql: str, dialect: str) -> str:
    r"""Check that the text is one condition on the columns of a row, and give it stripped.

    The result can stand as `WHERE (\n{sql}\n)`. Raises BadQuery for a subquery, an aggregate, a
    comment, a call that is not known to be harmless, or a value that is no condition.
    """
    style_of(dialect)
    lexed = lex(sql, dialect, comments=False)
    if not lexed.tokens:
        raise BadQuery("The filter is empty.", next_step="Leave it out, or give a condition.")
    _check_words(sql, lexed.tokens, dialect)
    for token in lexed.tokens:
        if token.mark == ";" or (token.kind == "word" and token.value == "select"):
            raise refuse(sql, token.start, shown(token.value), "Give one condition alone.")
    for token in _calls(lexed.tokens):
        if token.kind == "string" or token.value.lower() not in lists.FILTER_CALLS:
            step = "Use a common function of one row, or give a query instead of a table."
            raise refuse(sql, token.start, f"a call of {shown(token.value)}", step)
    condition = _condition(lexed, dialect)
    for node in condition.walk():
        classes = _ancestry(node)
        call = "Func" in classes and not classes & lists.FILTER_NOT_CALLED
        if _is_name_of_type(node) or type(node).__name__ in lists.FILTER_NODES:
            continue
        if not call:
            raise BadQuery(
                f"The filter cannot be used: found {_kind(node)}.",
                next_step="Give a condition on the columns, such as status = 'paid'.",
            )
    _check_root(condition)
    return sql.strip()


def _condition(lexed: Lexed, dialect: str) -> Expr:
    tree = _parse(lexed, dialect, before="SELECT 1 FROM t WHERE (\n", after="\n)")
    parts = {key for key, value in tree.args.items() if value}
    where = cast("Where | None", tree.args.get("where"))
    if where is None or parts != {"expressions", "from_", "where"}:
        raise BadQuery("The filter is more than a condition.", next_step=_ONE_CONDITION)
    paren = cast("Expr", where.this)
    if type(paren).__name__ != "Paren":
        raise BadQuery("The filter is more than one condition.", next_step=_ONE_CONDITION)
    return cast("Expr", paren.this)


def _is_name_of_type(node: Expr) -> bool:
    # x::public.my_enum; a dot anywhere else can be a call, as in (row).function.
    return type(node).__name__ == "Dot" and type(node.parent).__name__ == "DataType"


def _check_root(condition: Expr) -> None:
    root = condition
    while type(root).__name__ in {"Paren", "Collate"}:
        root = cast("Expr", root.this)
    if type(root).__name__ in lists.FILTER_VALUES:
        raise BadQuery(
            f"The filter is not a condition but {_kind(root)}.",
            next_step="Compare it with something, such as column = 'value'.",
        )


def _without_end(sql: str, lexed: Lexed) -> Lexed:
    """Drop semicolons at the end; refuse any other."""
    tokens, text = list(lexed.tokens), lexed.text
    while tokens and tokens[-1].mark == ";":
        text = text[: tokens.pop().start]
    for token in tokens:
        if token.mark == ";":
            raise refuse(sql, token.start, "a second statement", _READ_ONLY)
    return Lexed(text, tuple(tokens))


def _check_start(sql: str, lexed: Lexed, dialect: str) -> None:
    first = next((t for t in lexed.tokens if t.mark != "("), None)
    starts = {"select", "with", "values"} | ({"from"} if dialect == "duckdb" else set())
    if first is None:
        raise BadQuery("The SQL is empty.", next_step=_READ_ONLY)
    if first.kind != "word" or first.value not in starts:
        raise refuse(sql, first.start, f"{shown(first.value)} where a query begins", _READ_ONLY)


def _check_words(sql: str, tokens: tuple[Token, ...], dialect: str) -> None:
    for before, token, after in _neighbours(tokens):
        if token.kind != "word":
            continue
        pair = (token.value, after.value if after else "")
        statement = token.value in lists.STATEMENT_WORDS and before and before.mark == "("
        # INSERT(…) and REPLACE(…) are functions too.
        if statement and pair[1] not in {"(", ")", ",", "."} and after and after.kind != "symbol":
            raise refuse(sql, token.start, f"{shown(token.value)} in brackets", _READ_ONLY)
        if token.value in lists.FORBIDDEN_WORDS:
            raise refuse(sql, token.start, shown(token.value), _READ_ONLY)
        if dialect == "sqlite" and token.value == "in" and pair[1] != "(":
            raise refuse(sql, token.start, "IN without brackets, which reads a table", _READ_ONLY)
        if pair in lists.FORBIDDEN_PAIRS:
            raise refuse(sql, token.start, shown(" ".join(pair)), _READ_ONLY)


def _neighbours(
    tokens: tuple[Token, ...],
) -> Iterator[tuple[Token | None, Token, Token | None]]:
    return zip((None, *tokens), tokens, (*tokens[1:], None), strict=False)


def _calls(tokens: tuple[Token, ...]) -> Iterator[Token]:
    """Give what stands before an opening bracket and could be the name of a function."""
    for _, token, after in _neighbours(tokens):
        if after is None or after.mark != "(":
            continue
        if token.kind == "word" and token.value in lists.KEYWORDS_BEFORE_BRACKET:
            continue
        if token.kind in _WORD_KINDS or token.kind == "string":
            yield token


def _check_table(table: Table, dialect: str) -> None:
    name = ".".join(part.name for part in table.parts)
    last = name.rpartition(".")[2]
    pattern = lists.FORBIDDEN_TABLES[dialect]
    if pattern.fullmatch(name.lower()) or pattern.fullmatch(last.lower()):
        raise BadQuery(
            f"The SQL cannot be used: found the relation {shown(name)}.",
            next_step="Read a table or a view of your data; give a file as a side of its own.",
        )


def _parse(lexed: Lexed, dialect: str, *, before: str = "", after: str = "") -> Expr:
    """Parse with sqlglot, and hold that it sees the same quoted parts as our lexer."""
    import sqlglot  # noqa: PLC0415 half a second, and only user SQL needs it

    text = before + lexed.text + after
    try:
        seen = sqlglot.tokenize(text, dialect=dialect)
        trees = sqlglot.parse(text, dialect=dialect)
    except Exception as error:  # noqa: BLE001 sqlglot fails in many ways on broken SQL
        raise _unparsable(error, lexed.text, before.count("\n")) from None
    ours = {len(before) + t.end - 1 for t in lexed.tokens if t.kind in {"string", "name"}}
    if ours != {t.end for t in seen if text[t.end] in "'\"`"}:
        raise BadQuery(
            "The SQL has quotes that can be read in two ways.",
            next_step="Write strings in '…' and double a quote inside them.",
        )
    if len(trees) != 1 or trees[0] is None:
        raise BadQuery(f"The SQL has {len(trees)} statements.", next_step=_READ_ONLY)
    return trees[0]


def _unparsable(error: Exception, text: str, above: int) -> BadQuery:
    """Say where the user's own text is at fault; `above` lines stand before it."""
    places: list[dict[str, Any]] = getattr(error, "errors", None) or [{}]
    line, near = places[0].get("line"), places[0].get("highlight")
    where = ""
    if near and line and line - above <= text.count("\n") + 1:
        where = f" near {shown(str(near))} at line {line - above}"
    elif near:
        where = " at its end"
    return BadQuery(
        f"The SQL cannot be understood{where}.",
        next_step="Correct it, or put it in a view on the server and compare the view.",
    )


def _ancestry(node: Expr) -> set[str]:
    return {base.__name__ for base in type(node).__mro__}


def _kind(node: Expr) -> str:
    name = type(node).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name.upper()}"
