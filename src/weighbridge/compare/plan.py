"""What is compared and how: key, pairs of columns, strategy, and the reasons for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, cast

from weighbridge.compare.normalise import ColumnPair, pair_columns
from weighbridge.compare.result import Key, NotCompared, Schema, TypeChange
from weighbridge.compare.strategy import choose_strategy
from weighbridge.errors import BadArgument, NoSuchColumn, NotComparable

if TYPE_CHECKING:
    from weighbridge.compare.request import Options
    from weighbridge.connectors.base import Source
    from weighbridge.types.columns import Column, Shape

Chosen = Literal["checksum", "stream", "join"]
KeySource = Literal["given", "primary_key", "unique_index", "inferred", "whole_row"]


@dataclass(frozen=True)
class Plan:
    """Everything that was decided before a row is read."""

    keys: tuple[ColumnPair, ...]
    values: tuple[ColumnPair, ...]
    key_source: KeySource
    unique: tuple[bool, bool]
    not_compared: tuple[NotCompared, ...]
    schema: Schema
    strategy: Chosen
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def whole_row(self) -> bool:
        """Tell whether rows have no key and are compared as a multiset."""
        return self.key_source == "whole_row"

    @property
    def key(self) -> Key:
        """Give the key as the verdict shows it."""
        return Key(
            tuple(p.left.name for p in self.keys),
            tuple(p.right.name for p in self.keys),
            self.key_source,
        )


def make_plan(
    sources: tuple[Source, Source],
    shapes: tuple[Shape, Shape],
    options: Options,
    *,
    look: bool = True,
) -> Plan:
    """Decide everything. Raises NoSuchColumn, NotComparable, BadArgument.

    Without `look` no row of a server is read, and a key that only the data can tell is a guess.
    """
    partners = match_names(shapes, options)
    key_names, key_source, warning = find_key(sources, shapes, partners, options, look=look)
    chosen, left_out = choose_columns(shapes, partners, options)
    declared = shapes
    if len(key_names) == 1 and key_names[0] not in options.rules:
        shapes = with_numbers(sources, shapes, (key_names[0], partners[key_names[0]]))
    pairs: list[ColumnPair] = []
    not_compared = list(left_out)
    for left in (*key_names, *(c for c in chosen if c not in key_names)):
        made = _pair(sources, shapes, (left, partners[left]), options)
        if isinstance(made, NotCompared):
            if left in key_names:
                raise NotComparable(
                    f"The key column {left} cannot be compared: {made.reason}.",
                    next_step="Choose another key with --key.",
                )
            not_compared.append(made)
        else:
            pairs.append(made)
    keys = tuple(_as_key(p) for p in pairs[: len(key_names)])
    values = tuple(pairs[len(key_names) :])
    if key_source == "whole_row":
        keys, values = tuple(_as_key(p) for p in values), ()
    if not keys:
        raise NotComparable(
            "The sides have no column in common.",
            next_step="Name partners with --map left=right.",
        )
    unique = cast(
        "tuple[bool, bool]",
        tuple(
            shape.enforces(tuple((p.left, p.right)[side].name for p in keys))
            for side, shape in enumerate(shapes)
        ),
    )
    if any(p.loose or p.rule.startswith("uuid") for p in keys):
        unique = (False, False)
    plan = Plan(
        keys, values, key_source, unique, tuple(not_compared), compare_shapes(declared, partners),
        "stream", (), (warning,) if warning else (),
    )  # fmt: skip
    strategy, reasons = choose_strategy(sources, plan, options)
    return replace(plan, strategy=strategy, reasons=reasons)


# Names -----------------------------------------------------------------------------------


def match_names(shapes: tuple[Shape, Shape], options: Options) -> dict[str, str]:
    """Pair column names, left to right: by `rename`, then exactly, then whatever the case."""
    left, right = ([c.name for c in s.columns] for s in shapes)
    for ours, theirs in options.rename.items():
        _known(ours, left, "left")
        _known(theirs, right, "right")
    taken = set(options.rename.values())
    partners = dict(options.rename)
    for name in left:
        if name not in partners and name in right and name not in taken:
            partners[name] = name
            taken.add(name)
    folded: dict[str, list[str]] = {}
    for name in right:
        if name not in taken:
            folded.setdefault(name.lower(), []).append(name)
    for name in left:
        near = folded.get(name.lower(), [])
        if name not in partners and len(near) == 1:
            partners[name] = near.pop()
    return partners


def _known(name: str, names: Sequence[str], side: str) -> None:
    if name not in names:
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        raise NoSuchColumn(
            f"There is no column {name!r} on the {side}.",
            next_step=f"Did you mean {' or '.join(near)}?"
            if near
            else f"It has {', '.join(names[:20])}.",
        )


def choose_columns(
    shapes: tuple[Shape, Shape], partners: dict[str, str], options: Options
) -> tuple[list[str], list[NotCompared]]:
    """List the left names to compare, and what is left out with the reason."""
    left, right = ([c.name for c in s.columns] for s in shapes)
    wanted = None if options.columns is None else _expanded(options.columns, left)
    unwanted = _expanded(options.exclude, list(dict.fromkeys([*left, *right])))
    for name in (*options.tolerances, *options.rules):
        _known(name, left, "left")
    for name in wanted or ():
        if name not in partners:
            raise NoSuchColumn(
                f"The column {name!r} has no partner on the right.",
                next_step="Name its partner with --map left=right.",
            )
    out = [NotCompared(n, "left", "only on the left") for n in left if n not in partners]
    held = set(partners.values())
    out += [NotCompared(n, "right", "only on the right") for n in right if n not in held]
    chosen: list[str] = []
    for name in (n for n in left if n in partners):
        if name in unwanted or partners[name] in unwanted:
            out.append(NotCompared(name, "both", "left out on request"))
        elif wanted is not None and name not in wanted:
            out.append(NotCompared(name, "both", "not among the columns asked for"))
        else:
            chosen.append(name)
    return chosen, out


def _expanded(wishes: Sequence[str], names: Sequence[str]) -> list[str]:
    """Expand names in which % stands for any letters, as data-diff's users write them."""
    found: list[str] = []
    for wish in wishes:
        parts = [re.escape(part) for part in wish.split("%")]
        matching = [n for n in names if re.fullmatch(".*".join(parts), n)]
        if wish in names:
            matching = [wish]
        if not matching:
            _known(wish, names, "left")
        found += matching
    return found


