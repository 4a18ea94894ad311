"""Accounts: a guest's ratings under a name and a password, on every device; and one's data to take along or delete.

Passwords are kept as argon2 hashes, sessions as hashes of random cookies. A wrong name takes as long as a wrong
password. Signing in makes a new session, and a guest's ratings become those of the account.
"""

import io
import secrets
import unicodedata
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import APIRouter, Form, HTTPException, Request
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from starlette.responses import RedirectResponse, Response

from scripts.serve.admin import TOO_MANY, address_of
from scripts.serve.rates import Rates
from scripts.serve.recommender import people as peoples
from scripts.serve.recommender.database import writing
from scripts.serve.recommender.desk import COOKIE, Desk
from scripts.serve.recommender.people import (
    SESSION_DAYS,
    Person,
    digest,
    hand_over,
    hold,
    new_person,
    new_session,
    person_of,
)
from scripts.serve.recommender.tables import LONGEST_NAME, people, sessions

SHORTEST = 8  # letters of a password
ATTEMPTS = 20  # per minute, of an address at all names
PER_NAME = 10  # times as many at a name, from all addresses: nobody locks another person out from a single one
HASHER = PasswordHasher()  # RFC 9106's second choice: 64 MiB, some 50 ms
Name = Annotated[str, Form(max_length=4 * LONGEST_NAME)]
Password = Annotated[str, Form(max_length=200)]


def cleaned(name: str) -> tuple[str, str]:
    """A name as it is shown, and what two names of the same look share.

    Raises:
        ValueError: It is empty, too long, or has letters that are not shown.
    """
    shown = " ".join(unicodedata.normalize("NFC", name).split())
    if not shown or len(shown) > LONGEST_NAME or not shown.isprintable():
        raise ValueError(f"A name has 1 to {LONGEST_NAME} letters.")
    return shown, unicodedata.normalize("NFKC", shown).casefold()[: 3 * LONGEST_NAME]


def verified(stored: str | None, password: str, nobody: str) -> bool:
    """Whether a password is that of a hash; without a hash the same work is done for nothing."""
    try:
        return HASHER.verify(stored or nobody, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def router(desk: Desk) -> APIRouter:
    """The routes of accounts."""
    routes = APIRouter(include_in_schema=False)
    of_addresses, of_names = Rates(ATTEMPTS), Rates(PER_NAME * ATTEMPTS)
    nobody = HASHER.hash(secrets.token_hex(16))

    def show(request: Request, status: int = 200, message: str = "", name: str = "") -> Response:
        with desk.reading() as connection:
            person = desk.who(connection, request)
            count = len(peoples.rated_by(connection, person))
        return desk.show(
            request, "account.html", person, status, message=message, given=name, count=count, days=SESSION_DAYS
        )

    def limited(request: Request, whose: str = "") -> None:
        if not of_addresses.take(address_of(request)) or (whose and not of_names.take(whose)):
            raise HTTPException(429, TOO_MANY)

    def entered(request: Request, person: int, guest: Person | None) -> Response:
        """Gives the browser a new session of a person, who gets what a guest rated."""
        with writing(desk.database).begin() as connection:
            if guest is not None and not guest.name and guest.id != person:
                hand_over(connection, guest.id, person)
            connection.execute(delete(sessions).where(sessions.c.digest == digest(request.cookies.get(COOKIE, ""))))
            token = new_session(connection, person)
        response = RedirectResponse("/account", 303)
        desk.signed(request, response, token)
        return response

    @routes.get("/account")
    def account(request: Request) -> Response:
        return show(request)

    @routes.post("/account/join")
    def join(request: Request, name: Name, password: Password) -> Response:
        try:
            shown, key = cleaned(name)
        except ValueError as error:
            return show(request, 422, str(error), name[:LONGEST_NAME])
        if len(password) < SHORTEST:
            return show(request, 422, f"A password has {SHORTEST} letters or more.", shown)
        limited(request)
        columns = {"name": shown, "name_key": key, "password": HASHER.hash(password)}
        try:
            with writing(desk.database).begin() as connection:
                guest = person_of(connection, request.cookies.get(COOKIE))
                if guest is not None and hold(connection, guest.id, guest=True):
                    connection.execute(update(people).where(people.c.id == guest.id).values(**columns))
                    person = guest.id
                else:
                    person, guest = new_person(connection, **columns), None
        except IntegrityError:
            return show(request, 409, "There is somebody of that name: take another one.", shown)
        return entered(request, person, guest)

    @routes.post("/account/enter")
    def enter(request: Request, name: Name, password: Password) -> Response:
        try:
            shown, key = cleaned(name)
        except ValueError:
            shown, key = name[:LONGEST_NAME], ""
        limited(request, f"name {key}")
        with desk.reading() as connection:
            row = connection.execute(select(people.c.id, people.c.password).where(people.c.name_key == key)).first()
            guest = desk.who(connection, request)
        if not verified(row.password if row else None, password, nobody) or row is None:
            return show(request, 401, "That name and password do not belong together.", shown)
        return entered(request, row.id, guest)

    @routes.post("/account/leave")
    def leave(request: Request) -> Response:
        with writing(desk.database).begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest(request.cookies.get(COOKIE, ""))))
        return gone()

    @routes.get("/account/ratings.csv")
    def take_along(request: Request) -> Response:
        file = io.StringIO(newline="")
        with desk.reading() as connection:
            person = desk.who(connection, request)
            if person is None:
                raise HTTPException(404, "you have no ratings yet")
            peoples.export(connection, file, person.id)
        headers = {"content-disposition": 'attachment; filename="ratings.csv"'}
        return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    @routes.post("/account/delete")
    def forget(request: Request, password: Password = "") -> Response:
        with desk.reading() as connection:
            person = desk.who(connection, request)
            if person is None:
                return gone()
            stored = connection.execute(select(people.c.password).where(people.c.id == person.id)).scalar()
        if person.name:
            limited(request, f"id {person.id}")
            if not verified(stored, password, nobody):
                return show(request, 401, "That is not your password: nothing was deleted.")
        if not peoples.remove(desk.database, person.id, guest=not person.name):
            return show(request, 409, "You signed up meanwhile: nothing was deleted.")
        return gone()

    return routes


def gone() -> Response:
    """Back to the first page, as nobody."""
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
