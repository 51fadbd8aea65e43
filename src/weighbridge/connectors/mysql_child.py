"""MariaDB's rows, read by a process of their own and sent here as an Arrow stream.

connectorx holds Python's lock while it waits for the server: in this process no signal, no
time limit and no other side would be heard until the next rows come. A process can be killed.
What it says on stderr (its driver prints panics there) is its own, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from weighbridge.connectors.spool import Spool
from weighbridge.errors import SpillFull

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PIPE_BYTES = 2**20
_FAILED = 1
_NO_ROOM = 2


class Child:
    """One SELECT under way in a process of its own; open it, then iterate it for the batches.

    Raises RuntimeError with the driver's words, or SpillFull.
    """

    def __init__(self, url: str, sql: str, *, batch_size: int, session: Sequence[str]) -> None:
        # -P: a file that lies where the user stands must not be imported for a library.
        command = [sys.executable, "-P", "-m", __name__]
        self._process = subprocess.Popen(  # noqa: S603 our own words
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._request = {"url": url, "sql": sql, "batch_size": batch_size, "session": list(session)}
        self._words: list[bytes] = []
        self._listener = threading.Thread(target=self._listen, name="stderr", daemon=True)
        self._listener.start()

    def open(self) -> pa.Schema:
        """Tell the process what to read, and wait for the columns."""
        out, into = self._process.stdout, self._process.stdin
        assert out is not None  # noqa: S101 they were asked for
        assert into is not None  # noqa: S101
        with contextlib.suppress(OSError, AttributeError):  # not Linux
            fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            into.write(json.dumps(self._request).encode() + b"\n")
            into.flush()
            self._reader = pa.ipc.open_stream(out)
        except (OSError, pa.ArrowException):
            try:
                self._end()
            finally:
                self.close()
            raise RuntimeError(self._last_words()) from None
        return self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._reader
        except (OSError, pa.ArrowException):
            self._end()
            raise RuntimeError(self._last_words()) from None
        self._end()

    def _listen(self) -> None:
        if self._process.stderr is not None:
            self._words.extend(self._process.stderr)

    def _end(self) -> None:
        """Wait for the process, and raise what it failed of."""
        code = self._process.wait()
        self._listener.join(timeout=5)
        if code == _NO_ROOM:
            raise SpillFull(
                self._last_words(),
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
            )
        if code:
            raise RuntimeError(self._last_words())

    def _last_words(self) -> str:
        words = self._words[-1].decode(errors="replace").strip() if self._words else ""
        return words or "the process that reads was interrupted"

    def kill(self) -> None:
        """End the process at once, whatever it waits for; its reader comes to an end."""
        self._process.kill()

    def close(self) -> None:
        """Leave nothing behind."""
        self.kill()
        self._process.wait()
        self._listener.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()


def main() -> int:
    """Read the request on stdin; write the rows to stdout as an Arrow stream."""
    # Ctrl-C is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    _die_with_parent()
    import connectorx  # noqa: PLC0415 an extra; its load is waited for here, not in the parent

    try:
        stream: Any = connectorx.read_sql(
            request["url"],
            request["sql"],
            return_type="arrow_stream",
            batch_size=request["batch_size"],
            pre_execution_query=request["session"],
        )
        spool = Spool(stream, stream.schema)
        with pa.ipc.new_stream(sys.stdout.buffer, stream.schema) as out:
            for batch in spool:
                out.write_batch(batch)
    except BrokenPipeError:
        return _FAILED
    except SpillFull as error:
        return _say(error.message, _NO_ROOM)
    except BaseException as error:  # noqa: BLE001 a panic of the driver is no Exception
        return _say(str(error.args[-1] if error.args else error), _FAILED)
    return 0


def _say(text: str, code: int) -> int:
    sys.stderr.write(" ".join(text.split()) + "\n")
    sys.stderr.flush()
    return code


def _die_with_parent() -> None:
    """Let the kernel end this process when the parent, who holds the other end of stdin, is gone.

    No thread of Python's could: the driver holds the lock.
    """
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(0, fcntl.F_GETFL)
        fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)


if __name__ == "__main__":
    # Its threads may be deep in the driver: they are not waited for.
    code = main()
    sys.stdout.flush()
    os._exit(code)
