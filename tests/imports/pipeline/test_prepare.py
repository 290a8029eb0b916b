"""Preparing an import releases its resources, however the caller leaves the loop."""

import gc
from contextlib import closing
from pathlib import Path

import pytest

from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline.prepare import DEFAULT_GC_THRESHOLDS, IMPORT_GC_THRESHOLDS, ImportRequest, import_attempts
from tests.imports.import_helpers import format_csv, native_row
from tests.registers import Register


def test_the_thresholds_of_the_garbage_collector_are_reset_when_the_caller_fails(
    register: Register, tmp_path: Path
) -> None:
    file = tmp_path / "claims.csv"
    file.write_text(format_csv(native_row()), encoding="utf-8", newline="")
    request = ImportRequest([file], NativeRowMapper())
    with pytest.raises(RuntimeError, match="the caller fails"):
        _fail_in_the_loop(register, request)
    assert gc.get_threshold() == DEFAULT_GC_THRESHOLDS


def _fail_in_the_loop(register: Register, request: ImportRequest) -> None:
    with closing(import_attempts(register.database, request, "desk")) as attempts:
        for _prepared in attempts:
            assert gc.get_threshold() == IMPORT_GC_THRESHOLDS
            raise RuntimeError("the caller fails")
