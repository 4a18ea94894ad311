"""People and what they rated: guests, sessions, events of ratings, undo, and the CSV file that a recipe trains on."""

import csv
import secrets
import time
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple, TextIO

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from common.messages import UserError
from scripts.serve.recommender.database import writing
from scripts.serve.recommender.tables import films, people, ratings, sessions

MOST_EVENTS = 10_000  # ratings of one person, taken-back ones too
SESSION_DAYS = 90


class NotThere(UserError):
    """What was asked for does not exist: the page says so with this status."""

    status = 404


class Person(NamedTuple):
    """Who asks. ``name`` is empty for a guest."""

    id: int
    name: str


class Rated(NamedTuple):
    """A rating that counts."""

    film: int
    rating: float
    time: int


def newest_events(person: Any = None) -> Any:
    """The ids of the events that count, of a person (an id or a parameter) or of all."""
    query = select(func.max(ratings.c.id)).group_by(ratings.c.person, ratings.c.film)
    return query if person is None else query.where(ratings.c.person == person)


#: What almost every request asks, built once.
PERSON_OF = (
    select(people.c.id, people.c.name)
    .join(sessions, sessions.c.person == people.c.id)
    .where(sessions.c.digest == bindparam("token"), sessions.c.created > bindparam("since"))
)
RATED_BY = (
    select(ratings.c.film, ratings.c.rating, ratings.c.time)
    .where(ratings.c.id.in_(newest_events(bindparam("who"))), ratings.c.rating.is_not(None))
    .order_by(ratings.c.id)
)


def digest(token: str) -> str:
    """What is stored of a session's cookie."""
    return sha256(token.encode()).hexdigest()


def person_of(connection: Connection, token: str | None) -> Person | None:
    """Who has this cookie."""
    if not token or len(token) > 100:
        return None
    since = int(time.time()) - SESSION_DAYS * 86_400
    row = connection.execute(PERSON_OF, {"token": digest(token), "since": since}).first()
    return Person(row.id, row.name or "") if row else None


def new_session(connection: Connection, person: int) -> str:
    """A cookie for a person."""
    token = secrets.token_urlsafe(32)
    now = int(time.time())
    forget_expired(connection, now - SESSION_DAYS * 86_400)
    connection.execute(insert(sessions).values(digest=digest(token), person=person, created=now))
    return token


def forget_expired(connection: Connection, since: int) -> None:
    """Deletes the sessions from before a time, and guests of before whom nobody can reach: none of theirs is left.

    Their ratings go with them; accounts stay.
    """
    if connection.execute(delete(sessions).where(sessions.c.created < since)).rowcount:
        reached = select(sessions.c.person).where(sessions.c.person == people.c.id)
        nobodys = people.c.name.is_(None), people.c.created < since, ~reached.exists()
        connection.execute(delete(people).where(*nobodys))


def new_person(connection: Connection, **columns: Any) -> int:
    """A person's id; a guest without columns."""
    made = connection.execute(insert(people).values(created=int(time.time()), **columns))
    return int(made.inserted_primary_key[0])  # type: ignore[index]


def hold(connection: Connection, person: int, guest: bool = False) -> bool:
    """Lets no other change of a person in until this one ends; False where the person is gone by now, or, with
    ``guest``, has a name.

    In SQLite there is one change at a time anyway.
    """
    query = select(people.c.id).where(people.c.id == person).with_for_update()
    if guest:
        query = query.where(people.c.name.is_(None))
    return connection.execute(query).first() is not None


def add_rating(engine: Engine, token: str | None, film: int, rating: float | None) -> str | None:
    """Adds an event, of a new guest where nobody has this cookie; returns a new guest's cookie.

    Raises:
        NotThere: There is no such film.
        UserError: The person has too many ratings.
    """
    with writing(engine).begin() as connection:
        if connection.execute(select(films.c.id).where(films.c.id == film)).first() is None:
            raise NotThere(f"there is no film {film}")
        person = person_of(connection, token)
        fresh = None
        if person is None or not hold(connection, person.id):
            if rating is None:
                return None  # nobody takes nothing back
            person = Person(new_person(connection), "")
            fresh = new_session(connection, person.id)
        count = select(func.count()).where(ratings.c.person == person.id)
        if connection.execute(count.select_from(ratings)).scalar_one() >= MOST_EVENTS:
            raise UserError(f"one person can rate {MOST_EVENTS:,} times; undo some")
        values = {"person": person.id, "film": film, "rating": rating, "time": int(time.time())}
        connection.execute(insert(ratings).values(**values))
    return fresh


def undo(engine: Engine, person: int) -> int | None:
    """Removes a person's newest event; returns its film."""
    with writing(engine).begin() as connection:
        hold(connection, person)
        newest = select(ratings.c.id, ratings.c.film).where(ratings.c.person == person).order_by(ratings.c.id.desc())
        row = connection.execute(newest.limit(1)).first()
        if row is None:
            return None
        connection.execute(delete(ratings).where(ratings.c.id == row.id))
    return int(row.film)


def rated_by(connection: Connection, person: Person | None) -> list[Rated]:
    """What a person's ratings are now, the oldest first."""
    if person is None:
        return []
    return [Rated(*row) for row in connection.execute(RATED_BY, {"who": person.id})]


def remove(engine: Engine, person: int, guest: bool = False) -> bool:
    """Deletes a person with everything of theirs; with ``guest`` not one who has a name by now (False)."""
    with writing(engine).begin() as connection:
        if not hold(connection, person, guest):
            return not hold(connection, person)  # gone already, or a guest no more
        connection.execute(delete(ratings).where(ratings.c.person == person))
        connection.execute(delete(sessions).where(sessions.c.person == person))
        connection.execute(delete(people).where(people.c.id == person))
    return True


def hand_over(connection: Connection, guest: int, person: int) -> None:
    """Makes a guest's ratings those of a person who signs in; not of a guest who has signed up by now."""
    if not hold(connection, guest, guest=True):
        return
    connection.execute(update(ratings).where(ratings.c.person == guest).values(person=person))
    connection.execute(delete(sessions).where(sessions.c.person == guest))
    connection.execute(delete(people).where(people.c.id == guest))


def export(connection: Connection, file: TextIO, person: int | None = None) -> int:
    """Writes ratings as ``RatingsFile`` reads them, of one person or of all; returns how many.

    A person is called by a number, not by name.
    """
    query = select(ratings.c.person, films.c.item, ratings.c.rating, ratings.c.time, films.c.title)
    query = query.join(films, films.c.id == ratings.c.film).where(ratings.c.id.in_(newest_events(person)))
    rows: Iterable[Any] = connection.execute(query.where(ratings.c.rating.is_not(None)).order_by(ratings.c.id))
    writer, count = csv.writer(file), 0
    writer.writerow(["user", "item", "rating", "timestamp", "title"])
    for count, row in enumerate(rows, 1):  # noqa: B007  the number of the last one
        writer.writerow([f"person-{row.person}", row.item, f"{row.rating:g}", row.time, row.title])
    return count


def counts(connection: Connection) -> dict[str, int]:
    """How many people, accounts, films and ratings there are."""
    events = newest_events().subquery()
    standing = select(func.count()).select_from(ratings).where(ratings.c.rating.is_not(None))
    return {
        "people": connection.execute(select(func.count()).select_from(people)).scalar_one(),
        "accounts": connection.execute(select(func.count(people.c.name))).scalar_one(),
        "films": connection.execute(select(func.count()).select_from(films)).scalar_one(),
        "ratings": connection.execute(standing.where(ratings.c.id.in_(select(events)))).scalar_one(),
    }
