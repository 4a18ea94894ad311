"""People, sessions, films and ratings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "films",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item", sa.String, nullable=False, unique=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("search", sa.String, nullable=False),
        sa.Column("year", sa.Integer, index=True),
        sa.Column("genres", sa.String, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(40)),
        sa.Column("name_key", sa.String(120), unique=True),
        sa.Column("password", sa.String),
        sa.Column("created", sa.Integer, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("person", sa.Integer, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("created", sa.Integer, nullable=False),
    )
    op.create_table(
        "ratings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("person", sa.Integer, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
        sa.Column("film", sa.Integer, sa.ForeignKey("films.id"), nullable=False),
        sa.Column("rating", sa.Float),
        sa.Column("time", sa.Integer, nullable=False),
    )
    op.create_index("ratings_by_person", "ratings", ["person", "film", "id"])


def downgrade() -> None:
    """Removes them, with what is in them."""
    for name in ("ratings", "sessions", "people", "films"):
        op.drop_table(name)
