"""Real servers for tests, demo and bench: started on free ports, thrown away afterwards.

    from tests.servers import mariadb_server, postgres_server

    with postgres_server() as left, mariadb_server() as right:
        ...  # two URLs, each of a user who may do anything

PostgreSQL 18 comes with the development environment. A second major version is taken from the system
when it has one. MariaDB is the system's, or fetched from Debian. Nothing that already runs is used.
"""

from tests.servers.mariadb import fresh_mariadb, mariadb_server
from tests.servers.postgres import fresh_postgres, postgres_server

__all__ = ["fresh_mariadb", "fresh_postgres", "mariadb_server", "postgres_server"]
