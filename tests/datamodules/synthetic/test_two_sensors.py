"""Two sensors: how many readings each has, and that one follows the other."""

import torch

from datamodules.synthetic.two_sensors import TwoSensors, readings


def test_the_second_sensor_is_read_seldom_and_tested() -> None:
    data = TwoSensors()
    data.setup("fit")
    counts = data.splits["train"][0][:, 1].long().bincount().tolist()
    assert counts == [60, 8]
    assert bool((data.splits["test"][0][:, 1] == 1).all())


def test_it_falls_where_the_first_rises() -> None:
    time = torch.linspace(0, 4, 200)
    first, second = readings(time, torch.zeros(200)), readings(time, torch.ones(200))
    assert float(torch.corrcoef(torch.stack([first, second - 0.2 * time]))[0, 1]) < -0.999


def test_noise_is_what_was_asked_for() -> None:
    data = TwoSensors(noise=0.3)
    data.setup("test")
    x, y = data.splits["test"]
    assert abs(float((y - readings(x[:, 0], x[:, 1])).std()) - 0.3) < 0.03
