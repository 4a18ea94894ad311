"""The server as a process: a port in use, SIGTERM in the middle of a request, a missing extra."""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from common.messages import UserError
from scripts.cli import main
from scripts.serve.server import bind
from tests import warm


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match="is in use: give another one, --port"):
            bind("127.0.0.1", other.getsockname()[1])
    with pytest.raises(UserError, match="cannot listen on"):
        bind("192.0.2.1", 0)


def test_an_answer_does_not_wait_for_an_acknowledgment() -> None:
    """asyncio switches Nagle's algorithm off where a connection says that it is TCP's, as ours inherit it."""

    async def connected() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            own = writer.get_extra_info("socket")
            told.set_result(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        with bind("127.0.0.1", 0) as listening:
            server = await asyncio.start_server(answer, sock=listening)
            _, writer = await asyncio.open_connection(*listening.getsockname())
            found = await told
            writer.close()
            server.close()
        return found

    assert asyncio.run(connected()) == 1


def test_the_help_imports_neither_torch_nor_the_web() -> None:
    code = (
        "import sys; from scripts.cli import main; main(['--help']); main(['serve', '--help']); "
        "sys.exit(str({'torch', 'fastapi', 'sqlalchemy'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "\n" and "dive serve RUN" in done.stdout


def test_wrong_words_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words, says in (
        ([], "which run?"),
        (["recommender/mf", "--port", "70000"], "--port"),
        (["recommender/nothing"], "recommender/nothing"),
        (["recommender/mf"], "no run of recommender/mf"),
    ):
        assert main(["serve", *words]) == 2
        said = capsys.readouterr().err.splitlines()
        assert said[-1].startswith("dive: ") and says in said[-1]


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else 1)
    assert main(["serve", "recommender/mf"]) == 2
    assert "serve needs uvicorn, which this environment lacks: pip install -e '.[serve]'" in capsys.readouterr().err


def serve_toy(folder: Path) -> None:
    """In a process of its own: the toy page until a signal, as ``dive serve`` runs it."""
    from scripts import cli
    from scripts.serve.server import serve
    from scripts.verbs.serve import serve_parser
    from tests.scripts.serve.toy import toy_page, toy_run

    options = serve_parser().parse_args(["toy/toy", "--port", "0", "--state", str(folder)])
    options.until, options.pause = threading.Event(), 1.0
    cli.dispatch = lambda argv: serve(toy_page(), toy_run(), options)  # type: ignore[assignment]
    sys.exit(cli.main(["serve"]))


def test_sigterm_answers_what_was_asked_and_ends_with_143(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = warm.start(serve_toy, tmp_path, log=log)
    port = wait_for_port(log, process)
    asked: list[str] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/run")
        asked.append(connection.getresponse().read().decode())

    thread = threading.Thread(target=ask)
    thread.start()
    while progress(port) < 1:
        pass
    os.kill(int(process.pid or 0), signal.SIGTERM)
    thread.join()
    assert warm.wait(process) == [143] and asked == ['"first prepared first"']
    assert "Traceback" not in log.read_text() and warm.lines(log) == ["stopped by SIGTERM"]


def wait_for_port(log: Path, process: BaseProcess) -> int:
    """The port that the server printed."""
    while True:
        text = log.read_text() if log.is_file() else ""
        if "http://127.0.0.1:" in text and text.endswith("\n"):
            return int(text.split("http://127.0.0.1:")[1].split()[0])
        assert process.is_alive(), text
        time.sleep(0.05)  # looks again; it waits for the line, however long


def progress(port: int) -> float:
    """How many requests are worked on."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return float(text.split("\ndive_in_progress ")[1].split()[0])
