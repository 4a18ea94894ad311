"""A sequence-to-sequence task whose outputs are summaries, or texts about facts: ROUGE, and facts counted by rule."""

from collections.abc import Iterator, Sequence
from typing import Any

from common.generation import Output
from common.messages import UserError
from lit_models.functional.rouge import corpus_rouge
from lit_models.tasks.processes import gather_rows
from lit_models.tasks.seq2seq import Seq2Seq


class Summarizer(Seq2Seq):
    """Logs, besides ``Seq2Seq``, ``test/r1``, ``test/r2`` and ``test/rl`` (ROUGE, 0 to 100, against the best of a row's
    references). Where the facts of a source are known (the datamodule's ``fact_scores``) it logs ``test/covered``, the
    fraction of them that the outputs state, and ``test/invented`` and ``test/repeated``, fractions of the outputs'
    claims.

    Args:
        **task: See ``Seq2Seq``.
    """

    def __init__(self, **task: Any) -> None:
        super().__init__(**task)

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        rows = gather_rows(self, self.generated)
        outputs, references, numbers = [list(side) for side in zip(*rows, strict=True)]
        every = self.data_attribute("reference_sets", {}).get("test")
        true = [every[row] for row in numbers] if every else [[reference] for reference in references]
        found = corpus_rouge(outputs, true, stem=bool(self.data_attribute("english", False)))
        scores = self.data_attribute("fact_scores")
        if scores is not None:
            found |= scores(outputs, numbers)
        self.log_dict({f"test/{name}": value for name, value in found.items()}, sync_dist=True)

    def generate(self, data: Any, prompts: Sequence[str], *, max_tokens: int = 200, beam: int = 1) -> Iterator[Output]:  # type: ignore[override]
        """The summary of each prompt.

        Args:
            data: Has the texts' tokenizers (``common/data_protocol.py``).
            prompts: Documents, or tables.
            max_tokens: Maximum number of tokens of an output; the model's own ``max_length`` limits it too.
            beam: Beams; 1 is greedy.
        """
        if not prompts or not all(text.strip() for text in prompts):
            raise UserError("what is to be summarized? --prompt TEXT")
        for name, number in (("max_tokens", max_tokens), ("beam", beam)):
            if number < 1:
                raise UserError(f"--{name} is {number}: give at least 1")
        source, length = (t.to(self.device) for t in data.encode_source(prompts))
        before, self.beam_width = self.beam_width, beam
        try:
            texts = data.decode_target(self.outputs(source, length, min(max_tokens, self.max_length)))
        finally:
            self.beam_width = before
        for n, text in enumerate(texts):
            yield Output(n, f"{text}\n")
