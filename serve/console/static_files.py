"""Style, scripts and icons of the console: all its own, read once, and kept by browsers until they change."""

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Response

from serve.errors import NotFound

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOLDER = Path(__file__).with_name("static")
FILES = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in KINDS}
#: Part of every address, so that a script finds those of its own version beside it.
VERSION = sha256(b"".join(sha256(content).digest() for content in FILES.values())).hexdigest()[:12]
#: Where pages find them.
STATIC = f"/console/static/{VERSION}"

router = APIRouter(prefix="/console/static", include_in_schema=False)


@router.get("/{version}/{name}")
async def static_file(version: str, name: str) -> Response:
    """One file. One of another version is not there: a page that asks for it is older, or newer, than this process."""
    if version != VERSION or name not in FILES:
        raise NotFound("There is nothing at this address.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(FILES[name], headers=headers, media_type=KINDS[Path(name).suffix])
