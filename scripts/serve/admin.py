"""The administrator's page, ``/admin``: which run is served, the newest ones, and the swap. Every page has it.

It is open to whoever knows the token of ``DIVE_ADMIN_TOKEN``, by a form that sets a cookie or by the header
``Authorization: Bearer TOKEN``; without the variable there is no such page (404).
"""

import hmac
import os
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from common.messages import UserError
from scripts.serve.csrf import set_cookie
from scripts.serve.guard import Rates
from scripts.serve.site import Site

COOKIE = "admin"
HOUR = 3600
ATTEMPTS = 20  # per minute, of an address
SHORTEST = 16  # letters of a token


def admin_token() -> str:
    """The token; empty means that there is no administrator.

    Raises:
        UserError: It can be guessed.
    """
    token = os.environ.get("DIVE_ADMIN_TOKEN", "")
    if token and len(token) < SHORTEST:
        raise UserError(f"DIVE_ADMIN_TOKEN has {len(token)} letters: take {SHORTEST} or more")
    return token


def admin_check(site: Site):  # type: ignore[no-untyped-def]
    """A dependency that lets only the administrator pass (401; 404 where there is none)."""
    token = admin_token()
    digest = hmac.new(site.secret, f"admin {token}".encode(), sha256).hexdigest()

    def check(request: Request) -> None:
        if not token:
            raise HTTPException(404)
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        cookie = request.cookies.get(COOKIE, "")
        right = hmac.compare_digest(given.encode(), token.encode())
        if not right and not hmac.compare_digest(cookie.encode(), digest.encode()):
            raise HTTPException(401, "only for the administrator: open /admin and give the token")

    check.cookie = digest  # type: ignore[attr-defined]
    return check


def router(site: Site) -> APIRouter:
    """The routes of the administrator."""
    routes = APIRouter(include_in_schema=False)
    check = admin_check(site)
    attempts = Rates(ATTEMPTS)

    def show(request: Request, status: int = 200, message: str = "") -> Response:
        current, runs = site.models.current, site.models.usable()
        facts = [("recipe", current.recipe), ("run", current.run.name), ("swaps", site.models.swaps)]
        facts += site.page.call("facts", site) or []
        names, links = [run.name for run in runs], getattr(site.page.module, "ADMIN_LINKS", ())
        return site.render(
            request,
            "admin.html",
            status,
            admin=True,
            facts=facts,
            links=links,
            runs=names,
            current=current.run.name,
            message=message,
        )

    @routes.get("/admin")
    def home(request: Request) -> Response:
        try:
            check(request)
        except HTTPException as error:
            if error.status_code == 404:
                raise
            return site.render(request, "admin_login.html", 401, message="")
        return show(request)

    @routes.post("/admin")
    def login(request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
        if not admin_token():
            raise HTTPException(404)
        if not attempts.take(request.client.host if request.client else ""):
            raise HTTPException(429, "too many attempts: wait a minute")
        if not hmac.compare_digest(token.encode(), admin_token().encode()):
            return site.render(request, "admin_login.html", 401, message="That is not the token.")
        response = RedirectResponse("/admin", 303)
        set_cookie(request, response, COOKIE, check.cookie, HOUR)
        return response

    @routes.post("/admin/swap", dependencies=[Depends(check)])
    def swap(request: Request, run: Annotated[str, Form(max_length=200)]) -> Response:
        chosen = {path.name: path for path in site.models.usable()}.get(run)
        if chosen is None:
            return show(request, 422, f"There is no run {run} of {site.models.current.recipe} with a checkpoint.")
        try:
            site.models.swap(chosen)
        except UserError as error:
            return show(request, 409, f"Nothing was changed: {error}")
        return RedirectResponse("/admin", 303)

    return routes
