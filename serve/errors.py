"""What can go wrong in `serve`.

ServeError
├── StartError        the service cannot start: a port is taken, a database cannot be opened
└── RequestError      a request cannot be answered; `error_responses` turns each class into HTTP
    ├── NotAuthenticated   no key, or a key that is not valid (any more)
    │   └── NotSignedIn    the same in a browser, which then asks for the key
    ├── NotAllowed         the key lacks a scope
    └── NotFound           no such row on this key's desk
"""


class ServeError(Exception):
    """Root of the errors of this package."""


class StartError(ServeError):
    """The service cannot start."""


class RequestError(ServeError):
    """A request cannot be answered; the text is shown to the caller."""


class NotAuthenticated(RequestError):
    """No key, or one that is not valid."""


class NotSignedIn(NotAuthenticated):
    """No valid key came from a browser: it should ask for one."""


class NotAllowed(RequestError):
    """The key lacks a scope."""


class NotFound(RequestError):
    """No such row on this desk."""
