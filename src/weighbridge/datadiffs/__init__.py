"""Stored diffs: someone asks, a worker runs, anyone who may see it reads the outcome.

    request ‖ run: claim → open both sides → compare → write the outcome, whole or not at all

Called by the facades (`api`) and by `worker`. It knows no HTTP and no vendor; what two sides are
and how they are compared is the business of `library`.
"""

from weighbridge.datadiffs.request import DiffRequest
from weighbridge.datadiffs.store import Diff, archive, cancel, get, list_diffs, purge, request

__all__ = ["Diff", "DiffRequest", "archive", "cancel", "get", "list_diffs", "purge", "request"]
