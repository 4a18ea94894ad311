"""Instruction tuning: a model that knows how to do things learns to do what it is told, in a chat's form.

Wei et al. 2022, "Finetuned language models are zero-shot learners"; Hu et al. 2022, "LoRA". Not in D2L; Hugging Face
course, chapter 11. The start learns operations on digits from plain documents. Then fewer conversations teach it the
chat template, where only the answers are learned (``datamodules/text/chat_template.py``), by all of its parameters or
through small matrices beside them (LoRA).

    dive fit alignment/instruction                            all parameters, offline
    dive fit alignment/instruction --model.lora_rank 8        small matrices alone
    dive chat alignment/instruction

The numbers they reach are in RESULTS.md.
"""

from typing import Any

from common.messages import UserError
from lit_models.attention.gpt import GPT
from lit_models.layers.lora import add_lora
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.processes import of_first_process
from lit_models.tasks.start import demonstrations_of, train_start
from lit_models.tasks.trains import trains

#: GPT's dense layers, all of which get small matrices.
LAYERS = ("qkv", "output", "inner", "outer")


@trains(GPT)
class LitInstruction(LanguageModel):
    """GPT tuned on instructions.

    Args:
        lora_rank: Rank of the small matrices; 0 trains all parameters.
        lora_alpha: Weight of their change, over the rank.
        start_steps: Without ``weights``, the start is trained for so many steps on the data's ``demonstrations``; 0
            means the network as it was drawn.
        start_rate: Largest learning rate of these steps.
        **task: See ``LanguageModel``.
    """

    net: GPT

    def __init__(
        self,
        lora_rank: int = 0,
        lora_alpha: float = 16.0,
        start_steps: int = 0,
        start_rate: float = 0.003,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        if lora_rank:
            add_lora(self.net, lora_rank, lora_alpha, LAYERS)
        self.start_steps, self.start_rate = start_steps, start_rate
        self.weights_wanted = self.weights_wanted or start_steps > 0

    def take_weights(self) -> None:
        if self.weights:
            super().take_weights()
            return
        if self.device_mesh is not None:
            raise UserError("a start is trained on a copy of whole weights: -c trainer/ddp")
        rows = demonstrations_of(self.data_attribute("demonstrations"))
        start = train_start(self.net, rows, self.start_steps, self.start_rate, self.pad_id)
        self.net.load_state_dict(of_first_process(self, start))
