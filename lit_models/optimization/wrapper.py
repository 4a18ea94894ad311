"""Optimizers around another one: its settings and state are theirs, so that schedules and checkpoints reach it.

``base`` makes the inner optimizer from the parameters, ours or torch's:

    dive fit cnn/lenet --model.optimizer Lookahead --model.optimizer.base Adam --model.optimizer.base.lr 0.001

Its learning rate is an argument of its own, since the schedule moves the groups that both share.
"""

from functools import partial
from typing import Any

from lightning.pytorch.cli import OptimizerCallable

from lit_models.optimization.by_hand import ByHand, Closure, Params
from lit_models.optimization.sgd import SGD

SGD_BASE = partial(SGD, lr=0.1)  #: the inner optimizer unless another is given


class Wrapper(ByHand):
    """Shares groups and state with ``inner``; a subclass says what happens around its step.

    Args:
        params: Parameters, or groups of them.
        base: Makes the inner optimizer.
        **settings: Settings of the wrapper, kept in each group beside the inner optimizer's.
    """

    kept: frozenset[str] = frozenset()  #: the names that the wrapper itself writes into a parameter's state

    def __init__(self, params: Params, base: OptimizerCallable, **settings: Any) -> None:
        super().__init__(params, **settings)
        self.inner = base(self.param_groups)
        self._share(self.inner.param_groups)
        for group in self.param_groups:
            for name, value in settings.items():
                group.setdefault(name, value)
        self.defaults = {**self.inner.defaults, **settings}

    def _share(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = self.inner.param_groups = groups
        self.state = self.inner.state

    def step(self, closure: Closure | None = None) -> Any:  # type: ignore[override]
        """A step of the inner optimizer, which sees an empty state where it has kept nothing itself: torch's optimizers
        take it for a parameter's first step, which may come late.
        """
        alone = {p: state for p, state in self.state.items() if state and self.kept >= state.keys()}
        for p in alone:
            del self.state[p]
        loss = self.inner.step(closure)  # type: ignore[arg-type]
        for p, state in alone.items():
            self.state[p].update(state)
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.inner.state, self.inner.param_groups = self.state, self.param_groups
