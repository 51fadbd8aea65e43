"""Where a report goes: a file that is whole or absent, a stream, a terminal that is protected."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from weighbridge.errors import BadArgument, SpillFull
from weighbridge.types.safe_text import safe_text


class Sink(Protocol):
    """All that a format needs of its target."""

    def write(self, data: bytes, /) -> int:
        """Take bytes."""
        ...


@contextmanager
def opened(out: str | os.PathLike[str] | BinaryIO) -> Generator[BinaryIO]:
    """Open a target for bytes.

    A path is written beside its place and moved there at the end: after a failure the
    old file, or none, is there, never half of one. A stream is the caller's to close.
    """
    if isinstance(out, (str, os.PathLike)):
        with _replaced(Path(out)) as stream:
            yield stream
    elif out.isatty():
        yield cast("BinaryIO", TerminalStream(out))
    else:
        yield out
        out.flush()


@contextmanager
def _replaced(path: Path) -> Generator[BinaryIO]:
    if path.exists() and not path.is_file():
        # A pipe or a device (/dev/stdout, /dev/fd/63) has no place beside it to write to.
        with path.open("wb") as stream:
            yield stream
        return
    whole = path.resolve()
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{whole.name[:50]}.", suffix=".part", dir=whole.parent
        )
    except OSError as error:
        message = f"The report cannot be written to {safe_text(str(path))}: {error.strerror}."
        raise BadArgument(message, next_step="Give a path in a folder you may write to.") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes a private file; a report is as readable as any file of this user.
        Path(name).chmod(whole.stat().st_mode & 0o777 if whole.exists() else 0o666 & ~_umask())
        Path(name).replace(whole)
    except BaseException as error:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        if isinstance(error, OSError) and error.errno == ENOSPC:
            message = f"No room left for the report at {safe_text(str(path))}."
            raise SpillFull(message, next_step="Free some space or write elsewhere.") from error
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


class TerminalStream:
    """A machine format on its way to a terminal: text stays, control codes become glyphs."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    closed = False

    def write(self, data: bytes) -> int:
        """Pass whole lines on, made safe."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        for line in lines:
            self._out.write(safe_text(line.removesuffix("\r")).encode() + b"\n")
        return len(data)

    def flush(self) -> None:
        """Pass on what has come without a line's end."""
        self._out.write(safe_text(self._rest).encode())
        self._rest = ""
        self._out.flush()

    def writable(self) -> bool:
        """Tell pyarrow that bytes are taken."""
        return True

    def readable(self) -> bool:
        """Tell pyarrow that nothing is given."""
        return False

    def seekable(self) -> bool:
        """Tell pyarrow that there is no way back."""
        return False

    def close(self) -> None:
        """Leave the terminal open: it is not ours."""
        self.flush()
