"""Every error that a user can meet, as one tree.

WeighbridgeError            code, blame, retry, and the next thing to do
├── RequestError            the request is wrong                          exit 2
│   ├── BadArgument         an option or a side that cannot be understood
│   ├── NoSuchTable         no table, view or file of that name (near names are given)
│   ├── NoSuchColumn        no column of that name (near names are given)
│   ├── NoSuchConnection    no stored connection of that number
│   ├── NoSuchDiff          no stored diff of that number
│   ├── NoSuchErrand        no test or other short job of that number
│   ├── NoSuchObject        no stored source, model, recipient, product or destination of that id
│   ├── NotNow              what is asked for does not fit the present state
│   ├── TooMany             the key has as much under way as it may have
│   ├── NoKey               no key was given and none could be found
│   ├── NotComparable       the sides have nothing that could be compared
│   ├── BadQuery            user SQL that is not one read-only query
│   ├── LoginTooPowerful    SQL of a user on a login that may do more than read
│   ├── HostRefused         a host that the policy does not let us reach
│   └── MissingExtra        the driver of a vendor is not installed
├── ConnectionFailed        the other system cannot be reached            exit 3
│   ├── AuthFailed          it answered, and refused the user
│   ├── HostKeyChanged      it answered, and is not the server that was tested
│   ├── NoSuchDatabase      it answered, and has no database of that name
│   └── ConnectionLost      it went away in the middle
├── RunFailed               the work was begun and could not be finished  exit 4
│   ├── Unreadable          a side is not readable as what it claims to be
│   ├── QueryFailed         a system refused or failed a query
│   │   └── Busy            another one's lock was in the way; it can be tried again
│   ├── SpillFull           no room for temporary files
│   ├── StoreFailed         our own database or key ring cannot be used
│   ├── Overtaken           a later attempt at the same work has begun
│   └── TenantMixed         a row of another tenant was about to be delivered
└── Stopped                 ended before the verdict, on purpose          exit 5
    ├── OverBudget          more rows, bytes or time than was allowed
    └── Cancelled           a person or a program said stop
"""

from __future__ import annotations

from typing import ClassVar, Literal

Blame = Literal["caller", "connection", "data", "us"]

__all__ = [
    "AuthFailed",
    "BadArgument",
    "BadQuery",
    "Blame",
    "Busy",
    "Cancelled",
    "ConnectionFailed",
    "ConnectionLost",
    "HostKeyChanged",
    "HostRefused",
    "LoginTooPowerful",
    "MissingExtra",
    "NoKey",
    "NoSuchColumn",
    "NoSuchConnection",
    "NoSuchDatabase",
    "NoSuchDiff",
    "NoSuchErrand",
    "NoSuchObject",
    "NoSuchTable",
    "NotComparable",
    "NotNow",
    "OverBudget",
    "Overtaken",
    "QueryFailed",
    "RequestError",
    "RunFailed",
    "SpillFull",
    "Stopped",
    "StoreFailed",
    "TenantMixed",
    "TooMany",
    "Unreadable",
    "WeighbridgeError",
]


class WeighbridgeError(Exception):
    """What went wrong, where, whose turn it is, and what to do next.

    `message` says where and what was found; `next_step` is one sentence that a
    person can act on. Neither may hold a secret or a row's value.
    """

    code: ClassVar[str] = "error"
    blame: ClassVar[Blame] = "us"
    retry: ClassVar[bool] = False
    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}"

    def as_dict(self) -> dict[str, str | bool]:
        """Give the error as the JSON object that every output format uses."""
        return {
            "code": self.code,
            "blame": self.blame,
            "retry": self.retry,
            "message": self.message,
            "next_step": self.next_step,
        }


class RequestError(WeighbridgeError):
    """The request is wrong; the same request will fail again."""

    code = "bad_request"
    blame = "caller"
    exit_code = 2


class BadArgument(RequestError):
    """An option or a side that cannot be understood."""

    code = "bad_argument"


class NoSuchTable(RequestError):
    """No table, view or file of that name."""

    code = "no_such_table"


class NoSuchColumn(RequestError):
    """No column of that name."""

    code = "no_such_column"


class NoSuchConnection(RequestError):
    """No stored connection of that number, or none that may be seen."""

    code = "no_such_connection"


class NoSuchDiff(RequestError):
    """No stored diff of that number, or none that may be seen."""

    code = "no_such_diff"


class NoSuchErrand(RequestError):
    """No test or other short job of that number, or none that may be seen."""

    code = "no_such_errand"


class NoSuchObject(RequestError):
    """No stored source, model, recipient, product or destination of that id that may be seen."""

    code = "no_such_object"


class NotNow(RequestError):
    """What is asked for does not fit the present state."""

    code = "not_now"


class TooMany(RequestError):
    """The key has as much under way as it may have."""

    code = "too_many"
    retry = True


class NoKey(RequestError):
    """No key was given and none could be found."""

    code = "no_key"


class NotComparable(RequestError):
    """The sides have nothing that could be compared."""

    code = "not_comparable"


class BadQuery(RequestError):
    """User SQL that is not one read-only query, or not one boolean filter."""

    code = "bad_query"


class LoginTooPowerful(RequestError):
    """SQL of a user on a login that may do more than read."""

    code = "login_too_powerful"


class HostRefused(RequestError):
    """A host that the policy does not let us reach."""

    code = "host_refused"


class MissingExtra(RequestError):
    """The driver of a vendor is not installed."""

    code = "missing_extra"


class ConnectionFailed(WeighbridgeError):
    """The other system cannot be reached."""

    code = "connection_failed"
    blame = "connection"
    retry = True
    exit_code = 3


class AuthFailed(ConnectionFailed):
    """The other system answered, and refused the user."""

    code = "auth_failed"
    retry = False


class HostKeyChanged(ConnectionFailed):
    """An SSH server that shows another key than the one it was tested with; nothing was sent."""

    code = "host_key_changed"
    retry = False


class NoSuchDatabase(ConnectionFailed):
    """The other system answered, and has no database of that name."""

    code = "no_such_database"
    retry = False


class ConnectionLost(ConnectionFailed):
    """The other system went away in the middle of the work."""

    code = "connection_lost"


class RunFailed(WeighbridgeError):
    """The work was begun and could not be finished."""

    code = "run_failed"


class Unreadable(RunFailed):
    """A side is not readable as what it claims to be."""

    code = "unreadable"
    blame = "data"


class QueryFailed(RunFailed):
    """A system refused or failed a query."""

    code = "query_failed"
    blame = "connection"


class Busy(QueryFailed):
    """A lock, a deadlock or a time limit was in the way of what may well work the next time."""

    code = "busy"
    retry = True


class SpillFull(RunFailed):
    """No room for temporary files."""

    code = "spill_full"
    blame = "us"
    retry = True


class StoreFailed(RunFailed):
    """Our own database or key ring cannot be used."""

    code = "store_failed"


class Overtaken(RunFailed):
    """A later attempt at the same work has begun; what this one did counts for nothing."""

    code = "overtaken"


class TenantMixed(RunFailed):
    """A row of another tenant was about to be delivered; nothing was."""

    code = "tenant_mixed"


class Stopped(WeighbridgeError):
    """Ended before the verdict, on purpose."""

    code = "stopped"
    blame = "caller"
    exit_code = 5


class OverBudget(Stopped):
    """More rows, bytes or time than was allowed."""

    code = "over_budget"


class Cancelled(Stopped):
    """A person or a program said stop."""

    code = "cancelled"
    retry = True
