"""A change of policy.toml to review: the file with other numbers, everything else in it as it was."""

import difflib
from collections.abc import Mapping

import tomlkit
from tomlkit.container import Container
from tomlkit.items import Table

#: Settings by the path of their keys, as ("fields", "category", "max_error").
Settings = Mapping[tuple[str, ...], float]


def proposed(policy: str, settings: Settings) -> str:
    """Return a policy's text with other settings; tables that are missing are added."""
    document = tomlkit.parse(policy)
    for path, value in settings.items():
        table: tomlkit.TOMLDocument | Container | Table = document
        for key in path[:-1]:
            if key not in table:
                table[key] = tomlkit.table()
            table = table[key]
        table[path[-1]] = value
    return tomlkit.dumps(document)


def difference(before: str, after: str, name: str = "policy.toml") -> str:
    """Return the change as a unified diff, "" where there is none."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, fromfile=name, tofile=f"{name}, proposed", n=3))
