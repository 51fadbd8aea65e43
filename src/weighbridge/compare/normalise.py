"""Which columns are compared with which, and in what form: the declared rule of each pair.

A pair's `strict` expressions bring both native values into one DuckDB type without losing
anything that tells them apart; fingerprints and fast paths use only these. What a rule is
allowed to overlook is in `loose` and `tolerance`, which are asked only of values that
differ strictly, so that every row whose equality leans on a rule is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from weighbridge.compare.pairings import Pairing, find_pairing
from weighbridge.compare.request import Tolerance
from weighbridge.compare.result import NotCompared
from weighbridge.compare.rules import PAIRINGS, find_rule
from weighbridge.errors import BadArgument
from weighbridge.types.columns import Column, ColumnType


@dataclass(frozen=True)
class ColumnPair:
    """Two columns, left first, and the way in which their values are compared.

    `strict`: DuckDB expressions over each side's native `{x}`. `loose`: an expression over a
    strict `{x}`. `near`: a condition over strict `{l}` and `{r}`. `assumed`: values of two
    kinds are called equal by a convention, so each equal pair leans on the rule. `form`: the
    form that two servers of one family can hash, None if they cannot. `own_loose`: `loose` is what the types
    ask for, not yet what a user's rule does.
    """

    left: Column
    right: Column
    rule: str
    loses: str | None
    strict: tuple[str, str]
    domain: str
    loose: str | None = None
    near: str | None = None
    assumed: bool = False
    form: str | None = None
    own_loose: bool = False

    @property
    def name(self) -> str:
        """The pair's name: the left column's."""
        return self.left.name

    @property
    def lossy(self) -> bool:
        """Tell whether values that differ strictly may be equal under the rule."""
        return self.loose is not None or self.near is not None


def needs_native(pair: ColumnPair) -> bool:
    """Tell whether the value as compared is not the value as it stands."""
    return pair.strict != ("{x}", "{x}")


def pair_columns(
    columns: tuple[Column, Column],
    natives: tuple[str, str],
    *,
    rules: tuple[str, ...] = (),
    tolerance: Tolerance | None = None,
) -> ColumnPair | NotCompared:
    """Decide how two columns are compared, or say why they cannot be.

    Raises BadArgument for a rule that does not fit the columns.
    """
    left, right = columns
    names = tuple(r.strip().lower() for r in rules)
    wanted = next((n for n in names if n in PAIRINGS), None)
    pairing = find_pairing((left.type, right.type), natives, wanted)
    if isinstance(pairing, str):
        return NotCompared(left.name, "both", pairing)
    pair = ColumnPair(
        left=left,
        right=right,
        rule=pairing.rule,
        loses=pairing.loses,
        strict=pairing.strict,
        domain=pairing.domain,
        loose=pairing.loose,
        assumed=pairing.assumed,
        form=_form(left.type, right.type, pairing),
        own_loose=pairing.loose is not None,
    )
    for name in names:
        if name not in PAIRINGS:
            pair = _with_rule(pair, name)
    return _with_tolerance(pair, tolerance) if tolerance else pair


def _with_rule(pair: ColumnPair, name: str) -> ColumnPair:
    rule = find_rule(name)
    numbers = {"number", "float", "number text"}
    fits = rule.domain == pair.domain or (rule.domain == "number" and pair.domain in numbers)
    if not fits:
        raise BadArgument(
            f"The rule {name!r} is for {rule.domain} values; {pair.name} is compared as"
            f" {pair.domain}.",
            next_step="Take the rule away, or name another column.",
        )
    # How moments are cut or rounded is said by the user's rule, not by the pairing's own.
    before = None if rule.domain == "time" and pair.own_loose else pair.loose
    expression = rule.expression.replace("{x}", f"({before})" if before else "{x}")
    if pair.domain == "number text":
        number = rule.expression.replace("{x}", "try_cast({x} AS DOUBLE)")
        expression = f"coalesce(CAST({number} AS VARCHAR), {{x}})"
    loses = ", ".join(part for part in (pair.loses, rule.loses) if part)
    named = f"{pair.rule}, {rule.name}"
    return replace(pair, loose=expression, loses=loses, rule=named, own_loose=False)


def _with_tolerance(pair: ColumnPair, tolerance: Tolerance) -> ColumnPair:
    def value(side: str) -> str:
        return pair.loose.replace("{x}", side) if pair.loose else side

    left, right = value("{l}"), value("{r}")
    if tolerance.mode == "time":
        if pair.domain != "time":
            raise BadArgument(
                f"A time tolerance needs moments; {pair.name} is compared as {pair.domain}.",
                next_step="Use abs: or rel: for numbers.",
            )
        micros = int(tolerance.amount * 1_000_000)
        near = f"abs(epoch_us({left}) - epoch_us({right})) <= {micros}"
    elif pair.domain not in {"number", "float", "number text"}:
        raise BadArgument(
            f"A tolerance of numbers was given for {pair.name}, compared as {pair.domain}.",
            next_step="Use time:1s for moments, or --rule NAME=number for numbers in text.",
        )
    else:
        left, right = f"try_cast({left} AS DOUBLE)", f"try_cast({right} AS DOUBLE)"
        amount = repr(float(tolerance.amount))
        bound = amount if tolerance.mode == "absolute" else f"{amount} * abs({right})"
        near = f"abs({left} - {right}) <= {bound}"
    loses = ", ".join(part for part in (pair.loses, f"differences {tolerance.label}") if part)
    return replace(pair, near=near, loses=loses, rule=f"{pair.rule}, {tolerance.label}")


# What a server can hash so that equal hashes mean equal strict values, by family.
_FORMS = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "text": "text",
    "bytes": "bytes",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "uuid": "uuid",
}


def _form(left: ColumnType, right: ColumnType, pairing: Pairing) -> str | None:
    families = {left.family, right.family}
    if pairing.assumed:
        return None
    if families <= {"int", "decimal"} and "decimal" in families:
        bounded = all(t.family == "int" or t.precision is not None for t in (left, right))
        return "numeric" if bounded else "unbounded"
    if left.family != right.family:
        return None
    if left.family in _FORMS:
        return _FORMS[left.family]
    return "text" if left.declared == right.declared else None
