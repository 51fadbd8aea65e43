"""HTML from Python calls: whatever is not made here is text, and text is escaped. No templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from weighbridge.report.chars import Piece
from weighbridge.report.shown import Shown
from weighbridge.types.safe_text import LEGEND

_VOID = frozenset({"meta", "input"})
# The signs that safe_text writes; its dots stand for spaces at the end, never elsewhere.
_SIGN = re.compile(
    "⟦[^⟧]*⟧|[" + "".join(sign for sign in LEGEND if len(sign) == 1 and sign != "·") + "]|·+(?='?$)"
)


class Html(str):
    """Text that is markup already. Only `tag`, `joined` and `raw` make it."""

    __slots__ = ()


Child = str | Html | None


def raw(text: str) -> Html:
    """Take text of ours (style sheet, script) as markup; never call it with data."""
    return Html(text)


def text_of(child: Child) -> Html:
    """Escape a child, unless it is markup already."""
    if child is None:
        return Html("")
    return child if isinstance(child, Html) else Html(escape(child, quote=True))


def joined(children: Iterable[Child]) -> Html:
    """Put children behind one another."""
    return Html("".join(text_of(child) for child in children))


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Html:
    """Make an element. `class_` is `class`, `aria_label` is `aria-label`; False or None leave out."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        parts.append(attribute if value is True else f'{attribute}="{escape(value, quote=True)}"')
    opened = f"<{' '.join(parts)}>"
    return Html(opened if name in _VOID else f"{opened}{joined(children)}</{name}>")


def data(text: str) -> Html:
    """Give safe text from a side, so that right-to-left letters reorder only themselves."""
    return tag("bdi", text)


def value(side: Shown) -> Html:
    """Give a value with its changed characters in `mark` and its signs named for screen readers."""
    if side.null:
        body = tag("span", "NULL", class_="null")
    else:
        body = tag("bdi", joined(_piece(piece) for piece in side.pieces), class_="value")
    return joined([body, " ", tag("span", side.note, class_="note")]) if side.note else body


def _piece(piece: Piece) -> Html:
    signs = _with_signs(piece.text)
    if not piece.changed:
        return signs
    return tag("mark", signs) if piece.text else Html("")


def _with_signs(text: str) -> Html:
    parts: list[Child] = []
    end = 0
    for match in _SIGN.finditer(text):
        parts.extend([text[end : match.start()], _sign(match.group())])
        end = match.end()
    return joined([*parts, text[end:]])


def _sign(sign: str) -> Html:
    words = sign_words(sign)
    return tag("span", sign, class_="sign", role="img", aria_label=words, title=words)


def sign_words(sign: str) -> str:
    """Say what a sign of safe_text stands for."""
    if sign.startswith("·"):
        return LEGEND["·"] if len(sign) == 1 else f"{len(sign)} spaces at the end"
    if sign.startswith("⟦U+"):
        return f"{LEGEND['⟦U+']} {sign[1:-1]}"
    return LEGEND.get(sign, sign)


def signs_in(text: str) -> set[str]:
    """Find the legend's entries that a shown text needs."""
    found = {match.group() for match in _SIGN.finditer(text)}
    return {"·" if sign[0] == "·" else "⟦U+" if sign.startswith("⟦U+") else sign for sign in found}
