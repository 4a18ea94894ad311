"""Forms come from our own pages (OWASP, "Cross-Site Request Forgery Prevention": signed double submit).

A cookie holds a random number; every form has a field ``csrf``, the cookie's HMAC under the site's secret, which
another site can neither read nor compute. A request with a JSON body, or of a method that forms do not have, needs no
token, since a browser asks first before it sends one to another site, and the site allows none; its
``Origin`` must be ours where there is one. Under ``/api/`` a request with no cookie and none of a browser's headers
needs none either: it is a program's, such as curl's, and there is no session that it could abuse.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.responses import Response

COOKIE, FIELD, HEADER = "csrf", "csrf", "x-csrf-token"
OF_BROWSERS = ("cookie", "origin", "sec-fetch-site", "referer")  # a form of another site has at least one of them
SAFE = ("GET", "HEAD", "OPTIONS")
EXPIRED = "this form is too old or from another site: reload the page and try again"


def sign(value: str, secret: bytes) -> str:
    """The token of a cookie's value."""
    return hmac.new(secret, f"csrf {value}".encode(), sha256).hexdigest()


def token_of(request: Request, secret: bytes) -> str:
    """The value of the hidden field for whoever asked; ``keep`` must follow with the response."""
    value = request.cookies.get(COOKIE, "")
    if not (len(value) == 32 and value.isalnum() and value.isascii()):
        value = getattr(request.state, "new_csrf", None) or secrets.token_hex(16)
        request.state.new_csrf = value
    return sign(value, secret)


def keep(request: Request, response: Response) -> None:
    """Sets the cookie where ``token_of`` made a new one."""
    value = getattr(request.state, "new_csrf", None)
    if value:
        set_cookie(request, response, COOKIE, value)


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """A cookie that scripts do not see and other sites do not send; only over TLS where the page came so."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=secure, path="/")


def checker(secret: bytes) -> Callable[[Request], Awaitable[None]]:
    """A dependency of all routes that refuses a change which no form of ours asked for (403)."""

    async def check(request: Request) -> None:
        if request.method in SAFE:
            return
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise HTTPException(403, EXPIRED)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        asked_first = kind == "application/json" or request.method != "POST"
        if asked_first or request.headers.get("authorization", "").startswith("Bearer "):
            return
        if request.url.path.startswith("/api/") and not any(name in request.headers for name in OF_BROWSERS):
            return
        given = request.headers.get(HEADER)
        if given is None and kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            field = (await request.form()).get(FIELD)
            given = field if isinstance(field, str) else None
        value = request.cookies.get(COOKIE, "")
        if not value or given is None or not hmac.compare_digest(given.encode(), sign(value, secret).encode()):
            raise HTTPException(403, EXPIRED)

    return check
