"""A language model's start: the network is trained for some seconds on texts of the data before the run begins.

Alignment needs a model that can do something already. Where no ``weights`` are given, a recipe makes one of the
datamodule's ``demonstrations``, in a fixed order of batches; what is saved in a checkpoint is never trained again.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError, note

BATCH = 64


def train_start(net: nn.Module, rows: tuple[Tensor, Tensor], steps: int, rate: float, pad_id: int) -> dict[str, Tensor]:
    """The state of a copy of the network after ``steps`` of AdamW on the rows. LoRA's small matrices stay as they are.

    Args:
        net: (B, T) -> (B, T, V). It does not change.
        rows: Tokens and targets (N, T); a target of ``pad_id`` is ignored.
        steps: Optimizer steps of 64 rows each.
        rate: Largest learning rate, of a one-cycle schedule.
        pad_id: Target that is ignored.
    """
    place = next(net.parameters()).device
    own = [place] if place.type == "cuda" else []  # whose random numbers are as before, too
    with torch.random.fork_rng(devices=own), torch.enable_grad(), torch.inference_mode(False):
        torch.manual_seed(0)
        copy = deepcopy(net).train()
        for name, parameter in copy.named_parameters():
            parameter.requires_grad_(not name.endswith(("lora_a", "lora_b")))
        learned = [p for p in copy.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learned, lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(2, steps), pct_start=0.1)
        loss = torch.zeros(())
        for _ in range(steps):
            index = torch.randint(len(rows[0]), (BATCH,))
            tokens, targets = (part[index].long().to(place) for part in rows)
            loss = F.cross_entropy(copy(tokens).flatten(0, 1).float(), targets.flatten(), ignore_index=pad_id)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        note(f"the start: {steps} steps on {len(rows[0]):,} texts of the data, loss {float(loss.detach()):.2f} at last")
        return {name: value.detach() for name, value in copy.state_dict().items()}


def demonstrations_of(found: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The texts to start from.

    Raises:
        UserError: The data has none.
    """
    if found is None:
        raise UserError(
            "model.start_steps: this data has no texts to start from: give --model.weights FILE, a run of the same "
            "sizes and vocabulary"
        )
    return found
