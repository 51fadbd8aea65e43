"""What a connection of each kind needs: at once the check, the form and the documentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from weighbridge.connectors.names import quote, table_name
from weighbridge.connectors.registry import HISTORIES, VENDORS
from weighbridge.connectors.sides import SideSpec, parse_side
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import HostPolicy, check_written


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and not is_text(text):
            raise ValueError("it holds a character that no database can keep")
        return value


class PostgresForm(_Form):
    """A PostgreSQL server."""

    host: str = Field(title="Host", min_length=1, max_length=253)
    port: int = Field(5432, title="Port", ge=1, le=65535)
    user: str = Field(title="User", min_length=1)
    password: SecretStr | None = Field(None, title="Password")
    dbname: str = Field(title="Database", min_length=1)
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", title="TLS"
    )


class MySQLForm(_Form):
    """A MariaDB or MySQL server. `password` and `dbname` are taken, too, as of other servers."""

    host: str = Field(title="Host", min_length=1, max_length=253)
    port: int = Field(3306, title="Port", ge=1, le=65535)
    user: str = Field(title="User", min_length=1)
    password: SecretStr | None = Field(
        None, title="Password", validation_alias=AliasChoices("passwd", "password")
    )
    dbname: str = Field(
        title="Database", min_length=1, validation_alias=AliasChoices("db", "dbname")
    )


# Datafold's name of a kind: (what people call it, our scheme, its form).
FORMS: dict[str, tuple[str, str, type[_Form]]] = {
    "pg": ("PostgreSQL", "postgresql", PostgresForm),
    "mysql": ("MySQL and MariaDB", "mysql", MySQLForm),
}
_SECRET = "password"  # noqa: S105 the name of a field


def is_text(value: str) -> bool:
    """Tell whether a database can keep a text: no NUL, no half of a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def wire_names(vendor: str) -> dict[str, str]:
    """Give the names by which clients know a form's fields."""
    return {
        name: str(field.validation_alias.choices[0])
        if isinstance(field.validation_alias, AliasChoices)
        else name
        for name, field in FORMS[vendor][2].model_fields.items()
    }


def configuration_schema(vendor: str) -> dict[str, Any]:
    """Describe a form as {title, properties, required, secret}: each property has one type."""
    said = FORMS[vendor][2].model_json_schema()
    properties: dict[str, dict[str, Any]] = {}
    for name, whole in said["properties"].items():
        # What may be left out is a type or null; a form has a field of that type.
        one = next((kind for kind in whole.pop("anyOf", ()) if kind["type"] != "null"), {})
        kept = {key: value for key, value in whole.items() if value is not None}
        properties[name] = {**kept, **one}
    secret = [name for name, field in properties.items() if field.get("format") == "password"]
    return {
        "title": FORMS[vendor][0],
        "properties": properties,
        "required": said.get("required", []),
        "secret": secret,
    }


def from_url(url: str) -> tuple[str, dict[str, Any]]:
    """Take a connection's URL apart: (its kind, its fields). Raises BadArgument.

    A URL with a password is refused: it was typed where others can see it.
    """
    spec = parse_side(url, query="SELECT 1")
    schemes = {"postgres": "postgresql", "mariadb": "mysql"}
    scheme = schemes.get(spec.scheme, spec.scheme)
    kind = next((kind for kind, (_, known, _) in FORMS.items() if known == scheme), None)
    if kind is None:
        raise BadArgument(
            f"A connection to {spec.scheme} cannot be stored.",
            next_step=f"Use one of {', '.join(known for _, known, _ in FORMS.values())}.",
        )
    if spec.password is not None:
        raise BadArgument(
            "The URL holds a password, which everybody on this machine can see.",
            next_step="Leave it out, change it, and give it by a file, a variable or the prompt.",
        )
    if "#" in url:
        raise BadArgument(
            "The URL names a table: a connection is a whole database.",
            next_step="Leave out everything from # on.",
        )
    said = {"host": spec.host, "port": spec.port, "user": spec.user, "dbname": spec.database}
    return kind, {n: v for n, v in {**said, **spec.parameters}.items() if v is not None}


def check_schema(vendor: str, schema: str) -> None:
    """Hold that a server of this kind can have a schema of this name. Raises BadArgument."""
    for part in table_name(schema):
        quote(part, VENDORS[FORMS[vendor][1]][3])


def checked(vendor: str, options: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Check a form: (what may be shown, the secret). Raises BadArgument for a wrong field, HostRefused."""
    if vendor not in FORMS:
        raise BadArgument(
            # What was given is not repeated, here as elsewhere: it may be a secret.
            "The type of the connection is not known.",
            next_step=f"Use one of {', '.join(FORMS)}.",
        )
    try:
        form = FORMS[vendor][2].model_validate(options)
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)
        # A field that is written wrongly is also one that is missing: the first says more.
        first = next((one for one in said if one["type"] == "extra_forbidden"), said[0])
        field = ".".join(str(part) for part in first["loc"])[:80]
        unknown = first["type"] == "extra_forbidden"
        what = "there is no such field" if unknown else first["msg"].lower()
        raise BadArgument(
            f"options.{field}: {what}.",
            next_step=f"Give {', '.join(wire_names(vendor).values())}.",
        ) from None
    body = form.model_dump()
    check_written(body["host"], body["port"], HostPolicy.operator())
    secret = body.pop(_SECRET)
    return body, None if secret is None else secret.get_secret_value()


def keeps_history(vendor: str) -> bool:
    """Tell whether servers of a kind can keep earlier states of a table."""
    return FORMS[vendor][1] in HISTORIES


def side_of(
    vendor: str,
    options: dict[str, Any],
    secret: str | None,
    *,
    name: str,
    table: tuple[str, ...] = (),
    query: str | None = None,
    where: str | None = None,
) -> SideSpec:
    """Make a side of a stored connection; its label is the connection's name."""
    scheme = FORMS[vendor][1]
    # Three parts name the database too.
    database, table = (table[0], table[1:]) if len(table) == 3 else (options["dbname"], table)
    parameters = {"sslmode": options["sslmode"]} if "sslmode" in options else {}
    return SideSpec(
        scheme=scheme,
        label=_label(name, table, query),
        host=options["host"],
        port=options["port"],
        user=options["user"],
        password=secret,
        database=database,
        table=table,
        query=query,
        where=where,
        parameters=parameters,
    )


def _label(name: str, table: tuple[str, ...], query: str | None) -> str:
    if table:
        return f"{name}:{'.'.join(table)}"
    return f"{name} (query)" if query else name
