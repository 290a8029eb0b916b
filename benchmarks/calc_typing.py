"""Types rows into a sheet that LibreOffice Calc has opened, and saves it as XLSX and as CSV.

Run by `benchmarks/calc.py` with the Python of the system, which has the package `uno`:
`calc_typing.py INPUT OUTPUT.xlsx OUTPUT.csv FIRST_ROW < rows.json`
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uno
from com.sun.star.beans import PropertyValue

CSV_FILTER = "Text - txt - csv (StarCalc)"
READ_OPTIONS = "44,34,76,1,,1033,false,true"  # comma, UTF-8, English (US), numbers and days are detected
WRITE_OPTIONS = "44,34,76,1,,1033,false,true,false"  # cells as they are shown
MAX_COLUMNS = 60


def option(name, value):
    made = PropertyValue()
    made.Name, made.Value = name, value
    return made


def connect(address):
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    for _ in range(120):
        try:
            context = resolver.resolve(f"uno:{address};urp;StarOffice.ComponentContext")
        except Exception:
            time.sleep(0.5)
        else:
            return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
    raise SystemExit("LibreOffice does not answer.")


def main(source, xlsx, csv, first_row):
    with tempfile.TemporaryDirectory() as folder:
        address = f"pipe,name=counterclaim-{Path(folder).name}"
        program = [
            "soffice",
            "--headless",
            "--norestore",
            f"-env:UserInstallation=file://{folder}",
            f"--accept={address};urp;",
        ]
        office = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        desktop = connect(address)
        how = [option("Hidden", True)]
        if source.endswith(".csv"):
            how += [option("FilterName", CSV_FILTER), option("FilterOptions", READ_OPTIONS)]
        document = desktop.loadComponentFromURL(f"file://{source}", "_blank", 0, tuple(how))
        sheet = document.Sheets.getByIndex(0)
        columns = {sheet.getCellByPosition(number, 0).String: number for number in range(MAX_COLUMNS)}
        for number, row in enumerate(json.load(sys.stdin), int(first_row)):
            for name, text in row.items():
                sheet.getCellByPosition(columns[name], number).FormulaLocal = text  # as if it was typed
        document.storeToURL(f"file://{xlsx}", (option("FilterName", "Calc MS Excel 2007 XML"),))
        document.storeToURL(f"file://{csv}", (option("FilterName", CSV_FILTER), option("FilterOptions", WRITE_OPTIONS)))
        document.close(True)
        try:
            desktop.terminate()
        except Exception:
            pass  # it ends before it answers
        office.wait(60)


main(*sys.argv[1:])
