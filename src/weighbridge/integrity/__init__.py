"""Integrity jobs: whether what lies at a destination is what its source holds.

    request ‖ run: claim → per model: watermark → source and destination → compare → classify → write

Every row that is not right is missing, stale, pending, incorrect or orphaned. Called by `api` and by
`worker`. It changes nothing at a destination, but for a repair that somebody asked for.
"""

from weighbridge.integrity.request import Wish
from weighbridge.integrity.store import Job, cancel, get, list_history, list_jobs, request

__all__ = ["Job", "Wish", "cancel", "get", "list_history", "list_jobs", "request"]
