"""`weighbridge connections`: those of weighbridge.toml, and those that the server stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weighbridge.cli.complete import complete_name
from weighbridge.cli.options import ConfigOption, DataOption, TableOrJson, needs_server_extra
from weighbridge.cli.surroundings import Surroundings

connections_app = typer.Typer(
    help="The connections that have a name: yours, in weighbridge.toml and the environment; and with"
    " --stored those in the server's database, which it calls data sources.",
    rich_markup_mode=None,
)

StoredOption = Annotated[
    bool,
    typer.Option(
        "--stored",
        help="Those in the server's database, not those in weighbridge.toml. --data and"
        " --environment say so, too.",
    ),
]
EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", help="production or staging.")
]


@connections_app.command("add")
def connections_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is to be called.")],
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="vendor://user@host:port/database, without the password. Or --type and --option.",
            show_default=False,
        ),
    ] = None,
    *,
    kind: Annotated[
        str | None, typer.Option("--type", help="The kind of server, as the API names it.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="A field of the type. Repeatable."),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE", help="A file that holds the password."),
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="VARIABLE", help="A variable that holds it."),
    ] = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="It has none, and nobody is asked for one.")
    ] = False,
    temp_schema: Annotated[
        str | None,
        typer.Option("--temp-schema", metavar="SCHEMA", help="Where its test may make a table."),
    ] = None,
    allow_powerful_login: Annotated[
        bool,
        typer.Option(
            "--allow-powerful-login",
            help="Queries of one's own run also if the login may do more than read.",
        ),
    ] = False,
    environment: EnvironmentOption = None,
    data: DataOption = None,
    output: TableOrJson = "table",
) -> int:
    """Store a connection in the server's database.

    The password is asked for at the terminal, or read from a file or a variable; it is never given
    on the command line, which everybody on the machine can see. It is stored sealed.
    """
    needs_server_extra()
    from weighbridge.cli import stored_connections as stored  # noqa: PLC0415 see the start-up budget

    new = stored.New(
        name, url, kind, tuple(option or ()), temp_schema, environment or stored.ENVIRONMENT,
        allow_powerful_login=allow_powerful_login,
    )  # fmt: skip
    secret = stored.SecretFrom(password_file, password_env, no_password)
    return stored.add(new, secret, data, as_json=output == "json", around=Surroundings())


@connections_app.command("list")
def connections_list(
    config: ConfigOption = None,
    *,
    stored: StoredOption = False,
    environment: EnvironmentOption = None,
    data: DataOption = None,
    output: TableOrJson = "table",
) -> int:
    """List the connections by name; secrets are masked."""
    as_json = output == "json"
    if not (stored or environment or data):
        from weighbridge.cli.config_commands import list_connections  # noqa: PLC0415 see the start-up budget

        return list_connections(config, as_json=as_json, around=Surroundings())
    needs_server_extra()
    from weighbridge.cli.stored_connections import show  # noqa: PLC0415 see the start-up budget

    return show(environment, data, as_json=as_json, around=Surroundings())


@connections_app.command("test")
def connections_test(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The connection.", autocompletion=complete_name, show_default=False
        ),
    ],
    config: ConfigOption = None,
    *,
    stored: StoredOption = False,
    environment: EnvironmentOption = None,
    data: DataOption = None,
    output: TableOrJson = "table",
) -> int:
    """Open a connection and read `select 1` on it; each step says how it went.

    Of a stored one the steps are those of the API: name, tcp, tls, auth, read, write. Exits with 0
    when none failed, 3 when one did.
    """
    if not (stored or environment or data):
        from weighbridge.cli.connection_test import check_connection  # noqa: PLC0415 see the start-up budget

        return check_connection(name, config, as_json=output == "json", around=Surroundings())
    needs_server_extra()
    from weighbridge.cli import stored_connections  # noqa: PLC0415 see the start-up budget

    return stored_connections.check(
        name, environment or stored_connections.ENVIRONMENT, data,
        as_json=output == "json", around=Surroundings(),
    )  # fmt: skip
