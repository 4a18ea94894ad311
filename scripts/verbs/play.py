"""``dive play RECIPE [--seed N]``: an episode of a trained agent as play.gif and, a strip of pictures, play.png.

    dive play rl/ppo
    dive play rl/dqn --seed 3 --pictures 8
    dive play rl/control --out cliff                    cliff.gif and cliff.png

The agent acts without exploration in the environment of its run; one that is asked for a return is asked for the
largest of the run's evaluation. The files are in the run's folder, or at ``--out``.
``--run DIR`` and ``--ckpt_path FILE`` choose a run or a checkpoint, else it is the best of the newest run.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.messages import UserError
from scripts.front.arguments import resolve
from scripts.front.option_parser import OptionParser
from scripts.front.working_directory import add_working_directory

if TYPE_CHECKING:  # the help needs no torch
    from PIL.Image import Image

    from datamodules.rl.vector_environments import VectorEnvironments

FRAMES = 150  # of an animation; a longer episode is shown faster
WIDTH = 240  # pixels of a picture of the strip
OF_RUNS = ("--run", "--ckpt_path", "--config", "--model", "--data")


def play(model: Any, data: Any, seed: int, longest: int = 10_000) -> "tuple[list[Image], float, float]":
    """A greedy episode: its pictures, one per step and one of the first state, its return, and pictures per second.

    Raises:
        UserError: The environment draws nothing, or a package for that is missing.
    """
    import torch

    from datamodules.rl.tabular_environments import ToyText
    from datamodules.rl.vector_environments import VectorEnvironments

    options = dict(getattr(data, "env_options", None) or {}) | {"render_mode": "rgb_array"}
    env_id, limit = data.env_id, data.max_steps
    environments = VectorEnvironments(env_id, options, 1, limit, seed)
    pictures: list[Image] = []
    asks = hasattr(model, "begin")  # for a return, less what was earned
    with torch.inference_mode():
        if asks:
            model.begin(torch.tensor([max(data.asked)]))
        for _ in range(longest):
            pictures.append(drawn(environments))
            seen = environments.observation
            action = model.act(seen.argmax(1) if isinstance(data, ToyText) else seen, greedy=True)
            reward, *_, ended = environments.step(action)
            if asks:
                model.earned(reward)
            if not bool(ended.isnan()):
                pictures.append(drawn(environments))
                return pictures, float(ended), float(environments.env.metadata.get("render_fps") or 30)
    raise UserError(f"an episode of {env_id} has no end: give --data.max_steps")


def drawn(environments: "VectorEnvironments") -> "Image":
    """The environment as it draws itself."""
    import gymnasium
    from PIL.Image import fromarray

    from datamodules.rl.mdp import failed

    try:
        frames: Any = environments.env.render()
    except gymnasium.error.DependencyNotInstalled as error:
        line = " ".join(str(error).split())
        raise UserError(f"{environments.env_id} cannot draw itself: {line}") from None
    except NotImplementedError:
        frames = None
    except Exception as error:
        raise failed(environments.env_id, "in render()", error) from error
    if not frames or frames[0] is None:
        raise UserError(f"{environments.env_id} has no pictures: its render() gives nothing as rgb_array")
    return fromarray(frames[0])


def save(pictures: "list[Image]", fps: float, path: Path, count: int) -> list[Path]:
    """The animation, and ``count`` pictures of it side by side; returns the files."""
    from PIL.Image import new

    every = -(-len(pictures) // FRAMES)
    first, *others = [picture.quantize(64) for picture in [*pictures[:-1:every], pictures[-1]]]
    times = [max(20, round(1000 * min(every, 4) / fps))] * len(others) + [1500]  # milliseconds; the last one stays
    first.save(path.with_suffix(".gif"), save_all=True, append_images=others, duration=times, loop=0)
    height = round(WIDTH * pictures[0].height / pictures[0].width)
    strip = new("RGB", (count * WIDTH, height))
    for k in range(count):
        at = round(k * (len(pictures) - 1) / max(1, count - 1))
        strip.paste(pictures[at].resize((WIDTH, height)), (k * WIDTH, 0))
    strip.save(path.with_suffix(".png"))
    return [path.with_suffix(".gif"), path.with_suffix(".png")]


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print((__doc__ or "").strip())
        return 0
    parser = OptionParser(prog="dive play", add_help=False)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--out", default="")
    options, words = parser.parse_known_args(argv)
    if options.pictures < 1:
        raise UserError(f"--pictures is {options.pictures}: give a whole number of at least 1")
    if not words:
        raise UserError("which recipe? `dive play RECIPE`, for example `dive play rl/ppo`")
    options_of_play = [word.partition("=")[0] for word in words if word.startswith("--")]
    parser.refuse([option for option in options_of_play if "." not in option and option not in OF_RUNS])
    if options.seed < 0:
        raise UserError(f"--seed is {options.seed}: give a whole number of at least 0")
    folder = Path(options.out).parent
    if not folder.is_dir():
        raise UserError(f"--out {options.out}: there is no folder {folder}: make it first")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    for device in ("SDL_VIDEODRIVER", "SDL_AUDIODRIVER"):
        os.environ.setdefault(device, "dummy")  # pictures are drawn in memory, without a screen
    add_working_directory()
    command = resolve("test", words)
    from scripts.verbs.export import Restored

    restored: Any = Restored(command)
    model, data = restored.model, restored.datamodule
    if not hasattr(model, "act") or not hasattr(data, "env_id"):
        raise UserError(f"{type(model).__name__} does not act in an environment: dive play needs an agent of rl")
    assert command.checkpoint is not None
    path = Path(options.out or (command.run or command.checkpoint.parent) / "play")
    pictures, earned, fps = play(model, data, options.seed)
    print(f"an episode of {data.env_id}: {len(pictures) - 1} steps, return {earned:g}")
    for file in save(pictures, fps, path, options.pictures):
        print(f"  {file}")
    return 0
