"""The parts of ``dive bench`` that measure themselves, by name.

Each is a module with a ``PART`` (``part.py``) and ``measure(threads, repeats, say)``, which returns rows like those of
``training`` in ``bench.py``.
"""

from typing import Any

from scripts.evidence.benches import (
    buckets,
    convnets,
    ddp,
    diffusion,
    embeddings,
    encoding,
    gan,
    gaussian_processes,
    generation,
    optimizers,
    recommender,
    recurrent,
    rl,
    rwkv,
    shards,
    speech,
    token_batches,
    translation,
    tuning,
    video,
    vision,
)

PARTS: dict[str, Any] = {
    "recurrent": recurrent,
    "transformer": translation,
    "translation": token_batches,
    "generation": generation,
    "rwkv": rwkv,
    "encoding": encoding,
    "embeddings": embeddings,
    "convnets": convnets,
    "rl": rl,
    "video": video,
    "speech": speech,
    "vision": vision,
    "diffusion": diffusion,
    "gan": gan,
    "fine-tuning": buckets,
    "tune": tuning,
    "recommender": recommender,
    "optimizers": optimizers,
    "gp": gaussian_processes,
    "ddp": ddp,
    "shards": shards,
}
