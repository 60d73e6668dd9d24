import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.errors import DataError
from eval.loaders.source_files import find, read_csv, read_json, read_json_lines, read_records


def fault(read: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        read()
    return str(caught.value)


def test_a_csv_gives_each_record_the_line_it_starts_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'\xef\xbb\xbftext,label\r\n"two\nlines",a\r\n\r\n"a ""quote""",b\r\n')
    assert list(read_csv(path, ("text",))) == [
        (2, {"text": "two\nlines", "label": "a"}),
        (5, {"text": 'a "quote"', "label": "b"}),
    ]


def test_gzipped_or_plain_is_the_same(tmp_path: Path) -> None:
    data = b"text,label\nhello,a\n"
    (tmp_path / "a.csv").write_bytes(data)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(data))
    assert [*read_csv(find(tmp_path, "a.csv"), ())] == [*read_csv(find(tmp_path, "b.csv"), ())]


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"text,tag\nhello,a\n", 1, "there is no column 'label'; the columns are text, tag"),
        (b"text,label,text\n", 1, "the column 'text' stands twice; give one of them another name"),
        (b"text,label\nhello,a\nhello\n", 3, "the record has 1 values, and the header 2; look for a missing"),
        (b"text,label\nhello,a,b\n", 2, "the record has 3 values, and the header 2; look for a missing"),
        (b'text,label\nhello,a\n"stray" quote,b\n', 3, "the record does not parse (',' expected after '\"')"),
        (b'text,label\nhello,a\n"never ended,b\nhello,c\n', 3, "the record does not parse (unexpected end of data)"),
        (b"text,label\nhello,a\ngr\xfc\xdfe,b\n", 3, "the file is not UTF-8; save it with the encoding UTF-8"),
        (b"", None, "the file is empty; download the file again"),
    ],
)
def test_a_csv_that_is_not_right_is_refused_at_its_line(
    tmp_path: Path, data: bytes, line: int | None, said: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(data)
    where = f"{path}:{line}" if line else str(path)
    assert fault(lambda: list(read_csv(path, ("text", "label")))).startswith(f"{where}: {said}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1', "not JSON (Expecting ',' delimiter); download the file again"),
        ("[1]", "not a JSON object; write {…} with its keys"),
        ('{"text": "a"}', "the object has no 'id'; give every object the keys ['id']"),
        ("[" * 100_000, "not JSON (maximum recursion depth exceeded"),
    ],
)
def test_json_lines_that_are_not_right_are_refused_at_their_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"id": "one"}}\n\n{line}\n', encoding="utf-8")
    assert fault(lambda: list(read_json_lines(path, ("id",)))).startswith(f"{path}:3: {said}")


def test_json_over_several_lines_is_refused_at_the_line_of_the_fault(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{\n"train": [],\n"test": [}\n', encoding="utf-8")
    assert fault(lambda: read_json(path)).startswith(f"{path}:3: not JSON")


def test_a_line_separator_within_json_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "one\u2028two"}\n', encoding="utf-8")
    assert list(read_json_lines(path)) == [(1, {"text": "one\u2028two"})]


@pytest.mark.parametrize("kept", [40, -9])
def test_a_gzip_file_that_is_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"id": [*range(5000)]}).encode())[:kept])
    assert fault(lambda: list(read_json_lines(path))) == (
        f"{path}: the gzip file is cut off or damaged; download the file again"
    )


def test_a_file_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_text("{}", encoding="utf-8")
    assert "the gzip file is cut off or damaged" in fault(lambda: list(read_json_lines(path)))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert fault(lambda: find(missing, "train.csv")) == (
        f"{missing}: there is no such folder; name the folder that holds train.csv"
    )
    assert fault(lambda: find(tmp_path, "a.csv", "b.csv")).startswith(
        f"{tmp_path}: the folder does not hold a.csv or b.csv"
    )
    path = tmp_path / "rows.csv"
    assert fault(lambda: list(read_csv(path, ()))).startswith(f"{path}: the file cannot be read (No such file")


def test_records_come_from_all_kinds_of_file(tmp_path: Path) -> None:
    files = {"a.csv": "n,text\n7,hello\n", "a.tsv": "n\ttext\n7\thello\n", "a.jsonl": '{"n": 7, "text": "hello"}\n'}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert [record for _, record in read_records(tmp_path / name, ("n", "text"))] == [{"n": "7", "text": "hello"}]


def test_null_is_blank_and_a_list_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": null}\n{"text": ["a"]}\n', encoding="utf-8")
    records = read_records(path, ("text",))
    assert next(records) == (1, {"text": ""})
    assert fault(lambda: next(records)) == f"{path}:2: text is not a text; write a text, a number or null"


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    said = "files of the kind '.xlsx' are not read; give a .csv, .tsv or .jsonl, or its .gz"
    assert fault(lambda: list(read_records(path, ()))) == f"{path}: {said}"
