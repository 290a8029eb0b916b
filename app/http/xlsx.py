"""Excel workbooks (XLSX): a sheet with the rows of a list, and a sheet that says what its columns mean.

The cells are written here, not by a library, so that a workbook is sent while its rows are read and its bytes depend on
its content alone (decision 0040). Texts are inline strings, which no program runs as formulas.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from app.http.serializers import FileContext, FileWriter, FlatColumn, RowForm, json_text
from app.http.spreadsheet import FIRST_EXACT_DAY, MAX_CELL_CHARACTERS, MAX_SHEET_ROWS, SEE_URL, XLSX_MEDIA_TYPE
from app.http.zip_stream import ZipStream

MAX_NUMBER_DIGITS = 15
"""The number of significant digits that a number keeps in a cell. Longer numbers are texts."""

MAX_GENERAL_INTEGER = 10**11
"""From this number on, a cell without a number format shows an integer as `1E+11`."""

_DAY_ZERO = date(1899, 12, 30).toordinal()

HEADER, DAY, MOMENT, TEXT, GUARDED_TEXT, INTEGER = 1, 2, 3, 4, 5, 6
"""The positions of the cell formats in the style sheet."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_SHEETS = ("Rows", "Columns")

_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet2.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/worksheet" Target="worksheets/sheet2.xml"/>'
    f'<Relationship Id="rId3" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    + "".join(f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>' for number, name in enumerate(_SHEETS, 1))
    + "</sheets></workbook>",
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="7">'
    + "".join(
        f'<xf numFmtId="{form}" fontId="{font}" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"{more}/>'
        for form, font, more in (
            (0, 0, ""),
            (49, 1, ' applyFont="1"'),
            (164, 0, ""),
            (165, 0, ""),
            (49, 0, ""),
            (49, 0, ' quotePrefix="1"'),
            (1, 0, ""),
        )
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
"""The parts of a workbook that do not depend on its rows."""

_SHEET_START = (
    f'{_DECLARATION}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15"/><cols>{widths}</cols><sheetData>'
)
_SHEET_END = "</sheetData></worksheet>"

_SPECIAL = re.compile(r"[^\t\n\x20-\x25\x27-\x3b\x3d\x3f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|_x[0-9A-Fa-f]{4}_")
"""What XML does not allow in a text, or reads as something else."""

_FORMULA_CHARACTERS = frozenset("=+-@\t\r")

_WIDTHS = {"integer": 10, "number": 14, "boolean": 10, "date": 12, "datetime": 20}
_TEXT_WIDTH = 24


def escape_text(text: str) -> str:
    """Return a text for the XML of a cell: of at most `MAX_CELL_CHARACTERS`, control characters as `_x001F_`."""
    if len(text) * 2 > MAX_CELL_CHARACTERS:
        text = _shorten(text)
    return _SPECIAL.sub(_escape, text) if _SPECIAL.search(text) else text


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) > 1:
        return f"_x005F_{found[1:]}"
    known = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(found)
    if known is not None:
        return known
    is_surrogate = "\ud800" <= found <= "\udfff"
    return "\ufffd" if is_surrogate else f"_x{ord(found):04X}_"


def _shorten(text: str) -> str:
    """Return a text that fits into a cell. Characters beyond the basic plane count as two."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    if len(encoded) <= 2 * MAX_CELL_CHARACTERS:
        return text
    end = 2 * (MAX_CELL_CHARACTERS - len(SEE_URL))
    return encoded[:end].decode("utf-16-le", "ignore") + SEE_URL


def column_letters(number: int) -> str:
    """Return the name of a column, counted from 1: `A`, `Z`, `AA`."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _text_cell(text: str) -> str:
    style = GUARDED_TEXT if text[:1] in _FORMULA_CHARACTERS else TEXT
    return f's="{style}" t="inlineStr"><is><t xml:space="preserve">{escape_text(text)}</t></is></c>'


def _value_cell(value: Any) -> str:  # noqa: ANN401 - one case for each type
    """Return a cell by the type of its value: `0.1`, `true`, a text. A number of too many digits is a text."""
    match value:
        case bool():
            return f't="b"><v>{int(value)}</v></c>'
        case int():
            if len(str(abs(value)).rstrip("0")) > MAX_NUMBER_DIGITS:
                return _text_cell(str(value))
            style = f's="{INTEGER}"' if abs(value) >= MAX_GENERAL_INTEGER else ""
            return f"{style}><v>{value}</v></c>"
        case float():
            digits = f"{value:.{MAX_NUMBER_DIGITS}g}"
            if float(digits) != value:
                return _text_cell(repr(value))
            return _value_cell(int(Decimal(digits))) if value.is_integer() else f"><v>{digits}</v></c>"
        case list():
            return _text_cell(";".join(map(str, value)))
        case dict():
            return _text_cell(json_text(value))
        case datetime():
            return _moment_cell(value)
        case date():
            return _day_cell(value)
        case _:
            return _text_cell(str(value))


