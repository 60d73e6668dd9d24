"""Entity tags of rows that have a version: who changes a row can say which one they have seen (RFC 9110, 13.1)."""

import re

from serve.errors import InvalidRequest, PreconditionFailed

#: Weak ones too: a proxy that compresses an answer makes its tag weak.
TAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')
#: Any tag in a list, whoever gave it.
ANY_TAG = re.compile(r'"([^"]*)"')
#: Of a row that there is not yet.
NOTHING = 0


def etag(version: int) -> str:
    """Return a version's entity tag."""
    return f'"{version}"'


def version_of(if_match: str | None, if_none_match: str | None = None) -> int | None:
    """Return the version that a change is meant for: None for whichever it is, 0 for a row that must not be there yet.

    Raises `InvalidRequest` for headers that no answer of this service gave.
    """
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise InvalidRequest("If-None-Match: only * can be asked for, with which nothing is overwritten")
        return NOTHING
    if if_match is None or if_match.strip() == "*":
        return None
    found = TAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidRequest('If-Match: not an ETag of this service; send one as it was given, such as "3"')
    return int(found.group(1))


def check_if_match(if_match: str | None, version: int) -> None:
    """Raise `PreconditionFailed` where a header names another version than the row's."""
    wanted = version_of(if_match)
    if wanted is not None and wanted != version:
        raise PreconditionFailed(f"it is at version {version}, not {wanted}; read it again and change that")


def unchanged(if_none_match: str | None, version: int) -> bool:
    """Tell whether a reader has this version already, so that 304 without a body will do.

    The header may list several tags; those of others are passed over.
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in ANY_TAG.findall(if_none_match)
