"""Options that several commands have, and what some commands need."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from weighbridge.errors import MissingExtra

ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Use this weighbridge.toml.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="FOLDER", help="The server's data folder (.weighbridge)."),
]
TableOrJson = Annotated[Literal["table", "json"], typer.Option("--output", help="table or json.")]


def needs_server_extra() -> None:
    """Raise MissingExtra where what the server is made of is not installed."""
    missing = [n for n in ("sqlalchemy", "fastapi", "procrastinate") if find_spec(n) is None]
    if missing:
        raise MissingExtra(
            f"The server needs {', '.join(missing)}.",
            next_step="Install it with: pip install 'weighbridge[server]'.",
        )
