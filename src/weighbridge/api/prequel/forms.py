"""The form of a destination as a tree, made of the options of every vendor.

A node's children are shown while the field has the value in their `parent`. Clients build the
path of a field out of these parents, so that the children of a choice are the fields of its object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field

from weighbridge.connectors.destinations import shapes
from weighbridge.connectors.destinations.options import Choice, Options
from weighbridge.connectors.destinations.registry import VENDORS, Vendor
from weighbridge.store.tables import FREQUENCIES

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_SECTIONS = ((1, "Destination"), (2, "Connection"), (3, "Access"))
# Objects that are shown while a switch stands so.
_SWITCHED = {"use_ssh_tunnel": (True, "ssh_tunnel"), "disable_ssl": (False, "ssl_options")}
_EVERY = {
    0: "Default",
    15: "15 minutes",
    60: "1 hour",
    360: "6 hours",
    720: "12 hours",
    1440: "24 hours",
}
_SMALL = {"ssh": "SSH", "ssl": "SSL", "iam": "IAM", "arn": "ARN", "aws": "AWS", "gcp": "GCP",
          "http": "HTTP", "id": "ID", "csv": "CSV"}  # fmt: skip


class VendorShown(BaseModel):
    """A vendor in a list."""

    key: str
    display: str
    disabled: bool


class SectionShown(BaseModel):
    """A part of the form."""

    id: int
    title: str
    subtitle: str | None


class Attributes(BaseModel):
    """How a field is drawn."""

    section_id: int
    internal: bool
    label: str
    placeholder: str
    description: str
    form_element: Literal["select", "input", "radio", "textarea", "div"]
    input_type: Literal["text", "password", "number"]
    key_format: Literal["ssh_rsa", "pkcs8"]


class Value(BaseModel):
    """A value to choose."""

    key: str | int | bool
    display: str


class FormNode(BaseModel):
    """A field, and those that are shown with some of its values."""

    parent: str | bool
    name: str
    required: bool
    type: Literal["string", "number", "boolean", "json"]
    enum: list[Value] = Field(default_factory=list[Value])
    attributes: Attributes
    children: list[FormNode]


class FormShown(BaseModel):
    """The whole form."""

    sections: list[SectionShown]
    form: FormNode


def vendors() -> list[dict[str, Any]]:
    """List the vendors."""
    return [
        {"key": v.key, "display": v.display, "disabled": v.side is None} for v in VENDORS.values()
    ]


def form(wanted: Collection[str] | None) -> dict[str, Any]:
    """Give the form of some vendors, or of all."""
    chosen = [v for key, v in VENDORS.items() if wanted is None or key in wanted]
    root = _node("", "vendor", section=1, element="select", required=True)
    root["enum"] = [{"key": v.key, "display": v.display} for v in chosen]
    root["children"] = [node for vendor in chosen for node in _of_vendor(vendor)]
    sections = [{"id": n, "title": title, "subtitle": None} for n, title in _SECTIONS]
    return {"sections": sections, "form": root}


def _of_vendor(vendor: Vendor) -> Iterator[dict[str, Any]]:
    yield _node(vendor.key, "name", section=1, required=True)
    often = _node(vendor.key, "frequency_minutes", section=1, element="select", kind="number")
    often["enum"] = [{"key": n, "display": _EVERY[n]} for n in FREQUENCIES]
    yield often
    yield from _of_options(vendor.options, vendor.key)


def _of_options(kind: type[Options], parent: str | bool) -> Iterator[dict[str, Any]]:
    """Write the fields of an object; objects that a choice or a switch shows hang below it."""
    known = dict(shapes.fields(kind))
    choices = {choice.field: choice for choice in kind.choices}
    below = {name for choice in kind.choices for name in choice.objects}
    below |= {target for switch, (_, target) in _SWITCHED.items() if switch in known}
    for name, field in known.items():
        if name in below:
            continue
        fixed = get_origin(shapes.inner(field)) is Literal
        within = shapes.nested(shapes.inner(field))
        # A single way, such as password_auth, is written as a choice of one.
        only = Choice(name, get_args(shapes.inner(field))) if fixed else None
        if (choice := choices.get(name) or only) is not None:
            below |= set(choice.objects)
            yield _choice(parent, name, choice, known)
        elif name in _SWITCHED and _SWITCHED[name][1] in known:
            value, target = _SWITCHED[name]
            node = _field(parent, name, field)
            node["children"] = list(_of_options(_object(known, target), value))
            yield node
        elif within is not None:
            # Clients write the fields of a bucket of the vendor itself straight below the vendor.
            yield from _of_options(within, parent)
        else:
            yield _field(parent, name, field)


def _choice(
    parent: str | bool, name: str, choice: Choice, known: dict[str, FieldInfo]
) -> dict[str, Any]:
    values = (*choice.objects, *choice.bare)
    element = "select" if name == "file_format" or len(values) > 3 else "radio"
    node = _node(parent, name, section=3, element=element, required=not choice.optional)
    node["enum"] = [{"key": value, "display": _label(value)} for value in values]
    node["children"] = [
        child
        for value in values
        if value in known and shapes.nested(shapes.inner(known[value]))
        for child in _of_options(_object(known, value), value)
    ]
    return node


def _object(known: dict[str, FieldInfo], name: str) -> type[Options]:
    found = shapes.nested(shapes.inner(known[name]))
    assert found is not None  # noqa: S101 the options' own shape says so
    return found


def _field(parent: str | bool, name: str, field: FieldInfo) -> dict[str, Any]:
    asked = shapes.inner(field)
    secret = shapes.is_secret(asked)
    what: dict[str, Any] = {"required": field.is_required(), "description": field.description or ""}
    if asked is bool:
        node = _node(parent, name, element="radio", kind="boolean", **what)
        node["enum"] = [{"key": True, "display": "Yes"}, {"key": False, "display": "No"}]
        return node
    if secret and "Secret[dict" in str(asked):
        return _node(parent, name, section=3, element="textarea", kind="json", **what)
    if asked is int:
        return _node(parent, name, kind="number", shown="number", **what)
    section, shown = (3, "password") if secret else (2, "text")
    if name in {"public_key", "ssh_public_key"}:
        return _node(parent, name, section=3, element="div", **what)
    return _node(parent, name, section=section, shown=shown, **what)


def _node(
    parent: str | bool,
    name: str,
    *,
    section: int = 2,
    element: str = "input",
    kind: str = "string",
    shown: str = "text",
    required: bool = False,
    description: str = "",
) -> dict[str, Any]:
    return {
        "parent": parent,
        "name": name,
        "required": required,
        "type": kind,
        "enum": [],
        "attributes": {
            "section_id": section, "internal": False, "label": _label(name), "placeholder": "",
            "description": description, "form_element": element, "input_type": shown,
            "key_format": "ssh_rsa",
        },
        "children": [],
    }  # fmt: skip


def _label(name: str) -> str:
    words = [_SMALL.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])
