"""Named places at which a process of the server can be made to die: tests break it there.

`WEIGHBRIDGE_FAULT` names one, and the process kills itself when it comes there first, as if by
`kill -9`. Without it a point does nothing. Each name stands here and at one place in the code,
so that a sweep over this list leaves no place out (RELIABILITY F01).
"""

from __future__ import annotations

import os
import signal

VARIABLE = "WEIGHBRIDGE_FAULT"
POINTS = (
    "job.fetched",
    "diff.claimed",
    "diff.sides_read",
    "diff.comparing",
    "diff.told",
    "diff.compared",
    "diff.rows_begun",
    "diff.rows_half",
    "diff.rows_copied",
    "diff.finishing",
    "diff.finished",
    "job.acknowledging",
    "job.acknowledged",
    "diff.cancel_seen",
    "diff.failing",
    "diff.failed",
    "diff.leaving",
    "diff.handed_back",
    "diff.to_be_tried_again",
    "job.giving_back",
    "job.given_back",
    "transfer.claimed",
    "transfer.opened",
    "transfer.model_begun",
    "transfer.load_claimed",
    "load.half",
    "load.half_copied",
    "transfer.added",
    "load.merged",
    "load.committed",
    "transfer.published",
    "transfer.watermark_moved",
    "transfer.finishing",
    "transfer.finished",
    "transfer.told",
    "transfer.cancel_seen",
    "transfer.failing",
    "transfer.failing_whole",
    "transfer.leaving",
    "transfer.handed_back",
    "transfer.to_be_tried_again",
    "integrity.claimed",
    "integrity.watermark_read",
    "integrity.comparing",
    "integrity.told",
    "integrity.compared",
    "integrity.rows_begun",
    "integrity.rows_half",
    "integrity.rows_copied",
    "integrity.model_writing",
    "integrity.model_written",
    "integrity.finishing",
    "integrity.finished",
    "integrity.cancel_seen",
    "integrity.failing",
    "integrity.failed",
    "integrity.leaving",
    "integrity.handed_back",
    "integrity.to_be_tried_again",
    "repair.claimed",
    "repair.planned",
    "repair.applied",
    "repair.verified",
    "repair.finishing",
    "repair.finished",
)


def point(name: str) -> None:
    """Die here, if this is the place where a test wants it."""
    if os.environ.get(VARIABLE) == name:
        # Past every buffer: nothing of this process is written after it.
        os.write(2, f"fault {name}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