def _pair(
    sources: tuple[Source, Source],
    shapes: tuple[Shape, Shape],
    names: tuple[str, str],
    options: Options,
) -> ColumnPair | NotCompared:
    columns = cast(
        "tuple[Column, Column]",
        tuple(shape.column(name) for shape, name in zip(shapes, names, strict=True)),
    )
    natives = (sources[0].native(columns[0]), sources[1].native(columns[1]))
    return pair_columns(
        columns,
        natives,
        rules=options.rules.get(names[0], ()),
        tolerance=options.tolerances.get(names[0]),
    )


def _as_key(pair: ColumnPair) -> ColumnPair:
    """Make a key's rule part of the key itself: rows must meet under it."""
    if pair.near is not None:
        raise BadArgument(
            f"The key column {pair.name} cannot have a tolerance.",
            next_step="Leave the tolerance away, or choose another key.",
        )
    if pair.loose is None or pair.rule in {"json", "xml"}:
        return replace(pair, loose=None)
    strict = tuple(pair.loose.replace("{x}", f"({s})") for s in pair.strict)
    return replace(pair, strict=(strict[0], strict[1]), form=None)


# The key ---------------------------------------------------------------------------------


def find_key(
    sources: tuple[Source, Source],
    shapes: tuple[Shape, Shape],
    partners: dict[str, str],
    options: Options,
    *,
    look: bool,
) -> tuple[tuple[str, ...], KeySource, str | None]:
    """Find the columns that name a row: (left names, who said so, warning)."""
    if options.key:
        for name in options.key:
            _known(name, [c.name for c in shapes[0].columns], "left")
            if name not in partners:
                raise NoSuchColumn(
                    f"The key column {name!r} has no partner on the right.",
                    next_step="Name its partner with --map left=right.",
                )
        return options.key, "given", None
    back = {right: left for left, right in partners.items()}
    for side, shape in enumerate(shapes):
        for source, held in (
            ("primary_key", shape.primary_key),
            *(("unique_index", u) for u in shape.unique),
        ):
            names = [n if side == 0 else back.get(n, "") for n in held]
            if held and all(n in partners for n in names):
                return tuple(names), cast("KeySource", source), None
    for name in shapes[0].likely_keys(partners):
        if not look:
            note = f"No key was given or declared: the diff will look whether {name} is unique."
            return (name,), "inferred", note
        if _is_unique(sources, shapes, (name, partners[name])):
            note = f"No key was given or declared: {name} is unique on both sides and was taken."
            return (name,), "inferred", note
    note = "No key was given or found: whole rows are compared, so no row can be 'changed'."
    return (), "whole_row", note


