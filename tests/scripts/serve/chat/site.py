"""Sites of the chat page: with a planted model that answers by a fixed text, and with a tiny RWKV on bytes."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from datamodules.text.world_tokenizer import WorldTokenizer
from lit_models.rwkv.rwkv import LitRWKV
from scripts.serve.app import create_app
from scripts.serve.models import Loaded, Models
from scripts.serve.pages import Page
from scripts.serve.site import Site
from scripts.verbs.serve import serve_parser

BYTES = WorldTokenizer(["", *(chr(i) for i in range(256))])  # a token for each byte: characters arrive in parts


class Planted(torch.nn.Module):
    """After ``A:`` it says a fixed text, byte by byte; ``gate``, if there is one, is waited for before each token."""

    def __init__(self, answer: str, gate: Any = None) -> None:
        super().__init__()
        self.answer, self.gate = [byte + 1 for byte in answer.encode()], gate

    def decode(self, tokens: torch.Tensor, state: Any) -> Any:
        seen = torch.cat([state[0], tokens], 1) if state else tokens
        ids = seen[0].tolist()
        start = max(k for k in range(2, len(ids) + 1) if ids[k - 2 : k] == BYTES.encode("A:"))
        if self.gate is not None and tokens.shape[1] == 1:
            self.gate(len(ids) - start)
        logits = torch.zeros(1, tokens.shape[1], len(BYTES))
        logits[0, -1, self.answer[min(len(ids) - start, len(self.answer) - 1)]] = 9
        return logits, (seen,)


def run_of(net: Any, name: str = "first", template: str = "Q: {}\nA:", stop: str = "\n") -> Loaded:
    model: Any = LitRWKV(vocab_size=len(BYTES), hidden_size=8, num_layers=1, head_size=8)
    model.net = net
    data = SimpleNamespace(tokenizer=BYTES, chat_template=template, chat_stop=stop, chat_examples=("What is <b>?",))
    return Loaded(model.eval(), data, Path("runs/rwkv/chat") / name, "rwkv/chat")


def chat_app(state: Path, run: Loaded, *words: str) -> Any:
    page = Page(import_module("scripts.serve.chat.page"))
    parser = serve_parser()
    page.add_options(parser)
    options = parser.parse_args(["rwkv/chat", "--state", str(state), "--temperature", "0", *words])
    prepare = page.module.prepare
    return create_app(Site(page, Models(run, page.refuse, prepare), options))
