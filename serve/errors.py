"""What can go wrong in `serve`.

ServeError
├── StartError        the service cannot start: a port is taken, a database cannot be opened
├── KeyCommandError   a command about keys cannot be carried out: unknown scope, unknown key
├── DataCommandError  a command about feedback, erasure or backups cannot be carried out
└── RequestError      a request cannot be answered; `error_responses` turns each class into HTTP
    ├── NotAuthenticated   no key, or a key that is not valid (any more)
    │   └── NotSignedIn    the same in a browser, which is then sent to sign in
    ├── NotAllowed         the key lacks a scope
    ├── RateLimited        the key's requests of this minute are used up
    ├── PreconditionFailed the row is not at the version that the caller knows of
    ├── InvalidRequest     a part of the request is none that can be used, such as a cursor
    └── NotFound           no such row on this key's desk
"""


class ServeError(Exception):
    """Root of the errors of this package."""


class StartError(ServeError):
    """The service cannot start."""


class KeyCommandError(ServeError):
    """A command about keys cannot be carried out."""


class DataCommandError(ServeError):
    """A command about feedback, erasure or backups cannot be carried out."""


class RequestError(ServeError):
    """A request cannot be answered; the text is shown to the caller.

    retry_after: seconds after which the same request may be answered, None where waiting does not help.
    """

    retry_after: int | None = None


class NotAuthenticated(RequestError):
    """No key, or one that is not valid."""


class NotSignedIn(NotAuthenticated):
    """Nobody is signed in in this browser."""


class NotAllowed(RequestError):
    """The key lacks a scope."""


class RateLimited(RequestError):
    """The key's requests of this minute are used up."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class InvalidRequest(RequestError):
    """A part of the request is none that can be used; the text names it, and the remedy."""


class NotFound(RequestError):
    """No such row on this desk."""


class PreconditionFailed(RequestError):
    """The row is not at the version that the caller knows of."""
