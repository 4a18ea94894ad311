"""In which order a pipeline's stages work, and how long they are idle.

A batch is cut into M micro-batches; each goes through all S stages forward (F) and back (B). Two orders:

    GPipe   all forward, then all backward (Huang et al. 2019): a stage keeps the activations of M micro-batches
    1F1B    as soon as a stage can, one backward after each forward (Narayanan et al. 2019, "PipeDream"): stage s keeps
            at most S - s of them. The time is the same

Every stage is idle while the pipeline fills and drains: (S - 1) / (M + S - 1) of the time, if all stages take equally
long. These functions say what ``torch.distributed.pipelining`` should do; the tests compare.
"""

from typing import Literal

Kind = Literal["GPipe", "1F1B"]
Action = tuple[str, int]  # ("F", micro-batch) or ("B", micro-batch)
Slot = tuple[float, float]  # start and end in seconds


def order(kind: Kind, stage: int, stages: int, microbatches: int) -> list[Action]:
    """What one stage does, in its order."""
    forward = [("F", k) for k in range(microbatches)]
    backward = [("B", k) for k in range(microbatches)]
    if kind == "GPipe":
        return forward + backward
    ahead = min(stages - stage, microbatches)  # forward passes before the first backward pass
    steady = [action for k in range(microbatches - ahead) for action in (backward[k], forward[ahead + k])]
    return forward[:ahead] + steady + backward[microbatches - ahead :]


def kept(actions: list[Action]) -> int:
    """The most micro-batches whose activations a stage keeps at once."""
    now, most = 0, 0
    for what, _ in actions:
        now += 1 if what == "F" else -1
        most = max(most, now)
    return most


def timeline(kind: Kind, stages: int, microbatches: int, forward: float, backward: float) -> list[dict[Action, Slot]]:
    """When each stage does what: it waits for the stage before (forward) or after it (backward), and for itself.

    Args:
        kind: ``GPipe`` or ``1F1B``.
        stages, microbatches: Numbers S and M.
        forward, backward: Seconds of one micro-batch in one stage.
    """
    orders = [order(kind, s, stages, microbatches) for s in range(stages)]
    done: list[dict[Action, Slot]] = [{} for _ in range(stages)]
    places, clocks = [0] * stages, [0.0] * stages
    while any(place < len(actions) for place, actions in zip(places, orders, strict=True)):
        for s in range(stages):
            while places[s] < len(orders[s]):
                what, _ = action = orders[s][places[s]]
                needs = (s - 1, action) if what == "F" else (s + 1, action)
                first = needs[0] < 0 or needs[0] == stages
                if not first and needs[1] not in done[needs[0]]:
                    break  # the other stage has not done it yet
                begin = max(clocks[s], 0.0 if first else done[needs[0]][needs[1]][1])
                clocks[s] = begin + (forward if what == "F" else backward)
                done[s][action] = (begin, clocks[s])
                places[s] += 1
    return done


def idle_fraction(slots: list[dict[Action, Slot]]) -> float:
    """The fraction of all stages' time, from the first action to the last, in which they wait."""
    end = max(slot[1] for stage in slots for slot in stage.values())
    busy = sum(slot[1] - slot[0] for stage in slots for slot in stage.values())
    return 1 - busy / (end * len(slots))
