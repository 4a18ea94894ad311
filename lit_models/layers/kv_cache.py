"""The memory that a decoder has of earlier tokens: the keys and values of each attention layer.

With it a new token costs one row of attention instead of the whole triangle (Shazeer 2019, 2). The book appends to
``state[2]`` (D2L 11.7), which copies the whole past at each step; here a step sets one row in place.
"""

import torch
from torch import Tensor


class KVCache:
    """Keys and values of one layer, in memory that is reserved at the start and doubled when full.

    Keys and values lie in one tensor (B, 2 G, length, d), the G heads of keys first, so that a step needs one copy.

    Args:
        window: Keep the newest ``window`` tokens only, in a ring: cost and memory of a token are then constant. 0 keeps
            all.
        capacity: Tokens to reserve room for, where the caller knows.
    """

    def __init__(self, window: int = 0, capacity: int = 64) -> None:
        self.window = window
        self.capacity = window or capacity
        self.length = 0  # tokens so far: the position of the next one
        self.pairs = torch.empty(0, 0, 0, 0)  # (B, 2 G, room, d)

    @property
    def used(self) -> int:
        """Number of positions in use."""
        return min(self.length, self.window) if self.window else self.length

    def append(self, pairs: Tensor) -> Tensor:
        """Adds (B, 2 G, T, d) and returns all keys and values that the new queries may attend to (B, 2 G, K, d).

        They are in order of position, except for one new token in a full ring: its query may attend to the whole ring,
        and positions are already encoded in the keys.
        """
        new = pairs.shape[2]
        if self.window and new > 1 and self.length + new > self.window:
            return self._append_beyond(pairs)
        at = self.length % self.window if self.window else self.length
        if at + new > self.pairs.shape[2]:
            self._reserve(pairs, at + new)
        self.pairs.narrow(2, at, new).copy_(pairs)
        self.length += new
        return self.pairs.narrow(2, 0, self.used)

    def contents(self) -> Tensor:
        """The keys and values kept, in order of position."""
        if self.window and self.length > self.window:
            return self.pairs.roll(-(self.length % self.window), 2)  # the ring's oldest first
        return self.pairs[:, :, : self.length]

    def reorder(self, rows: Tensor) -> None:
        """Replaces row i of the batch by row ``rows[i]``: beam search keeps some hypotheses and drops others."""
        if not self.length:
            return
        if len(rows) != len(self.pairs):
            self.pairs = self.pairs.index_select(0, rows)
        else:  # only what is used, in place
            part = self.pairs.narrow(2, 0, self.used)
            part.copy_(part.index_select(0, rows))

    def _append_beyond(self, pairs: Tensor) -> Tensor:
        """Several tokens that do not fit into the ring: returns past and new, keeps the newest ``window``."""
        new = pairs.shape[2]
        if self.length:
            pairs = torch.cat([self.contents(), pairs], 2)
        self.length += new
        self.pairs = pairs[:, :, -self.window :].roll(self.length % self.window, 2)  # each at its position mod window
        return pairs

    def _reserve(self, like: Tensor, needed: int) -> None:
        room = self.capacity if self.window else max(needed, 2 * self.pairs.shape[2], self.capacity)
        batch, heads, _, features = like.shape
        pairs = like.new_empty(batch, heads, room, features)
        if self.length:
            pairs[:, :, : self.length] = self.pairs[:, :, : self.length]
        self.pairs = pairs


class DecoderState:
    """The caches of all layers of a decoder: the state of ``net.decode``.

    Args:
        num_layers: Layers of the decoder.
        window, capacity: See ``KVCache``.
        with_memory: Each layer also attends to an encoder's output, whose keys and values are cached too.
    """

    def __init__(self, num_layers: int, window: int = 0, capacity: int = 64, with_memory: bool = False) -> None:
        self.own = [KVCache(window, capacity) for _ in range(num_layers)]
        self.memory = [KVCache(capacity=1) for _ in range(num_layers)] if with_memory else []
        self.tokens: Tensor | None = None  # (B, n), the newest: for a decoder whose context may fill up

    @property
    def length(self) -> int:
        """Number of tokens so far."""
        return self.own[0].length

    def layer(self, index: int) -> tuple[KVCache, KVCache | None]:
        """The caches of a layer's attention to its own sequence and to the memory."""
        return self.own[index], self.memory[index] if self.memory else None

    def reorder(self, rows: Tensor) -> "DecoderState":
        """Replaces row i of the batch by row ``rows[i]``, in place."""
        for cache in self.memory:
            cache.reorder(rows)
        return self.reorder_beams(rows)

    def reorder_beams(self, rows: Tensor) -> "DecoderState":
        """``reorder`` for rows that have the same source as those they replace: the keys and values of the encoder's
        output stay, which are half of what there is to copy.
        """
        for cache in self.own:
            cache.reorder(rows)
        if self.tokens is not None:
            self.tokens = self.tokens.index_select(0, rows)
        return self

    def remember(self, tokens: Tensor, most: int) -> None:
        """Keeps the newest ``most`` of the tokens (B, n) so far and these (B, T)."""
        self.tokens = (tokens if self.tokens is None else torch.cat([self.tokens, tokens], 1))[:, -most:]

    def rewind(self, length: int) -> bool:
        """Forgets the tokens after the first ``length``; False if they are in a ring, which has dropped older ones."""
        if any(cache.window for cache in self.own):
            return False
        for cache in self.own:
            cache.length = length
        return True

    def forget(self) -> None:
        """Empties the caches; the tokens stay."""
        for cache in (*self.own, *self.memory):
            cache.length = 0
