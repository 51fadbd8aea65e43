"""The story of one `weighbridge diff`, top to bottom."""

from __future__ import annotations

import os
from contextlib import suppress

from weighbridge.catalog.connections import resolve
from weighbridge.catalog.secrets import secrets_of
from weighbridge.cli import github, outputs
from weighbridge.cli.data_diff import output
from weighbridge.cli.engine import Engine
from weighbridge.cli.faults import as_ours, clean, report_error
from weighbridge.cli.flags import AllFlags
from weighbridge.cli.memory import give_memory_back
from weighbridge.cli.plan_text import plan_json, plan_text
from weighbridge.cli.progress import ProgressLine
from weighbridge.cli.request import Request, understand
from weighbridge.cli.surroundings import Surroundings
from weighbridge.cli.watch import watched
from weighbridge.compare.request import Stop
from weighbridge.errors import BadArgument, WeighbridgeError


def diff(flags: AllFlags, engine: Engine, around: Surroundings) -> int:
    """Compare two sides, deliver the answer, and give the exit code."""
    try:
        request = understand(flags, around.environ, around.now())
        outputs.check(request.delivery, around)
        _use_folder(request)
        if not request.delivery.quiet:
            for note in request.notes:
                around.say(f"weighbridge: note: {note}")
        line = ProgressLine(around.stderr, quiet=request.delivery.quiet, clock=around.clock)

        give_memory_back()

        def work(stop: Stop) -> int:
            if flags.explain:
                return _explain(request, engine, around, stop)
            return _compare(request, engine, around, line=line, stop=stop)

        return watched(work, line, around)
    except Exception as error:  # noqa: BLE001 whatever it is, the user gets one clear message
        return _failed(error, flags, around)


def _compare(
    request: Request,
    engine: Engine,
    around: Surroundings,
    *,
    line: ProgressLine,
    stop: Stop,
) -> int:
    wishes = request.wishes.arguments()
    with engine.compare(
        request.left, request.right, progress=line.take, stop=stop, **wishes
    ) as answer:
        line.end()
        if answer.report.verdict == "different":
            github.annotate(around, "weighbridge", outputs.verdict_line(answer.report))
        github.summarise(around, answer.report)
        return outputs.deliver(answer, request.delivery, around, stop)


def _explain(request: Request, engine: Engine, around: Surroundings, stop: Stop) -> int:
    plan = engine.preview(request.left, request.right, stop=stop, **request.wishes.arguments())
    machine = request.delivery.form in {"json", "ndjson"}
    text = plan_json(plan) if machine else plan_text(plan)
    if request.delivery.out is not None:
        request.delivery.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="", file=around.stdout, flush=True)
    return 0


def _use_folder(request: Request) -> None:
    """Let every library of this process put its temporary files where the user said."""
    if request.tmpdir is None:
        return
    if not request.tmpdir.is_dir() or not os.access(request.tmpdir, os.W_OK):
        raise BadArgument(
            f"The folder for temporary files, {request.tmpdir}, is missing or cannot be written.",
            next_step="Correct WEIGHBRIDGE_TMPDIR (or tmpdir in weighbridge.toml).",
        )
    os.environ["TMPDIR"] = str(request.tmpdir)


def _failed(error: Exception, flags: AllFlags, around: Surroundings) -> int:
    secrets = _secrets(flags, around)
    ours = as_ours(error)
    github.annotate(around, f"weighbridge {ours.code}", clean(ours.message, secrets))
    form = None
    with suppress(WeighbridgeError):
        form = output(flags) or around.environ.get("WEIGHBRIDGE_OUTPUT")
    return report_error(error, around, secrets=secrets, form=form, debug=flags.debug)


def _secrets(flags: AllFlags, around: Surroundings) -> frozenset[str]:
    """Gather what an error's text must not repeat. A driver may quote the URL it was given."""
    found: set[str] = set()
    for word in flags.sides:
        found |= secrets_of(word)
        with suppress(WeighbridgeError):
            found |= secrets_of(resolve(word, config=flags.config, environ=around.environ))
    return frozenset(found)
