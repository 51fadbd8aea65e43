"""Transfers: the models of a recipient are brought to its destination, on a schedule or on request.

    request ‖ run: claim → per model: window → extract → load → confirm → move the watermark

Called by `api` and by `worker`. It never reads a row without a `TenantScope`, and never moves a
watermark before the destination has confirmed.
"""

from weighbridge.deliver.request import Filters, Wish, cancel, get, list_transfers, request
from weighbridge.deliver.store import Transfer

__all__ = ["Filters", "Transfer", "Wish", "cancel", "get", "list_transfers", "request"]
