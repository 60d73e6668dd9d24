"""Style, scripts and icons of the console: all its own, read once, sent again only where they changed."""

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request, Response

from serve.errors import NotFound

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOLDER = Path(__file__).with_name("static")
FILES = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in KINDS}

router = APIRouter(prefix="/console/static", include_in_schema=False)


@router.get("/{name}")
async def static_file(name: str, request: Request) -> Response:
    """One file; 304 where the browser has it."""
    if name not in FILES:
        raise NotFound("There is nothing at this address.")
    tag = f'"{sha256(FILES[name]).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(FILES[name], headers=headers, media_type=KINDS[Path(name).suffix])
