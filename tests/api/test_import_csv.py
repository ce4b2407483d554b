"""Real CSV files: what people's programs write, and what is not a CSV file at all."""

import io

import pytest

from resolvers.csv_table import ROW_LIMIT, CsvProblem, CsvRow, CsvTableError, read_rows

COLUMNS = ("a", "b")


def cells(source: str | bytes) -> list[tuple[int, str, str]]:
    return [(row.line, row.cells["a"], row.cells["b"]) for row in read_rows(source, COLUMNS) if row.problem is None]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(b"a,b\n1,2\n", [(2, "1", "2")], id="plain"),
        pytest.param(b"a,b\n1,2", [(2, "1", "2")], id="no line break at the end"),
        pytest.param(b"\xef\xbb\xbfa,b\r\n1,2\r\n", [(2, "1", "2")], id="byte-order mark and CRLF"),
        pytest.param("\ufeffa,b\n1,2\n", [(2, "1", "2")], id="byte-order mark in a text"),
        pytest.param(b"a,b\r1,2\r3,4\r", [(2, "1", "2"), (3, "3", "4")], id="lone carriage returns"),
        pytest.param(b'a,b\n"1, one",2\n', [(2, "1, one", "2")], id="quoted comma"),
        pytest.param(
            b'a,b\n1,"x\r\ny"\n3,4\n', [(2, "1", "x y"), (4, "3", "4")], id="line of the file after a quoted break"
        ),
        pytest.param(b'a,b\n1,"say ""hi"""\n', [(2, "1", 'say "hi"')], id="doubled quotes"),
        pytest.param(
            b'a,b\n1,5" pipe\n3,4\n', [(2, "1", '5" pipe'), (3, "3", "4")], id="a quote inside a cell is no quotation"
        ),
        pytest.param(b"a,b\n\n1,2\n\n,\n  , \n3,4\n\n", [(3, "1", "2"), (7, "3", "4")], id="blank lines"),
        pytest.param(b"\n\na,b\n1,2\n", [(4, "1", "2")], id="blank lines before the header"),
        pytest.param(
            b"x,B ,y, A\n0,2,0,1\n", [(2, "1", "2")], id="order, extra columns, case and spaces of the header"
        ),
        pytest.param(b"a;b\n1;2,5\n", [(2, "1", "2,5")], id="semicolons"),
        pytest.param(b"a\tb\n1\t2\n", [(2, "1", "2")], id="tabs"),
        pytest.param(b"sep=|\na|b\n1|2\n", [(3, "1", "2")], id="separator named on the first line"),
        pytest.param(b"a,b,,\n1,2,,\n", [(2, "1", "2")], id="nameless columns"),
        pytest.param(b"a,b\n1,2,,\n", [(2, "1", "2")], id="empty cells beyond the header"),
        pytest.param(b"a,b\n  1  x ,\t2\n", [(2, "1 x", "2")], id="white space around and in cells"),
        pytest.param("a,b\nZoë,Łódź\n".encode(), [(2, "Zoë", "Łódź")], id="letters of all languages"),
        pytest.param(b"a,b\n", [], id="a header and nothing else"),
    ],
)
def test_what_programs_write_is_read(source: bytes | str, expected: list[tuple[int, str, str]]) -> None:
    assert cells(source) == expected
    if isinstance(source, bytes):
        assert cells(source.decode("utf-8")) == expected


