"""A trained model and its datamodule, from the folder of a run, without a trainer."""

import json
from pathlib import Path
from typing import Any

from common.messages import UserError
from scripts.front.build import build
from scripts.front.checkpoints import check_checkpoint, read_checkpoint


def restore(run: Path, checkpoint: Path) -> tuple[Any, Any]:
    """The model of a run with the weights of a checkpoint, in evaluation mode on the CPU, and the run's datamodule with
    what the run saved of its data (``processor.json``).

    Raises:
        UserError: The checkpoint is damaged, foreign or of another model, or does not fit the run's config.
    """
    _, model, data = build(["--config", str(run / "config.yaml")])
    check_checkpoint(checkpoint, f"{type(model).__module__}.{type(model).__name__}", {})
    load_weights(model, checkpoint, "the config of its run")
    processor = run / "processor.json"
    if processor.is_file() and hasattr(data, "load_processor"):
        data.load_processor(json.loads(processor.read_text(encoding="utf-8")))  # type: ignore[union-attr]
    return model.eval(), data


def load_weights(model: Any, checkpoint: Path, built_from: str = "the model") -> dict[str, Any]:
    """Loads a checkpoint into a model as Lightning does: its hook first, then the weights. Returns the contents.

    Args:
        model: A LightningModule.
        checkpoint: A file, or the folder of a sharded one.
        built_from: What the checkpoint does not fit, for the message.

    Raises:
        UserError: It is damaged, or has other weights.
    """
    content = read_checkpoint(checkpoint)
    model.on_load_checkpoint(content)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"checkpoint {checkpoint} does not fit {built_from}: {reason}") from None
    return content
