"""Other shapes of a vendor's options: as changes, as they may be shown, and with secrets apart.

Plain values are nested dicts as JSON has them. A change is a merge patch (RFC 7396): nested objects
merge, arrays replace, null removes. Source: https://www.rfc-editor.org/rfc/rfc7396.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, Field, Secret, SecretStr, create_model
from pydantic.fields import FieldInfo

from weighbridge.connectors.destinations.options import Options

_SECRETS = (SecretStr, Secret)


def inner(field: FieldInfo) -> Any:
    """Give the type of a field without its `| None` and its limits."""
    return _bare(field.annotation)


def is_secret(kind: Any) -> bool:
    """Tell whether values of a type are never shown."""
    plain = kind if isinstance(kind, type) else get_origin(kind)
    return isinstance(plain, type) and issubclass(plain, _SECRETS)


def nested(kind: Any) -> type[Options] | None:
    """Give the type of an object inside of options; None for a plain value."""
    return kind if isinstance(kind, type) and issubclass(kind, Options) else None


def fields(kind: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """List the fields under the names that they have on the wire."""
    for name, field in kind.model_fields.items():
        yield field.alias or name, field


@cache
def change_of(kind: type[Options]) -> type[BaseModel]:
    """Derive the shape of a change: every field may be left out, and null takes it back."""
    made: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        plain = inner(field)
        within = nested(plain)
        changed = FieldInfo.from_annotation(
            cast("Any", (change_of(within) if within else plain) | None)
        )
        # An empty secret is how forms say "as before", so a secret has no shortest length here.
        if not within and not is_secret(plain):
            changed.metadata = list(field.metadata)
        changed.alias = changed.validation_alias = changed.serialization_alias = field.alias
        changed.default = None
        changed.description = field.description
        made[name] = (changed.annotation, changed)
    return create_model(
        f"{kind.__name__}Change", __doc__=kind.__doc__, __config__=kind.model_config, **made
    )


@cache
def public_of(kind: type[Options]) -> type[BaseModel]:
    """Derive the shape in which options are shown: without secrets."""
    made: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        plain = inner(field)
        if is_secret(plain):
            continue
        within = nested(plain)
        shown = public_of(within) if within else plain
        made[name] = (shown | None, Field(None, alias=field.alias))
    return create_model(f"{kind.__name__}Public", __doc__=kind.__doc__, **made)


def plain(model: BaseModel, *, given: bool = False) -> dict[str, Any]:
    """Write a model as plain values, its secrets as they are; `given`: only what was sent."""
    found: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if given and name not in model.model_fields_set:
            continue
        if value is None and not given:
            continue
        found[field.alias or name] = _plain_value(value, given=given)
    return found


def split(model: Options) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take options apart: (what may be shown, what may not), each nested as the whole."""
    shown: dict[str, Any] = {}
    hidden: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value, key = getattr(model, name), field.alias or name
        if value is None:
            continue
        if isinstance(value, Options):
            public, secret = split(value)
            # An object of nothing but secrets is not shown at all.
            if public:
                shown[key] = public
            if secret:
                hidden[key] = secret
        elif isinstance(value, _SECRETS):
            hidden[key] = _plain_value(value, given=False)
        else:
            shown[key] = value
    return shown, hidden


def merged(whole: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a merge patch."""
    result = dict(whole)
    for name, value in change.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            within = cast("Mapping[str, Any]", value)
            base = cast("Mapping[str, Any]", before) if isinstance(before, Mapping) else {}
            result[name] = merged(base, within)
        else:
            result[name] = value
    return result


def without_empty_secrets(kind: type[Options], change: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a change each secret that is an empty text: a form that was not filled in."""
    known = dict(fields(kind))
    kept: dict[str, Any] = {}
    for name, value in change.items():
        asked = inner(known[name]) if name in known else None
        within = nested(asked)
        if within is not None and isinstance(value, Mapping):
            inside = without_empty_secrets(within, cast("Mapping[str, Any]", value))
            # Only empty secrets were in it: nothing was said.
            if inside or not value:
                kept[name] = inside
        elif not (is_secret(asked) and value == ""):
            kept[name] = value
    return kept


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


def _plain_value(value: Any, *, given: bool) -> Any:
    if isinstance(value, BaseModel):
        return plain(value, given=given)
    if isinstance(value, _SECRETS):
        return cast("Secret[Any]", value).get_secret_value()
    return value
