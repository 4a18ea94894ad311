"""The administrator's page, ``/admin``: which run is served, the newest ones, and the swap. Every page has it.

It is open to whoever knows the token of ``DIVE_ADMIN_TOKEN``, by a form that sets a cookie for an hour or by the header
``Authorization: Bearer TOKEN``; without the variable the page does not exist (404). Wrong tokens of either kind are
counted together: an address has 20 per minute.
"""

import hmac
import os
import time
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from common.messages import UserError
from scripts.serve.csrf import set_cookie
from scripts.serve.site import Site

COOKIE = "admin"
HOUR = 3600  # seconds for which a cookie counts, on the server too
SHORTEST = 16  # letters of a token
TOO_MANY = "too many attempts: wait a minute"


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

    def check(request: Request) -> None:
        if not token:
            raise HTTPException(404)
        if fresh(request.cookies.get(COOKIE, ""), site.secret, token):
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            address = address_of(request)
            if not site.attempts.has(address):  # the right token too, or one could go on guessing
                raise HTTPException(429, TOO_MANY)
            if hmac.compare_digest(given.encode(), token.encode()):
                return
            site.attempts.take(address)
        raise HTTPException(401, "only for the administrator: open /admin and give the token")

    return check


def new_cookie(secret: bytes, token: str) -> str:
    """A cookie for the administrator: when it was made, and the site's word for it."""
    made = str(int(time.time()))
    return f"{made}.{signed(made, secret, token)}"


def fresh(cookie: str, secret: bytes, token: str) -> bool:
    """Whether a cookie is ours, of this token, and not an hour old."""
    made, _, digest = cookie.partition(".")
    right = hmac.compare_digest(digest.encode(), signed(made, secret, token).encode())
    return right and time.time() - int(made) < HOUR


def signed(made: str, secret: bytes, token: str) -> str:
    """What nobody else can write after this time."""
    return hmac.new(secret, f"admin {made} {token}".encode(), sha256).hexdigest()


def address_of(request: Request) -> str:
    """Who asks, as limits know it."""
    return request.client.host if request.client else ""


def router(site: Site) -> APIRouter:
    """The routes of the administrator."""
    routes = APIRouter(include_in_schema=False)
    check = admin_check(site)

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
            if error.status_code != 401:
                raise
            return site.render(request, "admin_login.html", 401, message="")
        return show(request)

    @routes.post("/admin")
    def login(request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
        if not admin_token():
            raise HTTPException(404)
        if not site.attempts.take(address_of(request)):
            raise HTTPException(429, TOO_MANY)
        if not hmac.compare_digest(token.encode(), admin_token().encode()):
            return site.render(request, "admin_login.html", 401, message="That is not the token.")
        response = RedirectResponse("/admin", 303)
        set_cookie(request, response, COOKIE, new_cookie(site.secret, admin_token()), HOUR)
        return response

    @routes.post("/admin/leave")
    def leave() -> Response:
        if not admin_token():
            raise HTTPException(404)
        response = RedirectResponse("/admin", 303)
        response.delete_cookie(COOKIE, path="/")
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