def _is_unique(
    sources: tuple[Source, Source], shapes: tuple[Shape, Shape], names: tuple[str, str]
) -> bool:
    for source, shape, name in zip(sources, shapes, names, strict=True):
        column = shape.column(name)
        if column is None or not source.is_unique((column,)):
            return False
    return True


def with_numbers(
    sources: tuple[Source, Source], shapes: tuple[Shape, Shape], key: tuple[str, str]
) -> tuple[Shape, Shape]:
    """Let the key of a CSV be the whole numbers that it is, if the rows lie in their order.

    Both sides can then be read side by side. Nothing is lost: each text is the one that its
    number is written as.
    """
    made: list[Shape] = []
    for source, shape, name in zip(sources, shapes, key, strict=True):
        column = shape.column(name)
        if column is not None and column.type.family == "int":
            made.append(shape)
        elif column is not None and column.type.loose and source.in_order(column):
            number = replace(column, type=replace(column.type, family="int", bits=64))
            listed = tuple(number if c is column else c for c in shape.columns)
            made.append(replace(shape, columns=listed))
        else:
            return shapes
    return made[0], made[1]


# Schema ----------------------------------------------------------------------------------


def compare_shapes(shapes: tuple[Shape, Shape], partners: dict[str, str]) -> Schema:
    """Compare the column lists; a declared type is compared within a vendor's own words."""
    left, right = shapes
    held = set(partners.values())
    changes: list[TypeChange] = []
    for ours, theirs in partners.items():
        a, b = left.column(ours), right.column(theirs)
        if a and b and not a.type.loose and not b.type.loose and _type_differs(a, b):
            changes.append(TypeChange(ours, a.type.declared, b.type.declared))
    order = [right.column(partners[c.name]) for c in left.columns if c.name in partners]
    places = [c.ordinal for c in order if c]
    names = [c.name for c in left.columns if c.name in partners]
    keep = _longest_rising(places)
    return Schema(
        added=tuple(c.name for c in right.columns if c.name not in held),
        removed=tuple(c.name for c in left.columns if c.name not in partners),
        type_changed=tuple(changes),
        reordered=tuple(n for i, n in enumerate(names) if i not in keep),
    )


def _type_differs(a: Column, b: Column) -> bool:
    if a.type.declared.lower() == b.type.declared.lower():
        return False
    same = (a.type.family, a.type.precision, a.type.scale if a.type.family == "decimal" else None)
    other = (b.type.family, b.type.precision, b.type.scale if b.type.family == "decimal" else None)
    if same != other:
        return True
    if a.type.family in {"int", "float"}:
        return a.type.bits != b.type.bits and "tinyint(1)" not in b.type.declared
    return False


def _longest_rising(places: Sequence[int]) -> set[int]:
    best: list[list[int]] = []
    for i, place in enumerate(places):
        before = [b for b in best[:i] if places[b[-1]] < place]
        best.append([*max(before, key=len, default=[]), i])
    return set(max(best, key=len, default=[]))
