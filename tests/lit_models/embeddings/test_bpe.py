"""BPE: the book's example, ties, the order of merges, bytes."""

from lit_models.embeddings.bpe import BPE, as_bytes, merged

BOOK = {"fast_": 4, "faster_": 3, "tall_": 5, "taller_": 4}  # D2L 15.6.2


def test_books_words_get_the_merges_that_the_counts_demand() -> None:
    model = BPE.train(BOOK, 100, min_count=1)
    counts = {("t", "a"): 9, ("f", "a"): 7}
    assert model.merges[0] == ("a", "l") or counts[model.merges[0]] == 9
    assert {"fast", "tall", "er_"} <= set(model.vocabulary)
    assert model.encode_word("tallest_")[:1] == ["tall"] and model.encode_word("fatter_")[-1] == "er_"


def test_of_equal_counts_the_pair_of_smaller_ids_is_merged() -> None:
    assert BPE.train({"cd": 2, "ab": 2}, 5).merges == [("a", "b")]
    assert BPE.train({"ab": 2, "cd": 2}, 5).merges == [("a", "b")]


def test_pairs_overlap_only_once() -> None:
    assert merged([1, 1, 1, 2], (1, 1), 9) == [9, 1, 2]


def test_merges_are_applied_in_their_order_and_the_longest_token_first_is_another_cut() -> None:
    model = BPE(["a", "b", "c", "bc", "ab"], [("b", "c"), ("a", "b")])
    assert model.encode_word("abc") == ["a", "bc"]
    assert model.longest_first("abc") == ["ab", "c"]
    assert model.longest_first("abx") == ["ab", "[UNK]"]


def test_rare_pairs_are_not_merged_and_an_empty_text_has_no_merges() -> None:
    assert BPE.train({"ab": 2, "cd": 1}, 99, min_count=2).merges == [("a", "b")]
    assert BPE.train({}, 10, ["<unk>"]).vocabulary == ["<unk>"]


def test_every_text_has_bytes() -> None:
    model = BPE.train({as_bytes(w): 3 for w in ("ọba", "ọkọ", "👋🏾")}, 60)
    word = as_bytes("ọba👋🏾")
    assert "".join(model.encode_word(word)) == word and as_bytes("a b") == "aĠb"
