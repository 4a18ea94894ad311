"""Errors as one clear page, or as JSON under ``/api``: a status, a sentence, and never a trace."""

import logging
import secrets
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from common.messages import UserError
from scripts.serve.site import Site

LOG = logging.getLogger("dive.serve")
SAYS = {
    404: "there is no such page",
    405: "this address does not take that kind of request",
    413: "that is too large",
    429: "too many requests at once: try again in a moment",
    500: "an error of this site: it is noted in its log",
    503: "this took too long: try again in a moment",
}


def wants_page(request: Request) -> bool:
    """Whether a person asked, with a browser."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def response(site: Site, request: Request, status: int, message: str = "", headers: Any = None) -> Response:
    """The response to a request that went wrong."""
    message = message or SAYS.get(status, "") or HTTPStatus(status).phrase
    if wants_page(request):
        title = HTTPStatus(status).phrase
        response: Response = site.render(request, "error.html", status, message=message, title=title, number=status)
    else:
        response = JSONResponse({"error": {"status": status, "message": message}}, status)
    response.headers.update(headers or {})
    return response


def add_handlers(app: FastAPI, site: Site) -> None:
    """Every exception becomes such a response."""

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        known = error.detail == HTTPStatus(error.status_code).phrase
        return response(site, request, error.status_code, "" if known else str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or first["loc"][0]
        return response(site, request, 422, f"{str(place)[:80]}: {first['msg'][:200]}")

    @app.exception_handler(UserError)
    def wrong(request: Request, error: UserError) -> Response:
        return response(site, request, getattr(error, "status", 400), str(error))

    @app.exception_handler(Exception)
    def failed(request: Request, error: Exception) -> Response:
        number = secrets.token_hex(4)
        LOG.error("error %s at %s %s: %r", number, request.method, request.url.path, error)
        return response(site, request, 500, f"{SAYS[500]} ({number})")