def _day_cell(value: Any) -> str:  # noqa: ANN401 - a date or its text
    day = value if isinstance(value, date) else date.fromisoformat(value)
    if day < FIRST_EXACT_DAY:
        return _text_cell(day.isoformat())
    return f's="{DAY}"><v>{day.toordinal() - _DAY_ZERO}</v></c>'


def _moment_cell(value: Any) -> str:  # noqa: ANN401 - a time or its text
    moment = (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(UTC)
    if moment.date() < FIRST_EXACT_DAY:
        return _text_cell(moment.isoformat(timespec="seconds").replace("+00:00", "Z"))
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return f's="{MOMENT}"><v>{moment.toordinal() - _DAY_ZERO + seconds / 86_400:.10f}</v></c>'


_CELLS: dict[str, Callable[[Any], str]] = {"date": _day_cell, "datetime": _moment_cell}
"""The cells of the columns whose values are texts in JSON, by the type of the column."""


class XlsxEncoder:
    """Encoder of a workbook."""

    def __init__(self, context: FileContext) -> None:
        self._context = context
        self._zip = ZipStream()
        self._row = 1
        columns = context.columns
        self._columns = [
            (f'<c r="{column_letters(number)}', _CELLS.get(column.type, _value_cell))
            for number, column in enumerate(columns, 1)
        ]

    def start(self) -> bytes:
        """Return the start of the workbook, up to the header of the rows."""
        parts = [self._zip.add(name, (_DECLARATION + xml).encode()) for name, xml in _PARTS.items()]
        parts.append(self._zip.add("xl/worksheets/sheet2.xml", _columns_sheet(self._context)))
        widths = [_WIDTHS.get(column.type, _TEXT_WIDTH) for column in self._context.columns]
        head = _sheet_start(widths) + _row(1, [column.name for column in self._context.columns], HEADER)
        parts += [self._zip.begin("xl/worksheets/sheet1.xml"), self._zip.write(head.encode())]
        return b"".join(parts)

    def encode(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """Return the bytes of further rows, each with the values of its columns."""
        lines = []
        for row in rows:
            self._row += 1
            number = self._row
            cells = [
                f'{start}{number}" {render(value)}'
                for (start, render), value in zip(self._columns, row, strict=True)
                if value is not None
            ]
            lines.append(f'<row r="{number}">{"".join(cells)}</row>')
        return self._zip.write("".join(lines).encode())

    def finish(self) -> bytes:
        """Return the end of the workbook."""
        return self._zip.write(_SHEET_END.encode()) + self._zip.end() + self._zip.finish()


def _sheet_start(widths: Sequence[int]) -> str:
    columns = "".join(
        f'<col min="{position}" max="{position}" width="{width}" customWidth="1"/>'
        for position, width in enumerate(widths, 1)
    )
    return _SHEET_START.format(widths=columns)


def _row(number: int, texts: Iterable[str], style: int = TEXT) -> str:
    cells = [
        f'<c r="{column_letters(position)}{number}" s="{style}" t="inlineStr"><is>'
        f'<t xml:space="preserve">{escape_text(text)}</t></is></c>'
        for position, text in enumerate(texts, 1)
    ]
    return f'<row r="{number}">{"".join(cells)}</row>'


def _columns_sheet(context: FileContext) -> bytes:
    """Return the sheet with the meaning of the columns, and where the rows are from."""
    rows: list[tuple[str, ...]] = [("column", "type", "meaning")]
    rows += [(column.name, _type_name(column), column.description) for column in context.columns]
    rows += [(), ("register", "", context.title), ("terms", "", context.terms or "none stated")]
    rows.append(("address", "", context.address))
    lines = [_row(number, texts, HEADER if number == 1 else TEXT) for number, texts in enumerate(rows, 1)]
    return (_sheet_start((24, 12, 100)) + "".join(lines) + _SHEET_END).encode()


def _type_name(column: FlatColumn) -> str:
    return f"{column.type}s, joined by ;" if column.is_list else column.type


XLSX = FileWriter(
    media_type=XLSX_MEDIA_TYPE,
    row_form=RowForm.cells,
    new_encoder=XlsxEncoder,
    max_rows=MAX_SHEET_ROWS - 1,  # without the header
)
