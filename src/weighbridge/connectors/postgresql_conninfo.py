"""How a PostgreSQL server is connected to: addresses, time limits, TLS, session settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.connectors.sides import address_of

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import Address, HostPolicy

PORT = 5432
# Text forms must not depend on who configured the server or the role.
SESSION = (
    "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1"
    " -c bytea_output=hex -c jit=off -c default_transaction_read_only=on"
    " -c lock_timeout=30s -c idle_in_transaction_session_timeout=0"
)


def conninfo(spec: SideSpec, policy: HostPolicy) -> dict[str, Any]:
    """Give libpq's parameters, with the host resolved to addresses that the policy allows."""
    name = spec.database or spec.user or "postgres"
    return parameters(spec, address_of(spec, PORT, policy, database=name))


def parameters(spec: SideSpec, address: Address) -> dict[str, Any]:
    """Give libpq's parameters for a host that was resolved and checked before."""
    # libpq tries the addresses in turn; the name beside each is what TLS certificates are of.
    addresses = (address.ip, *address.alternatives)
    info: dict[str, Any] = {
        "host": ",".join([spec.host or "localhost"] * len(addresses)),
        "hostaddr": ",".join(addresses),
        "port": str(address.port),
        "dbname": spec.database or spec.user or "postgres",
        "connect_timeout": "10",
        "application_name": "weighbridge",
        # A server that has gone without a word is noticed within 30 s.
        "tcp_user_timeout": "20000",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "options": SESSION,
        "client_encoding": "UTF8",
    }
    for name in ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout"):
        if name in spec.parameters:
            info[name] = spec.parameters[name]
    if spec.user:
        info["user"] = spec.user
    if spec.password:
        info["password"] = spec.password
    return info


def libpq(info: dict[str, Any]) -> str:
    """Write parameters as one connection string."""

    def escaped(value: object) -> str:
        return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"

    return " ".join(f"{name}={escaped(value)}" for name, value in info.items())


def noticing(major: int) -> tuple[str, ...]:
    """Let a server end a query whose asker was killed, instead of running it for nobody.

    Servers before 14 do not know the setting: theirs run to their end.
    """
    return ("SET LOCAL client_connection_check_interval = '2s'",) if major >= 14 else ()
