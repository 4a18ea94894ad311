"""Mixture of experts: a GPT whose feed-forward parts are many, of which each token uses one or two.

Fedus et al. 2022, "Switch transformers"; Jiang et al. 2024, "Mixtral of experts". Not in D2L. The mechanism is
``lit_models/layers/mixture_of_experts.py``, the losses ``lit_models/functional/routing.py``, and the network GPT
with ``num_experts``. Here the experts learn a text in several languages: which expert serves which language
is the router's own finding, and is measured.

Departs from the papers: the balancing loss uses the use of experts in the batch of all processes, so that two
processes have the gradients of one (Qiu et al. 2025, "Demons in the detail").

    dive fit moe/experts                                     four languages, four experts, offline
    dive fit moe/experts --model.experts_per_token 2         as Mixtral
    dive fit moe/experts --model.freeze_router true          the router stays as it was drawn

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from common.messages import UserError
from lit_models.attention.gpt import GPT
from lit_models.functional.routing import Routing, balance_loss, frequencies, of_tokens, purity, z_loss
from lit_models.layers.mixture_of_experts import MixtureOfExperts, recorded
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.processes import mean_over_processes, own_rows
from lit_models.tasks.trains import trains


@trains(GPT)
class LitExperts(LanguageModel):
    """GPT with experts, as a language model. A test returns the chosen ``experts`` (B, T, K, layers) of each token.

    Logs, besides what ``LanguageModel`` does, ``val/balance`` and ``test/balance`` (the balancing loss over K: 1 if all
    experts are used alike, at most E), ``val/dropped`` and ``test/dropped`` (the fraction of choices beyond the
    capacity of training) and, where the datamodule divides its rows into groups (``subsets``), ``test/purity``: how
    well the expert of a token tells its group, in the layer where it does so best.

    Args:
        num_experts: Experts of each layer.
        balance: Weight of the balancing loss (0.01 in Switch). If it is too large, experts are used evenly and
            learn nothing of their own.
        z: Weight of the z loss (0.001 in ST-MoE).
        freeze_router: The router keeps its initial weights.
        **task: See ``LanguageModel``.

    Raises:
        UserError: Fewer than one expert.
    """

    net: GPT

    def __init__(
        self, num_experts: int = 4, balance: float = 0.01, z: float = 0.001, freeze_router: bool = False, **task: Any
    ) -> None:
        super().__init__(**task)
        if num_experts < 1:
            raise UserError(f"model.num_experts is {num_experts}: give at least 1")
        self.num_experts, self.balance, self.z = num_experts, balance, z
        if freeze_router:
            for module in self.net.modules():
                if isinstance(module, MixtureOfExperts):
                    module.router.requires_grad_(False)
        self.sums: dict[str, Tensor] = {}  # of the evaluation in progress
        self.seen = 0  # test rows of this process so far

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        with recorded(self.net) as routings:
            loss, count = self.mean_loss(batch, "train")
        self.record_train_loss(loss, count)
        return loss + self.router_losses(routings, batch[1] != self.pad_id)

    def router_losses(self, routings: list[Routing], real: Tensor) -> Tensor:
        """The two losses of the routers with their weights, summed over the layers, on the tokens ``real`` (B, T)
        alone: each token of all processes counts the same, padding not at all.
        """
        routings = [of_tokens(r, real) for r in routings]
        count = real.sum().to(routings[0].logits)
        every = mean_over_processes(self, count)
        even = [balance_loss(r, mean_over_processes(self, count * frequencies(r)) / every) for r in routings]
        losses = self.balance * torch.stack(even).sum() + self.z * torch.stack([z_loss(r) for r in routings]).sum()
        return losses  # which ``Task.backward`` weighs by the tokens of this process, as the rest of the loss

    # -- evaluation -------------------------------------------------------------------------------------------------

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        with recorded(self.net) as routings:
            super().validation_step(batch, batch_idx)
        self.count_use("val", routings, batch[1] != self.pad_id)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:  # type: ignore[override]
        with recorded(self.net) as routings:
            super().test_step(batch, batch_idx)
        real = batch[1] != self.pad_id
        self.count_use("test", routings, real)
        self.count_groups(routings, real)
        return {"experts": torch.stack([r.experts for r in routings], -1)}

    def add(self, name: str, value: Tensor) -> None:
        self.sums[name] = self.sums[name] + value if name in self.sums else value

    def count_use(self, split: str, routings: list[Routing], real: Tensor) -> None:
        """Adds, over all layers, the tokens, the dropped choices, and the tokens and probabilities of each expert."""
        every = torch.stack([r.kept for r in routings])[:, real]  # (layers, N, K)
        self.add(f"{split} dropped", (~every).sum())
        self.add(f"{split} choices", torch.tensor(every.numel(), device=real.device))
        chosen = [F.one_hot(r.experts[real], self.num_experts).sum((0, 1)) for r in routings]
        self.add(f"{split} chosen", torch.stack(chosen))  # (layers, E)
        self.add(f"{split} probability", torch.stack([r.logits[real].softmax(-1).sum(0) for r in routings]))

    def count_groups(self, routings: list[Routing], real: Tensor) -> None:
        """Adds how many tokens (layers, E) of each group of rows chose each expert first."""
        groups: dict[str, list[bool]] = self.data_attribute("subsets", {}).get("test", {})
        choices = torch.stack([r.experts[..., 0] for r in routings], 1)  # (B, layers, T)
        first = (F.one_hot(choices, self.num_experts) * real[:, None, :, None]).sum(2)  # (B, layers, E)
        for name, belongs in groups.items():
            rows = torch.tensor(own_rows(self, belongs, self.seen, len(real)), device=real.device)
            self.add(f"group {name}", first[rows].sum(0))
        self.seen += len(real)

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        self.sums = {}

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        self.sums, self.seen = {}, 0

    def on_validation_epoch_end(self) -> None:
        super().on_validation_epoch_end()
        self.log_use("val")

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        self.log_use("test")
        groups = [self.total(name) for name in self.sums if name.startswith("group ")]
        if groups:
            layers = torch.stack(groups, 1).float()  # (layers, G, E)
            self.log("test/purity", torch.stack([purity(counts) for counts in layers]).max(), sync_dist=True)

    def total(self, name: str) -> Tensor:
        """A sum over all processes, but for their number: only ratios of such sums are used."""
        return mean_over_processes(self, self.sums[name])

    def log_use(self, split: str) -> None:
        """Logs what ``count_use`` added."""
        dropped, choices, chosen, probability = (
            self.total(f"{split} {name}") for name in ("dropped", "choices", "chosen", "probability")
        )
        share, mean = (t / t.sum(1, keepdim=True) for t in (chosen, probability))  # each layer's sum is 1
        self.log(f"{split}/dropped", dropped / choices, sync_dist=True)
        self.log(f"{split}/balance", self.num_experts * (share * mean).sum(1).mean(), sync_dist=True)
