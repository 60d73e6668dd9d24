from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from triage.errors import DeskFileError
from triage.taxonomy import read_taxonomy
from triage.toml_files import FileModel, line_of, read_toml


class Door(FileModel):
    colour: str = Field(min_length=1)
    width: float = 1.0


class House(FileModel):
    name: str
    number: int = Field(default=1, ge=1)
    doors: dict[str, Door] = {}
    rules: tuple[Door, ...] = ()


def fault(tmp_path: Path, text: str, model: type[FileModel] = House) -> tuple[int | None, str, str]:
    path = tmp_path / "house.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeskFileError) as caught:
        read_toml(path, model)
    error = caught.value
    assert error.path == path
    assert str(error) == f"{path}{f':{error.line}' if error.line else ''}: {error.problem}; {error.remedy}"
    return error.line, error.problem, error.remedy


def test_a_sound_file_is_read_and_does_not_change(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text('name = "Bun"\n[doors.front]\ncolour = "grün"\n', encoding="utf-8")
    house = read_toml(path, House)
    assert house == House(name="Bun", doors={"front": Door(colour="grün")})
    with pytest.raises(ValueError, match="frozen"):
        house.name = "Loaf"


FAULTS: list[tuple[str, int, str, str]] = [
    ('name = "Bun"\nnmber = 3\n', 2, "unknown key nmber", "remove it or correct its spelling"),
    ("number = 3\n", 1, "name is missing", "add it"),
    ('name = "Bun"\n\nnumber = 0\n', 3, "number: Input should be greater than or equal to 1", "correct the value"),
    ('name = "Bun"\nnumber = "x"\n', 2, "number: Input should be a valid integer", "correct the value"),
    ('name = "Bun"\n[doors.front]\ncolour = "red"\nhight = 2\n', 4, "unknown key doors.front.hight", "remove it"),
    ('name = "Bun"\n[doors.front]\nwidth = 2\n', 2, "doors.front.colour is missing", "add it"),
    ('name = "Bun"\n[doors]\nfront = { colour = "red", hight = 2 }\n', 3, "unknown key doors.front.hight", "remove it"),
    ('name = "Bun"\n[doors]\nback = { colour = "" }\n', 3, "doors.back.colour", "correct the value"),
    ('name = "Bun"\n[ doors . "back" ]\ncolour = ""\n', 3, "doors.back.colour", "correct the value"),
    ('name = "Bun"\nnumber = = 3\n', 2, "not TOML", "correct the line"),
    ('name = "Bun"\nname = "Loaf"\n', 2, "not TOML", "correct the line"),
    ('name = "Bun"\nnumber = [\n  1,\n', 3, "not TOML", "correct the line"),
]


@pytest.mark.parametrize(("text", "line", "problem", "remedy"), FAULTS)
def test_a_fault_names_line_and_remedy(tmp_path: Path, text: str, line: int, problem: str, remedy: str) -> None:
    found = fault(tmp_path, text)
    assert found[0] == line
    assert problem in found[1]
    assert remedy in found[2]


@pytest.mark.parametrize(
    ("third", "line"),
    [
        ("width = 3\n", 6),
        ('colour = ""\n', 7),
        ('colour = "red"\nwidth = "wide"\n', 8),
    ],
)
def test_a_fault_in_the_third_of_several_tables_names_its_own_line(tmp_path: Path, third: str, line: int) -> None:
    table = '[[rules]]\ncolour = "red"\n'
    found = fault(tmp_path, f'name = "Bun"\n{table}{table}[[rules]]\n{third}')
    assert found[0] == line
    assert "rules.2." in found[1]


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeskFileError, match=r"house\.toml: the file is missing; a desk folder needs it"):
        read_toml(tmp_path / "house.toml", House)


@pytest.mark.parametrize("data", [b'name = "B\xfcn"', b"\xff\xfen\x00"])
def test_a_file_that_is_not_utf_8_says_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "house.toml").write_bytes(data)
    with pytest.raises(DeskFileError, match="cannot be read; save it as UTF-8"):
        read_toml(tmp_path / "house.toml", House)


def test_a_folder_of_that_name_says_so(tmp_path: Path) -> None:
    (tmp_path / "house.toml").mkdir()
    with pytest.raises(DeskFileError, match="the file cannot be read; save it as UTF-8 and check its rights"):
        read_toml(tmp_path / "house.toml", House)


@pytest.mark.parametrize(
    ("keys", "line"),
    [(["name"], 1), (["doors"], 1), (["doors", "front"], 3), (["doors", "front", "hinge"], 3), (["no", "such"], 1)],
)
def test_the_line_of_a_key_is_the_deepest_that_says_it(keys: list[str], line: int) -> None:
    assert line_of('name = "Bun"\n\n[doors.front]\ncolour = "red"\n', keys) == line


def test_a_fault_in_a_further_field_of_the_taxonomy_names_its_line(tmp_path: Path) -> None:
    label = '[{0}.labels.one]\ndescription = "x"\n'
    required = "".join(label.format(field) for field in ("category", "priority", "team"))
    path = tmp_path / "taxonomy.toml"
    path.write_text(required + '[product.labels.till]\ndescripton = "the till"\n', encoding="utf-8")
    with pytest.raises(DeskFileError) as caught:
        read_taxonomy(path)
    found: Any = caught.value
    assert (found.line, "product.labels.till" in found.problem) in [(7, True), (8, True)]
    assert "more." not in found.problem
