"""The commands, and what surrounds every one of them: streams, usage errors, the exit code."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, cast, get_type_hints

import typer
from typer.main import get_command

from weighbridge.cli.connections_app import connections_app
from weighbridge.cli.engine import Engine, Library
from weighbridge.cli.faults import report_error
from weighbridge.cli.flags import AllFlags
from weighbridge.cli.options import ConfigOption, DataOption, TableOrJson, needs_server_extra
from weighbridge.cli.surroundings import Surroundings
from weighbridge.cli.values import AUTO, looks_like_a_share
from weighbridge.cli.watch import INTERRUPTED
from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from types import ModuleType

NAME = "weighbridge"

app = typer.Typer(
    name=NAME,
    help="Diff any two tables, fast and right: tables, queries and files, in any two places.",
    # Rich's help costs more time than the rest of the start-up together.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
config_app = typer.Typer(help="What is configured, and where it comes from.", rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(connections_app, name="connections")
keys_app = typer.Typer(help="The keys of the server's API.", rich_markup_mode=None)
app.add_typer(keys_app, name="keys")


def run(arguments: Sequence[str] | None = None, *, engine: Engine | None = None) -> NoReturn:
    """Run the command and leave the process with its exit code."""
    _make_streams_safe()
    _keep_completion_light()
    words = list(sys.argv[1:] if arguments is None else arguments)
    around = Surroundings()
    try:
        code = get_command(app).main(
            args=with_rate(words), prog_name=NAME, standalone_mode=False, obj=engine or Library()
        )
    except typer.TyperException as error:
        code = report_error(_usage(error), around)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        code = 0
    except Exception as error:  # noqa: BLE001 whatever it is, the user gets one clear message
        code = report_error(error, around, debug="--debug" in words)
    _leave(code if isinstance(code, int) else 0)


def with_rate(words: list[str]) -> list[str]:
    """Let `--sample` stand without its rate, which typer has no word for."""
    found: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        alone = word == "--sample" and not looks_like_a_share(following)
        found.append(f"--sample={AUTO}" if alone else word)
    return found


def _usage(error: typer.TyperException) -> BadArgument:
    context = cast("typer.Context | None", getattr(error, "ctx", None))
    command = context.command_path if context else NAME
    message = error.format_message().strip()
    return BadArgument(
        message if message.endswith((".", "?")) else f"{message}.",
        next_step=f"`{command} --help` shows what can be given.",
    )


def _make_streams_safe() -> None:
    # In a locale without these letters a verdict must not end in UnicodeEncodeError.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _keep_completion_light() -> None:
    # typer loads Rich to strip markup from help texts that have none; Tab must answer in 200 ms.
    if f"_{NAME.upper()}_COMPLETE" in os.environ:
        cast("dict[str, ModuleType | None]", sys.modules)["rich"] = None


def _leave(code: int) -> NoReturn:
    for stream in cast("tuple[TextIO, TextIO]", (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            # The reader has gone; the interpreter must not complain about it at the end.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _with_flags(flags: type[AllFlags]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the fields of a class as its parameters: typer reads signatures."""
    hints = get_type_hints(flags, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.name == "sides" else field.default,
            annotation=hints[field.name],
        )
        for field in fields(flags)
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        context = inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
        vars(function)["__signature__"] = inspect.Signature([context, *parameters])
        function.__annotations__ = {}
        return function

    return decorate


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Show the help where no command was given."""
    if version:
        show_version()
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("diff")
@_with_flags(AllFlags)
def diff_command(context: typer.Context, **typed: Any) -> int:
    """Tell whether two tables, queries or files are equal, what differs, where and why.

    Exits with 0 when they are the same, 1 when they differ, 2 when the request is wrong, 3 when
    a connection fails, 4 when the work fails, 5 when it is cancelled or over budget.
    """
    from weighbridge.cli.run import diff  # noqa: PLC0415 see the start-up budget

    return diff(AllFlags(**typed), cast("Engine", context.obj), Surroundings())


@app.command("version")
def show_version() -> None:
    """Show the version."""
    from weighbridge import __version__  # noqa: PLC0415 see the start-up budget

    print(f"{NAME} {__version__}")


@config_app.command("show")
def config_show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
    config: ConfigOption = None,
) -> int:
    """Show every setting and connection; secrets are masked."""
    from weighbridge.cli.config_commands import show  # noqa: PLC0415 see the start-up budget

    return show(config, origin=origin, around=Surroundings())


SlotsOption = Annotated[int, typer.Option("--slots", min=1, max=64, help="Jobs at a time.")]


@app.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen at.")] = 8400,
    data: DataOption = None,
    slots: SlotsOption = 4,
) -> int:
    """Serve stored diffs over HTTP: database, API and a worker, until Ctrl-C."""
    needs_server_extra()
    from weighbridge.cli.serve import serve  # noqa: PLC0415 see the start-up budget

    return serve(host, port, data, slots, around=Surroundings())


@app.command("doctor")
def doctor_command(
    host: Annotated[
        str, typer.Option(help="The address that `serve` would listen at.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 8400,
    data: DataOption = None,
    *,
    slots: SlotsOption = 4,
    config: ConfigOption = None,
    output: TableOrJson = "table",
) -> int:
    """Say what is missing or misconfigured here, and what to do next. It changes nothing.

    Exits with 4 where there is a problem, else with 0.
    """
    from weighbridge.cli.doctor import Asked, doctor  # noqa: PLC0415 see the start-up budget

    asked = Asked(config, data, host, port, slots)
    return doctor(asked, as_json=output == "json", around=Surroundings())


@app.command("worker")
def worker_command(data: DataOption = None, slots: SlotsOption = 4) -> int:
    """Work off the server's jobs on any machine that reaches its database (DATABASE_URL)."""
    needs_server_extra()
    from weighbridge.cli.serve import worker  # noqa: PLC0415 see the start-up budget

    return worker(data, slots, around=Surroundings())


# Who does not say what a key is for gets one that can neither change connections nor run SQL.
_MODEST = ["connections:read", "diffs:read", "diffs:write"]


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="What it may do, once for each: diffs:read, diffs:write, connections:read (these"
            " three if none is named), connections:write, run_sql, models:read, models:write,"
            " destinations:read, destinations:write, tokens, keys.",
        ),
    ] = None,
    environment: Annotated[str, typer.Option(help="production or staging.")] = "production",
    *,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="It opens nothing after this time: 12h, 90d."),
    ] = None,
    data: DataOption = None,
    output: TableOrJson = "table",
) -> int:
    """Make a key; it is shown this once."""
    needs_server_extra()
    from weighbridge.cli.key_commands import create, lifetime  # noqa: PLC0415 see the start-up budget

    return create(
        name, environment, scope or _MODEST, data,
        expires=lifetime(expires), as_json=output == "json", around=Surroundings(),
    )  # fmt: skip


@keys_app.command("list")
def keys_list(data: DataOption = None, output: TableOrJson = "table") -> int:
    """List the keys; none can be read again."""
    needs_server_extra()
    from weighbridge.cli.key_commands import show  # noqa: PLC0415 see the start-up budget

    return show(data, as_json=output == "json", around=Surroundings())


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, as `keys list` shows it.")],
    data: DataOption = None,
) -> int:
    """Take a key out of use."""
    needs_server_extra()
    from weighbridge.cli.key_commands import revoke  # noqa: PLC0415 see the start-up budget

    return revoke(key_id, data, around=Surroundings())
