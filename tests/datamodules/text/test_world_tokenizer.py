"""The World vocabulary: a small one by hand, and the published one against the package's tokenizer."""

import importlib.util
import random
from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.tokenizer_files import load_tokenizer, read_tokenizer
from datamodules.text.world_tokenizer import WorldTokenizer, read_vocabulary

LINES = [f"{i + 1} {bytes([i])!r} 1" for i in range(256)]
LINES += ["300 'ab' 2", "301 'abcd' 4", "302 ' the' 4", "303 '\u00e9' 2"]


def vocabulary(folder: Path) -> Path:
    path = folder / "vocabulary.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def test_the_longest_entry_wins(tmp_path: Path) -> None:
    tokenizer = read_vocabulary(vocabulary(tmp_path))
    assert tokenizer.encode("abcd abc the") == [301, 33, 300, 100, 302]
    assert tokenizer.encode("\u00e9") == [303] and len(tokenizer) == 304


def test_any_bytes_survive(tmp_path: Path) -> None:
    tokenizer, draw = read_vocabulary(vocabulary(tmp_path)), random.Random(0)
    for length in (0, 1, 2, 500):
        data = draw.randbytes(length)
        assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


def test_half_a_character_is_a_replacement_until_the_rest_comes(tmp_path: Path) -> None:
    tokenizer = read_vocabulary(vocabulary(tmp_path))
    first, second = (tokenizer.encode_bytes(bytes([byte]))[0] for byte in "\u00fc".encode())
    assert tokenizer.decode([first]) == "\ufffd" and tokenizer.decode([first, second]) == "\u00fc"


def test_it_is_kept_as_plain_values(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(vocabulary(tmp_path))
    again = load_tokenizer(tokenizer.saved())
    assert again.encode("abcd \u4e2d") == tokenizer.encode("abcd \u4e2d") and again.decode([301]) == "abcd"


def test_an_unknown_id_and_another_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no token 304"):
        read_vocabulary(vocabulary(tmp_path)).decode([304])
    (tmp_path / "other.txt").write_text("Once upon a time\n")
    with pytest.raises(UserError, match="is not a vocabulary of RWKV"):
        read_tokenizer(tmp_path / "other.txt")
    with pytest.raises(UserError, match="no vocabulary"):
        read_vocabulary(tmp_path / "none.txt")


@pytest.mark.slow
def test_the_published_vocabulary_cuts_as_the_package_does() -> None:
    spec = importlib.util.find_spec("rwkv")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the rwkv package, a test extra, is not installed")
    from rwkv.rwkv_tokenizer import TRIE_TOKENIZER

    path = f"{spec.submodule_search_locations[0]}/rwkv_vocab_v20230424.txt"
    ours, theirs = read_vocabulary(path), TRIE_TOKENIZER(path)
    assert len(ours.numbers) == 65_529
    draw = random.Random(0)
    texts = [
        Path(__file__).read_text(),
        "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 \u4e2d\u6587\u6d4b\u8bd5 \U0001f600\u200d\n\n\t  x=1",
    ]
    texts += ["".join(chr(draw.randrange(1, 0x3000)) for _ in range(300)) for _ in range(20)]
    for text in texts:
        assert ours.encode(text) == theirs.encode(text) and ours.decode(ours.encode(text)) == text
    data = draw.randbytes(2000)
    assert ours.encode_bytes(data) == theirs.encodeBytes(data)


def test_a_long_text_has_the_ids_of_its_bytes() -> None:
    tokenizer = WorldTokenizer(["", *(chr(i) for i in range(256)), "caf\u00c3\u00a9"])
    text = "caf\u00e9 \U0001f600\n" * 3
    found = tokenizer.encode_long([text], len(text)).tolist()
    assert found == tokenizer.encode(text) and found[0] == 257
