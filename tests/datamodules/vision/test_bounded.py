"""Large pictures wait for room."""

import threading

from datamodules.vision import bounded


def test_large_pictures_are_decoded_one_after_the_other() -> None:
    """Another one comes while the first has the room; small ones share it."""
    room, order = bounded.Room(10), []
    with room.take(4), room.take(6):
        assert room.used == 10
        thread = threading.Thread(target=lambda: [order.append("second") for _ in [1] if room_of(room, 1)])
        thread.start()
        while not room.changed._waiters:  # type: ignore[attr-defined]
            assert thread.is_alive()  # it did not go in
        order.append("first")
    thread.join()
    with room.take(99):  # alone
        assert room.used == 99
    assert order == ["first", "second"] and room.used == 0


def room_of(room: bounded.Room, much: int) -> bool:
    with room.take(much):
        return True
