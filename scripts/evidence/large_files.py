"""``python -m scripts.evidence.large_files``: a person's large files, from the command to the first batch.

    python -m scripts.evidence.large_files            20,000 pictures, 2 million rows of a table, 200 MB of text
    python -m scripts.evidence.large_files text       one of them

Each kind is written into a folder that is removed at the end, and read twice by processes of their own: the second
start finds what the first one kept. Measured are the CPU-seconds until the datamodule has its first batch, without
the imports, and the highest memory over that before, in sizes of the datamodule's tensors. The table is in
docs/how_to.md.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.evidence.pages import DOCS, between, rewrite
from scripts.evidence.results import ROOT
from scripts.evidence.rows_file import locked, replace_text

RESULT, PAGE = ROOT / "results" / "large_files.json", DOCS / "how_to.md"
FIRST, LAST = "<!--large files-->\n", "<!--/large files-->"
WHAT = {
    "pictures": "a folder of 20,000 pictures of 160 x 120 pixels, in four classes",
    "table": "a table of 2 million rows and 10 columns, 8 of them numbers",
    "text": "a text of 200 MB, into byte pairs",
}


def write_pictures(path: Path, count: int = 20_000) -> None:
    """JPEG files: pieces of scikit-learn's two photographs."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_sample_images

    photographs, draw = load_sample_images().images, np.random.default_rng(0)
    for k in range(count):
        photograph = photographs[k % 2]
        top, left = (
            int(draw.integers(0, size - least)) for size, least in zip(photograph.shape, (120, 160), strict=False)
        )
        folder = path / f"class {k % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph[top : top + 120, left : left + 160]).save(folder / f"{k}.jpg")


def write_table(path: Path, count: int = 2_000_000) -> None:
    """Eight columns of numbers, one of categories, and a number to predict."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(0)
    table = pd.DataFrame({f"n{i}": draw.normal(size=count).round(5) for i in range(8)})
    table["town"], table["y"] = draw.choice(["a", "b", "c"], count), table["n0"].round(3)
    table.to_csv(path, index=False)


def write_text(path: Path, size: int = 200_000_000) -> None:
    """The lines of Python's manual, in a new order each time they are used up."""
    import random
    from pydoc_data.topics import topics

    lines, draw = "\n".join(topics.values()).splitlines(keepends=True), random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            draw.shuffle(lines)
            file.write("".join(lines))


WRITE: dict[str, tuple[Callable[..., None], int]] = {
    "pictures": (write_pictures, 16),
    "table": (write_table, 1000),
    "text": (write_text, 300_000),
}
SUFFIX = {"pictures": "", "table": ".csv", "text": ".txt"}


def opened(kind: str, path: Path) -> Any:
    """The datamodule with its training rows loaded, and its first batch taken."""
    from datamodules.tabular.csv_table import CSVTable
    from datamodules.text.text_file import TextFile
    from datamodules.vision.image_folder import ImageFolder

    made: dict[str, Callable[[], Any]] = {
        "pictures": lambda: ImageFolder(str(path), image_size=64),
        "table": lambda: CSVTable(str(path), "y"),
        "text": lambda: TextFile(str(path), seq_len=64),
    }
    data = made[kind]()
    data.prepare_data()
    data.setup("fit")
    next(iter(data.train_dataloader()))
    return data


def memory(key: str) -> int:
    """Bytes of this process by the name that Linux has for them."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(key)).split()[1]) * 1024


def measured(kind: str, small: Path, large: Path) -> dict[str, float]:
    """Seconds by the clock and of the processor, the tensors' megabytes, and the highest memory over that before, in
    sizes of the tensors.

    A small file of the kind is read before: what libraries need for themselves is not counted.
    """
    import torch

    opened(kind, small)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest memory so far
    before, begun, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    data = opened(kind, large)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    tensors = [part for split in data.splits.values() for part in split if isinstance(part, torch.Tensor)]
    size = sum(part.numel() * part.element_size() for part in tensors)
    return {"seconds": seconds, "cpu": cpu, "mb": size / 1e6, "peak": (memory("VmHWM") - before) / size}


def measure(kind: str, count: int = 0) -> dict[str, dict[str, float]]:
    """The first and the second start with a file of so many pictures, rows or bytes; 0: as ``WHAT`` says."""
    write, few = WRITE[kind]
    with TemporaryDirectory() as name:
        small, large = (Path(name) / (size + SUFFIX[kind]) for size in ("small", "large"))
        kept = Path(name) / "kept"
        write(small, few)
        write(large, *([count] if count else []))
        found = {}
        for start in ("first", "second"):
            words = [sys.executable, "-m", "scripts.evidence.large_files", "--read", kind, str(small), str(large)]
            done = subprocess.run(
                words,
                cwd=ROOT,
                env=os.environ | {"DIVE_DATA": str(kept)},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            found[start] = json.loads(done.stdout.splitlines()[-1])
    return found


def results() -> dict[str, dict[str, dict[str, float]]]:
    """What was measured before."""
    found: dict[str, dict[str, dict[str, float]]] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    return found


def table(known: dict[str, dict[str, dict[str, float]]]) -> str:
    """The table of docs/how_to.md."""
    lines = ["| | tensors, MB | CPU-seconds | from the second start on | peak / tensors | from the second start on |"]
    lines.append("|---|---|---|---|---|---|")
    for kind, what in WHAT.items():
        if kind in known:
            first, second = known[kind]["first"], known[kind]["second"]
            times = f"{first['cpu']:.0f} | {second['cpu']:.1f}"
            lines.append(f"| {what} | {first['mb']:,.0f} | {times} | {first['peak']:.2f} | {second['peak']:.2f} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    if argv[:1] == ["--read"]:
        print(json.dumps(measured(argv[1], Path(argv[2]), Path(argv[3]))))
        return 0
    parser = argparse.ArgumentParser(prog="python -m scripts.evidence.large_files", description="Read large files.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(WHAT) + "; all without")
    kinds = parser.parse_args(argv).kinds or list(WHAT)
    if unknown := [kind for kind in kinds if kind not in WHAT]:
        parser.error(f"there is no {unknown[0]}: give {', '.join(WHAT)}")
    for kind in kinds:
        found = measure(kind)
        with locked(RESULT.parent):
            known = results() | {kind: found}
            replace_text(RESULT, json.dumps(known, indent=1) + "\n")
        first, second = known[kind]["first"], known[kind]["second"]
        print(
            f"{kind}: {first['seconds']:.0f} s, then {second['seconds']:.1f} s; peak {first['peak']:.2f} of the tensors"
        )
        rewrite(PAGE, lambda text: between(text, FIRST, LAST, table(results()), PAGE.name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
