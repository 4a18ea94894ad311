"""Warnings and tips of the libraries that do not help the user of a recipe, each with the reason."""

import logging
import os
import warnings

NOISE = (
    r".*isinstance\(treespec, LeafSpec\). is deprecated.*",
    r".*does not have many workers which may be a bottleneck.*",  # our loader has no workers on purpose
    r"The number of training batches \(\d+\) is smaller than the logging interval.*",
    r"Checkpoint directory .* exists and is not empty.*",  # a resumed run continues in its folder
    r".*all_gather is deprecated.*",  # inside Lightning
    r"Grad strides do not match bucket view strides.*",  # one-channel convolutions under DDP; a copy of 150 numbers
    r".*WeightAveraging doesn't support sharding.*",  # Task.configure_model shards only if sharding is requested
    r"Found \d+ module\(s\) in eval mode at the start of training.*",  # frozen features: model.freeze_features
)
UNUSED_SRUN = r"The `srun` command is available on your system but is not used"  # not needed outside of a job


def silence_noise() -> None:
    """Suppresses them in this process."""
    for pattern in NOISE if "SLURM_JOB_ID" in os.environ else (*NOISE, UNUSED_SRUN):
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "Tip:" not in record.getMessage()
    )
