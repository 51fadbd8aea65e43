"""What this process keeps that it does not need: freed memory, idle threads."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

# <malloc.h> of glibc. Batches are made in one thread and freed in another, and what is freed
# that way is kept by the thread that made it: a hundred megabytes after a few million rows.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_BLOCK = 1024 * 1024


def give_memory_back() -> None:
    """Let large blocks go back to the system when they are freed; elsewhere than on glibc, nothing.

    For the command only: a library does not change its host's memory. numpy's algebra, which
    is not used here, would start a thread with a buffer for each core.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with suppress(OSError, AttributeError):  # not glibc
        tune = ctypes.CDLL(None).mallopt
        tune(_M_MMAP_THRESHOLD, _BLOCK)
        tune(_M_TRIM_THRESHOLD, _BLOCK)
        tune(_M_ARENA_MAX, 2)
