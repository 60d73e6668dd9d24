"""The API's description as a file that is committed: ``python -m serve.openapi`` writes openapi.json."""

import importlib.metadata
import json
from pathlib import Path

from serve.app import bare_app

FILE = Path("openapi.json")


def description() -> str:
    """Return what stands in the file."""
    app = bare_app(importlib.metadata.version("firstline"))
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(description(), encoding="utf-8")
