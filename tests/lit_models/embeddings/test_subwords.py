"""n-grams: the paper's example, hashes, the table."""

from lit_models.embeddings.subwords import fnv1a, ngrams, subword_table


def test_where_has_the_papers_n_grams() -> None:
    assert ngrams("where", 3, 3) == ["<wh", "whe", "her", "ere", "re>"]
    assert "<where>" not in ngrams("where", 3, 7) and "<where" in ngrams("where", 3, 7)


def test_a_short_word_has_few_n_grams_or_none() -> None:
    assert ngrams("a") == [] and ngrams("is") == ["<is", "is>"]


def test_hash_is_the_published_one_for_ascii() -> None:
    assert fnv1a("a") == 0xE40C292C and fnv1a("foobar") == 0xBF9CF968


def test_table_has_one_bucket_per_n_gram_and_cuts_long_words() -> None:
    table = subword_table(["is", "where"], 3, 50, 4, (3, 6))
    assert table[0].tolist() == [fnv1a("<is") % 50, fnv1a("is>") % 50, -1, -1]
    assert (table[1] >= 0).all() and (table[2] == -1).all()
