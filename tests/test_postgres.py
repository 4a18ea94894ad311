"""The server of the tests that need a database of several machines."""

from pathlib import Path

import pytest

from tests import postgres


def test_where_there_can_be_no_server_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    with pytest.raises(pytest.skip.Exception, match="no driver of PostgreSQL"), postgres.postgres(tmp_path):
        pass
    monkeypatch.setattr(postgres, "find_spec", lambda name: True)
    monkeypatch.setattr(postgres, "SERVER", "nowhere/*")
    monkeypatch.setattr(postgres.shutil, "which", lambda name: None)
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL, apt-get or dpkg here"), postgres.postgres(tmp_path):
        pass


@pytest.mark.slow
def test_debians_packages_serve_without_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a server is installed: apt then names a newer one, or nothing, and that is said."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("psycopg")
    folder = tmp_path / "prefix"
    if why := postgres.unpack(folder):
        pytest.skip(why)
    for path in (folder, *folder.parents):
        if path.is_relative_to(tmp_path.parents[1]):
            path.chmod(0o755)  # for the user nobody
    (tmp_path / "server").mkdir()
    server = postgres.Server(tmp_path / "server", folder)
    try:
        server.start()
        with sqlalchemy.create_engine(server.url).connect() as connection:
            assert "PostgreSQL" in connection.execute(sqlalchemy.text("select version()")).scalar_one()
    finally:
        server.stop()
