"""Generated requests over the description of the routes (Schemathesis): whatever comes, no response is a 5xx."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.scripts.serve.recommender.planted import planted_app
from tests.scripts.serve.recommender.postgres import Postgres

ROUTES = 8  # of the API


def ask(folder: Path, cases: int, *words: str) -> None:
    """So many cases, the same each time, divided among the routes."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", planted_app(folder, *words))
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == ROUTES
    asked = 0
    for operation in operations:

        @seed(0)
        @settings(
            max_examples=cases // ROUTES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def one(case: schemathesis.Case) -> None:
            nonlocal asked
            asked += 1
            response = case.call()
            assert response.status_code < 500, (case.as_curl_command(), response.text)
            if response.status_code >= 400:
                assert set(response.json()["error"]) == {"status", "message"}

        one()
    assert asked >= cases // 2  # routes with few inputs have fewer


def test_two_hundred_generated_requests_are_answered(tmp_path: Path) -> None:
    ask(tmp_path, 200)


@pytest.mark.slow
def test_two_thousand_generated_requests_are_answered(tmp_path: Path) -> None:
    ask(tmp_path, 2000)


@pytest.mark.slow
def test_four_hundred_generated_requests_are_answered_from_postgresql(server: Postgres, tmp_path: Path) -> None:
    ask(tmp_path, 400, "--database", server.new_database())
