"""What a process does that is to be killed; it imports no more than it needs."""

from pathlib import Path

from scripts.serve.recommender.database import open_database
from scripts.serve.recommender.people import add_rating


def rate_without_end(url: str, log: Path, films: int) -> None:
    """Rates film after film, and notes each one that was acknowledged."""
    engine = open_database(url)
    token = None
    with open(log, "a", buffering=1) as file:
        for k in range(1_000_000):
            token = add_rating(engine, token, 1 + k % films, 1 + k % 5) or token
            file.write(f"{k}\n")
