"""Dependencies that the routes of every feature share."""

from typing import Annotated

from fastapi import Depends, Request

from app.database.engine import Database


async def get_database(request: Request) -> Database:
    """Return the database of the application that serves a request."""
    database: Database = request.app.state.database
    return database


Db = Annotated[Database, Depends(get_database)]
"""The database of the application, in a route's signature."""
