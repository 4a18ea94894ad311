"""Words beyond a vocabulary by their places; the networks that use it test more of it."""

import torch

from lit_models.functional import copying


def test_the_kth_unknown_word_of_a_document_is_entry_v_plus_k_whatever_its_number() -> None:
    source, length = torch.tensor([[50, 4, 60, 50, 2], [7, 99, 60, 60, 60]]), torch.tensor([5, 2])
    entries = copying.places(source, length, 9, 2)
    assert entries.tolist() == [[9, 4, 10, 9, 2], [7, 9, 3, 3, 3]]
    ids = torch.tensor([[60, 50, 99], [99, 60, 4]])
    written = copying.as_places(ids, source, entries, 9)
    assert written.tolist() == [[10, 9, 3], [9, 3, 4]]
    assert copying.as_ids(written, source, entries, 9).tolist() == [[60, 50, 3], [99, 3, 4]]
    assert copying.as_ids(torch.tensor([[17], [9]]), source, entries, 9).tolist() == [
        [3],
        [int(source[1, entries[1].tolist().index(9)])],
    ]
    assert copying.known(ids, 9).tolist() == [[3, 3, 3], [3, 3, 4]]
