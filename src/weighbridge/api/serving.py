"""The application as a server's process finds it: everything comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.api.app import make_app
from weighbridge.process import begin, needed
from weighbridge.store.database import Database
from weighbridge.store.sealed import open_ring

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Connections of one process to our database, for each environment.
POOL = 20


def application() -> ASGIApp:
    """Make the application of this process. Raises StoreFailed, BadArgument."""
    begin("api")
    url = needed("DATABASE_URL")
    ring = open_ring(Path(needed("WEIGHBRIDGE_KEY_RING")))
    return make_app(
        Database(url, size=POOL), ring, public_url=os.environ.get("WEIGHBRIDGE_PUBLIC_URL", "")
    )
