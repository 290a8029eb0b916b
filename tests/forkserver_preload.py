"""Imports the modules that commands need, so that the fork server loads them once (see `forkserver.py`)."""

import gc

import alembic.command
import alembic.ddl.postgresql
import alembic.ddl.sqlite
import psycopg
import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite.pysqlite
import uvicorn.lifespan.on
import uvicorn.loops.auto
import uvicorn.protocols.http.httptools_impl

import app.cli
import app.imports.command
import app.main
import app.server
import app.starter.load

__all__ = ["alembic", "app", "psycopg", "sqlalchemy", "uvicorn"]

gc.collect()
gc.freeze()  # a collection in a new process would copy all pages of these modules
