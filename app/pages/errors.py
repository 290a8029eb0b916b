"""Problems as pages, for people who follow a link."""

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

from app.errors import Problem, shorten
from app.http.problems import MAX_MESSAGE_CHARACTERS, MAX_REPORTED_FAULTS
from app.pages.policy import PAGE_MEDIA_TYPE, page_policy
from app.pages.templates import render


def render_problem_page(request: Request, problem: Problem, headers: Mapping[str, str]) -> Response:
    """Return a problem as a page."""
    body = render(
        "error.html",
        search=None,
        title=problem.title,
        detail=shorten(problem.detail, MAX_MESSAGE_CHARACTERS),
        hint=problem.hint and shorten(problem.hint, MAX_MESSAGE_CHARACTERS),
        errors=[
            {"detail": shorten(fault.detail, MAX_MESSAGE_CHARACTERS)} for fault in problem.errors[:MAX_REPORTED_FAULTS]
        ],
        request_id=getattr(request.state, "request_id", None),
    )
    page_headers = {**headers, "Content-Security-Policy": page_policy()}
    return Response(body, status_code=problem.status, media_type=PAGE_MEDIA_TYPE, headers=page_headers)
