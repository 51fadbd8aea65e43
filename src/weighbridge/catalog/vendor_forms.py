"""What a connection of each kind needs: at once the check, the form and the documentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from weighbridge.connectors.registry import HISTORIES
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import BadArgument


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


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
    """A MariaDB or MySQL server."""

    host: str = Field(title="Host", min_length=1, max_length=253)
    port: int = Field(3306, title="Port", ge=1, le=65535)
    user: str = Field(title="User", min_length=1)
    password: SecretStr | None = Field(None, title="Password")
    dbname: str = Field(title="Database", min_length=1)


# Datafold's name of a kind: (what people call it, our scheme, its form).
FORMS: dict[str, tuple[str, str, type[_Form]]] = {
    "pg": ("PostgreSQL", "postgresql", PostgresForm),
    "mysql": ("MySQL and MariaDB", "mysql", MySQLForm),
}
_SECRET = "password"  # noqa: S105 the name of a field


def checked(vendor: str, options: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Check a form: (what may be shown, the secret). Raises BadArgument for each wrong field."""
    if vendor not in FORMS:
        raise BadArgument(
            f"There is no connection of the type {vendor!r}.",
            next_step=f"Use one of {', '.join(FORMS)}.",
        )
    try:
        form = FORMS[vendor][2].model_validate(options)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadArgument(
            f"options.{field}: {first['msg'].lower()}.", next_step="Correct the field."
        ) from None
    body = form.model_dump()
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
        label=f"{name}:{'.'.join(table)}" if table else f"{name} (query)",
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
