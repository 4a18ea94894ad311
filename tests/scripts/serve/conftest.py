"""The toy site with an administrator; the folders of the pages have sites of their own."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.scripts.serve.toy import TOKEN, toy_app


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DIVE_ADMIN_TOKEN", TOKEN)
    with TestClient(toy_app(tmp_path), raise_server_exceptions=False) as found:
        yield found
