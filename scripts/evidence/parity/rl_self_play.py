"""A step of self-play against a loop over boards and moves with tuples for boards and numpy for the network."""

from functools import partial

import numpy as np
import torch

from common.tic_tac_toe import positions
from lit_models.rl.game_search import Board, after, moves, result
from lit_models.rl.self_play import LitSelfPlay
from scripts.evidence.verify import Check, Tensors

HIDDEN, EVERY = 6, 37  # each 37th position


def player() -> LitSelfPlay:
    torch.manual_seed(0)
    model = LitSelfPlay(hidden_size=HIDDEN).double()
    model.record_train_loss = lambda *_: None  # type: ignore[method-assign]
    return model


def ours() -> Tensors:
    model, boards = player(), positions()[::EVERY]
    loss = model.training_step((boards,), 0)
    loss.backward()
    found = {f"grad {name}": p.grad for name, p in model.net.named_parameters() if p.grad is not None}
    target = model.searched(boards).masked_fill(boards != 0, 0.0)
    return {name: value.detach().double() for name, value in (found | {"targets": target, "loss": loss[None]}).items()}


def loop(changes_sides: bool = True) -> Tensors:
    """One board after the other, the gradients by hand; not ``changes_sides``: a value keeps its sign."""
    weights = {name: p.detach().numpy() for name, p in player().net.named_parameters()}
    w, b = ([weights[f"layers.{k}.{part}"] for k in (0, 2, 4)] for part in ("weight", "bias"))

    def forward(board: Board) -> list[np.ndarray]:
        """The features and the outputs of the three layers."""
        x = np.array([float(v == 1) for v in board] + [float(v == -1) for v in board])
        first = np.maximum(w[0] @ x + b[0], 0)
        second = np.maximum(w[1] @ first + b[1], 0)
        return [x, first, second, np.tanh(w[2] @ second + b[2])]

    def value(board: Board) -> float:
        """Of the move that led here."""
        ended = result(board)
        if ended is not None:
            return -ended
        best = max(float(np.float32(forward(board)[3][move])) for move in moves(board))
        return -best if changes_sides else best

    boards = [tuple(board) for board in positions()[::EVERY].tolist()]
    grads = {name: np.zeros_like(p) for name, p in weights.items()}
    targets, losses = np.zeros((len(boards), 9)), []
    for row, board in enumerate(boards):
        x, first, second, output = forward(board)
        error = np.zeros(9)
        for move in moves(board):
            targets[row, move] = value(after(board, move))
            error[move] = output[move] - targets[row, move]
        losses.append((error**2).sum() / len(moves(board)))
        back = 2 * error / len(moves(board)) / len(boards) * (1 - output**2)
        for k, below in ((4, second), (2, first), (0, x)):
            grads[f"layers.{k}.weight"] += np.outer(back, below)
            grads[f"layers.{k}.bias"] += back
            back = (w[k // 2].T @ back) * (below > 0)
    found = {f"grad {name}": value for name, value in grads.items()}
    found |= {"targets": targets, "loss": np.array([np.mean(losses)])}
    return {name: torch.from_numpy(value).double() for name, value in found.items()}


CHECKS = [
    Check(
        name="rl/self_play",
        claim="the targets of a search of one move, the loss and its gradients on 123 positions against a loop over "
        "boards and moves with numpy",
        package="numpy",
        ours=ours,
        reference=loop,
        control=partial(loop, changes_sides=False),
        mistake="the value after a move is the other player's, and its sign is not changed",
        tolerance=1e-6,
        why="values of positions are kept in single precision",
    ),
]
