"""The picture of a topic shows what was measured on the same data, and nothing else."""

from pathlib import Path
from typing import Any

from matplotlib.text import Text

from scripts.evidence.results_picture import data_of, draw, draw_topic, model_of


def result(accuracy: float, epochs: int | None = 10) -> dict[str, Any]:
    run = {"parameters": 1000, "seconds": 20.0, "epochs": epochs, "metrics": {"test/acc": accuracy}}
    return {"metrics": {"test/acc": {"mean": accuracy}}, "runs": [run, run]}


SAME_DATA = ("linear/softmax_regression", "mlp/mlp", "cnn/lenet")


def test_three_networks_on_the_same_data_make_a_picture(tmp_path: Path) -> None:
    path = draw_topic([(name, result(0.9)) for name in SAME_DATA], "some", tmp_path / "some.png")
    assert path == tmp_path / "some.png" and path.stat().st_size > 1000


def test_other_data_and_results_that_are_not_there_do_not_count(tmp_path: Path) -> None:
    three = [("linear/softmax_regression", result(0.9)), ("cnn/lenet_mnist", result(0.9)), ("mlp/mlp", None)]
    assert draw_topic(three, "some", tmp_path / "some.png") is None
    assert draw_topic([(name, result(0.9, epochs=None)) for name in SAME_DATA], "some", tmp_path / "some.png") is None
    assert not list(tmp_path.iterdir())


def test_each_point_stands_at_its_size_and_its_mean() -> None:
    figure = draw({"Digits": [(name, result(a)) for name, a in zip(SAME_DATA, (0.7, 0.8, 0.9), strict=True)]})
    points = figure.axes[0].collections[-1].get_offsets()
    assert [tuple(p) for p in points] == [(1000, 0.7), (1000, 0.8), (1000, 0.9)]  # type: ignore[union-attr]


def test_names_cover_neither_points_nor_one_another() -> None:
    figure = draw({"Digits": [(name, result(a)) for name, a in zip(SAME_DATA, (0.9, 0.9, 0.901), strict=True)]})
    ax = figure.axes[0]
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    points = ax.transData.transform(ax.collections[-1].get_offsets())
    assert not any(box.contains(*point) for box in boxes for point in points)


def test_data_is_named_by_its_class_and_a_model_by_its_file() -> None:
    assert data_of("cnn/lenet") == "MNIST5k"
    assert model_of("cnn/resnet_mnist") == "resnet"
