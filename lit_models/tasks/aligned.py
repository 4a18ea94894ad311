"""A policy that learns from preferences or rewards, and the frozen model at its start. Batch: see the leaf.

The reference is a second network in evaluation mode without gradients, whatever mode the policy is in: with dropout
it would be another model in each step, and the KL to it would be noise. It is saved with the run, so that a test knows
how far the policy has moved.
"""

from copy import deepcopy
from typing import Any

from torch import Tensor

from lit_models.functional.alignment_losses import token_log_probs
from lit_models.layers.precision import at_least_float32
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.processes import of_first_process
from lit_models.tasks.start import demonstrations_of, train_start


class Aligned(LanguageModel):
    """A language model with a reference.

    Args:
        start_steps: Without ``weights``, the start is trained for so many steps on the data's ``demonstrations``; 0
            means the network as it was drawn.
        start_rate: Largest learning rate of these steps.
        **task: See ``LanguageModel``.
    """

    def __init__(self, start_steps: int = 0, start_rate: float = 0.003, **task: Any) -> None:
        super().__init__(**task)
        self.start_steps, self.start_rate = start_steps, start_rate
        self.weights_wanted = self.weights_wanted or start_steps > 0
        self.reference = deepcopy(self.net).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Aligned":
        """Training or evaluation mode; the reference stays in evaluation mode."""
        super().train(mode)
        self.reference.eval()
        return self

    def take_weights(self) -> None:
        """The policy and the reference both begin with the start."""
        if self.weights:
            super().take_weights()
        else:
            rows = demonstrations_of(self.data_attribute("demonstrations"))
            start = train_start(self.net, rows, self.start_steps, self.start_rate, self.pad_id)
            self.net.load_state_dict(of_first_process(self, start))
        self.reference.load_state_dict(self.net.state_dict())

    def log_probs(self, tokens: Tensor, targets: Tensor, reference: bool = False) -> Tensor:
        """log p of each target (B, T), 0 for those of prompts and padding."""
        logits = self.reference(tokens) if reference else self(tokens)
        return token_log_probs(at_least_float32(logits), targets, self.pad_id)
