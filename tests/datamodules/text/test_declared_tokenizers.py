"""A class's own tokenizer is what a recipe gets: the command line hands over every default that a signature shows."""

import pytest

from scripts.front.build import build


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        ("rnn/bahdanau_fra_eng", "space"),
        ("attention/transformer_multi30k", "bpe"),
        ("attention/gpt_wikitext2", "space"),
        ("rnn/lstm_ptb", "space"),
        ("rnn/gru_time_machine", "char"),
        ("attention/gpt", "bpe"),
        ("rnn/bahdanau", "word"),
    ],
)
def test_recipe_has_the_tokenizer_of_its_data(recipe: str, kind: str) -> None:
    assert build([recipe])[2].kind == kind
