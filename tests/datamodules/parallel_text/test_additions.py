"""What a run takes from another one."""

import json
from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.parallel_text.additions import read_synthetic, special_ids, to_restore, tokenizers_of
from datamodules.text.tokenizers import BPETokenizer, SpaceTokenizer


def test_the_vocabularies_of_a_run_are_taken(tmp_path: Path) -> None:
    first, second = SpaceTokenizer.train(["a b"], 6), SpaceTokenizer.train(["x y z"], 7)
    saved = {"source_tokenizer": first.saved(), "target_tokenizer": second.saved()}
    (tmp_path / "processor.json").write_text(json.dumps(saved))
    source, target = tokenizers_of(str(tmp_path), (6, 7))
    assert source.tokens == first.tokens and target.tokens == second.tokens
    (tmp_path / "processor.json").write_text(json.dumps(saved | {"target_tokenizer": first.saved()}))
    source, target = tokenizers_of(str(tmp_path / "processor.json"))
    assert source is target
    with pytest.raises(UserError, match=r"has 6 and 6 tokens: give --data.source_vocab_size 6"):
        tokenizers_of(str(tmp_path), (6, 7))
    with pytest.raises(UserError, match=r"nowhere is not a processor.json: give the folder of a run"):
        tokenizers_of(str(tmp_path / "nowhere"))
    (tmp_path / "processor.json").write_text("{}")
    with pytest.raises(UserError, match="has no two vocabularies"):
        tokenizers_of(str(tmp_path))


def test_the_vocabulary_of_a_published_model_is_taken_with_its_special_tokens(tmp_path: Path) -> None:
    BPETokenizer.train(["one two three"], 270).model.save(str(tmp_path / "tokenizer.json"))
    config = {"vocab_size": 272, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    source, target = tokenizers_of(str(tmp_path))
    assert source is target and len(source) == 272 and special_ids(str(tmp_path)) == (1, 2, 2)
    (tmp_path / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    with pytest.raises(UserError, match=r"config.json of .* has no eos_token_id: add it"):
        special_ids(str(tmp_path))
    saved = {"source_tokenizer": source.saved(), "target_tokenizer": target.saved(), "special_ids": [1, 2, 2]}
    (tmp_path / "processor.json").write_text(json.dumps(saved))
    assert special_ids(str(tmp_path)) == (1, 2, 2)  # of a run with this vocabulary


def test_synthetic_pairs_are_read_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.tsv"
    path.write_text("<BT> hello\tjambo\n")
    assert read_synthetic(str(path)) == [("<BT> hello", "jambo")]
    path.write_text("<BT> hel\u2028lo\x0c\tjam\u0085bo\n", encoding="utf-8")  # only line ends separate pairs
    assert read_synthetic(str(path)) == [("<BT> hel\u2028lo", "jam\u0085bo")]
    path.write_text("<BT> hello\tjambo\nonly\n")
    with pytest.raises(UserError, match=r"synthetic.tsv:2 is not source<TAB>target"):
        read_synthetic(str(path))


def test_texts_are_to_be_restored_from_themselves() -> None:
    assert to_restore([("<2sw> Monday", "Jumatatu")]) == [("<2sw> Jumatatu", "Jumatatu")]
    assert to_restore([("Monday", "Jumatatu")]) == [("Monday", "Monday"), ("Jumatatu", "Jumatatu")]
    assert to_restore([("<BT> Monday", "Jumatatu")]) == [("Monday", "Monday"), ("Jumatatu", "Jumatatu")]  # no tag
