"""A datamodule is known by the names of one protocol, which the callbacks keep to."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.data_protocol import NAMES, data_attribute
from tests.small import Points

CALLBACKS = sorted((Path(__file__).parent.parent.parent / "callbacks").rglob("*.py"))


def unknown_names(code: str) -> list[str]:
    """What a source reads of a datamodule past the protocol."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr in ("datamodule", "_datamodule"):
            found.append(ast.unparse(node))
        if isinstance(node, ast.Constant) and node.value == "datamodule":
            found.append("getattr(..., 'datamodule')")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "data_attribute":
            name = node.args[1]
            if isinstance(name, ast.Constant) and name.value not in NAMES:
                found.append(str(name.value))
    return found


@pytest.mark.parametrize("path", CALLBACKS, ids=lambda path: path.name)
def test_a_callback_knows_a_datamodule_by_the_protocol_alone(path: Path) -> None:
    assert not unknown_names(path.read_text())


@pytest.mark.parametrize(
    "code",
    ["trainer.datamodule.class_names", "getattr(trainer, 'datamodule', None)", "data_attribute(trainer, 'class_nam')"],
)
def test_a_way_past_the_protocol_is_seen(code: str) -> None:
    assert unknown_names(code)


def test_an_attribute_is_the_datamodules_or_the_default() -> None:
    trainer = SimpleNamespace(datamodule=Points())
    assert data_attribute(trainer, "class_names") == ["left", "right", "top"]
    assert data_attribute(trainer, "references", {}) == {}
    assert data_attribute(SimpleNamespace(), "class_names") is None


def test_a_name_outside_of_the_protocol_is_refused() -> None:
    with pytest.raises(AttributeError, match="'class_nam' is not in DataProtocol"):
        data_attribute(SimpleNamespace(datamodule=Points()), "class_nam")


def test_our_datamodules_have_the_common_names() -> None:
    assert {"splits", "setup", "transform", "processor", "load_processor", "class_names"} <= NAMES & {*dir(Points())}
