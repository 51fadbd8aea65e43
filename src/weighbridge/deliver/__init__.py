"""Transfers: the models of a recipient are brought to its destination, on a schedule or on request.

    request ‖ run: claim → per model: window → extract → load → confirm → move the watermark

Called by `api` and by `worker`. It never reads a row without a `TenantScope`, and never moves a
watermark before the destination has confirmed.
"""
