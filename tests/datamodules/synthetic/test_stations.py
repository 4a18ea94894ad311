"""Stations: no station is in two splits, the noise, and the daily cycle."""

import torch

from datamodules.synthetic.stations import Stations, field


def test_test_stations_are_new() -> None:
    data = Stations()
    data.setup("fit")
    places = [{tuple(row) for row in data.splits[n][0][:, :2].tolist()} for n in ("train", "val", "test")]
    assert [len(p) for p in places] == [40, 30, 60]
    assert not places[0] & places[2] and not places[0] & places[1]


def test_noise_is_what_was_asked_for() -> None:
    data = Stations(noise=0.4)
    data.setup("test")
    x, y = data.splits["test"]
    assert abs(float((y - field(x)).std()) - 0.4) < 0.03


def test_the_cycle_is_stronger_in_the_east() -> None:
    time = torch.linspace(0, 1, 100)
    ends = [torch.stack([torch.full_like(time, e), 0 * time, time], 1) for e in (0.0, 1.0)]
    west, east = (float(field(x).max() - field(x).min()) for x in ends)
    assert east > west
