"""The tables of the site. A change of them is a file of ``migrations/versions`` that has the same effect.

Ratings are events that are only added: the newest of a person and a film counts, one without a number takes it back.
So a history is there by itself, undo removes the newest event, and two processes never change the same row.
"""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table

METADATA = MetaData()
LONGEST_NAME = 40  # letters of a person's name

films = Table(
    "films",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("item", String, nullable=False, unique=True),  # its name in the ratings that the model was trained on
    Column("title", String, nullable=False),
    Column("search", String, nullable=False),  # the title without case and accents
    Column("year", Integer, index=True),
    Column("genres", String, nullable=False, default=""),  # "|Comedy|Drama|"
)
people = Table(
    "people",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(LONGEST_NAME)),  # none: a guest
    Column("name_key", String(LONGEST_NAME * 3), unique=True),  # the name without case
    Column("password", String),  # argon2's hash
    Column("created", Integer, nullable=False),
)
sessions = Table(
    "sessions",
    METADATA,
    Column("digest", String(64), primary_key=True),  # of the cookie, which itself is nowhere stored
    Column("person", Integer, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Integer, nullable=False),
)
ratings = Table(
    "ratings",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("person", Integer, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("film", Integer, ForeignKey("films.id"), nullable=False),
    Column("rating", Float),
    Column("time", Integer, nullable=False),
    Index("ratings_by_person", "person", "film", "id"),
)