@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        pytest.param(b"", CsvProblem.EMPTY_FILE, "header line", id="empty"),
        pytest.param("", CsvProblem.EMPTY_FILE, "header line", id="empty text"),
        pytest.param(b"\r\n \r\n", CsvProblem.EMPTY_FILE, "header line", id="blank lines only"),
        pytest.param(b"\xef\xbb\xbf", CsvProblem.EMPTY_FILE, "header line", id="a byte-order mark only"),
        pytest.param(b"a,b\n1,\0\n", CsvProblem.BINARY_FILE, "line 2", id="NUL"),
        pytest.param("a,b\n1,\0\n", CsvProblem.BINARY_FILE, "line 2", id="NUL in a text"),
        pytest.param(b"PK\x03\x04\x14\x00", CsvProblem.BINARY_FILE, "save it as CSV", id="a spreadsheet"),
        pytest.param(b"\x1f\x8b\x08\x00", CsvProblem.BINARY_FILE, "save it as CSV", id="compressed"),
        pytest.param("a,b\n1,2\n".encode("utf-16"), CsvProblem.NOT_UTF_8, "UTF-16", id="UTF-16 with a mark"),
        pytest.param("a,b\n1,2\n".encode("utf-16-le"), CsvProblem.NOT_UTF_8, "UTF-16", id="UTF-16, little-endian"),
        pytest.param("a,b\n1,2\n".encode("utf-16-be"), CsvProblem.NOT_UTF_8, "UTF-16", id="UTF-16, big-endian"),
        pytest.param("a,b\n1,2\n1,Zoë\n".encode("latin-1"), CsvProblem.NOT_UTF_8, "Line 3", id="Latin-1"),
        pytest.param("a,b\n1,\ud800\n", CsvProblem.NOT_UTF_8, "Line 2", id="half a surrogate pair"),
        pytest.param(b"a,c\n1,2\n", CsvProblem.MISSING_COLUMNS, "lacks the column b", id="one column missing"),
        pytest.param(b"1,2\n3,4\n", CsvProblem.MISSING_COLUMNS, "a,b", id="no header"),
        pytest.param(b"a,b,A\n1,2,3\n", CsvProblem.DUPLICATE_COLUMN, "a twice", id="a column twice"),
        pytest.param(b"a" * 70_000, CsvProblem.ROW_TOO_LONG, "header", id="a header without end"),
        pytest.param(b'"a,b\n1,2\n', CsvProblem.MISSING_COLUMNS, "a,b", id="a quotation that is open to the end"),
    ],
)
def test_what_is_no_csv_file_is_refused_with_what_to_do(source: bytes | str, code: CsvProblem, told: str) -> None:
    with pytest.raises(CsvTableError) as caught:
        list(read_rows(source, COLUMNS))
    assert caught.value.code is code
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param(b"1\n", "1 cell", id="cut off"),
        pytest.param(b"1,2,3\n", "3 cells", id="a comma that should be in quotes"),
        pytest.param(b"1,x\x07y\n", "b: there is a control character: remove it.", id="a control character"),
        pytest.param(b"1," + b"x" * ROW_LIMIT + b"\n", "longer than", id="too long"),
        pytest.param(b'1,"' + b"x\n" * ROW_LIMIT + b'"\n', "longer than", id="too long over many lines"),
    ],
)
def test_a_row_that_cannot_be_read_leaves_the_others_alone(row: bytes, told: str) -> None:
    found = list(read_rows(b"a,b\n0,0\n" + row + b"8,9\n", COLUMNS))
    assert [(item.line, item.problem is None) for item in found] == [
        (2, True),
        (3, False),
        (3 + row.count(b"\n"), True),
    ]
    assert told in (found[1].problem or "")


def test_a_quotation_that_is_never_closed_is_named_by_the_line_where_it_opens() -> None:
    found = list(read_rows(b'a,b\n0,0\n1,"open\n2,3\n', COLUMNS))
    assert [item.line for item in found] == [2, 3]
    assert "never closed" in (found[1].problem or "")


class Endless(io.RawIOBase):
    """A line of 50 MB, made while it is read; remembers the largest piece that was asked for."""

    def __init__(self, quote: bytes) -> None:
        self.rest = 50_000_000
        self.parts = [b"a,b\n1,2\n3," + quote, quote + b"\n5,6\n"]
        self.largest = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the stub's buffer protocol is wider
        self.largest = max(self.largest, len(buffer))
        if self.parts and (len(self.parts) == 2 or not self.rest):
            part = self.parts.pop(0)
        else:
            part = b"x" * min(len(buffer), self.rest)
            self.rest -= len(part)
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("quote", [b"", b'"'], ids=["bare", "quoted"])
def test_a_line_of_50_megabytes_is_one_rejected_row_and_never_in_memory(quote: bytes) -> None:
    stream = Endless(quote)
    found = list(read_rows(stream, COLUMNS))  # type: ignore[arg-type] # a raw stream reads like any other
    assert found[0] == CsvRow(2, {"a": "1", "b": "2"})
    assert found[1].line == 3
    assert "longer than" in (found[1].problem or "")
    assert found[2] == CsvRow(4, {"a": "5", "b": "6"})
    assert stream.largest < 1_000_000
