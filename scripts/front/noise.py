"""Warnings and tips of the libraries that say nothing to the user of a recipe, each with the reason why not."""

import logging
import os
import warnings

NOISE = (
    r".*isinstance\(treespec, LeafSpec\). is deprecated.*",
    r".*does not have many workers which may be a bottleneck.*",  # our loader has no workers on purpose
    r"The number of training batches \(\d+\) is smaller than the logging interval.*",
    r"Checkpoint directory .* exists and is not empty.*",  # a resumed run goes on in its folder
    r".*all_gather is deprecated.*",  # inside Lightning
    r"It is recommended to use `self\.log\('time/.*",  # the first process alone measures the speed
    r"Grad strides do not match bucket view strides.*",  # one-channel convolutions under DDP; a copy of 150 numbers
    r".*WeightAveraging doesn't support sharding.*",  # Task.configure_model shards nothing unless it is asked to
    r".*loading a checkpoint outside the 'fit' stage.*",  # a test takes the mean, which is all that it needs
    r"FSDP2-wrapped module .* returned a view tensor.*",  # the tests compare each recipe's step with DDP's
    r"Found \d+ module\(s\) in eval mode at the start of training.*",  # frozen features: model.freeze_features
)
UNUSED_SRUN = r"The `srun` command is available on your system but is not used"  # outside of a job nobody misses it


def silence_noise() -> None:
    """Leaves them out in this process."""
    for pattern in NOISE if "SLURM_JOB_ID" in os.environ else (*NOISE, UNUSED_SRUN):
        warnings.filterwarnings("ignore", pattern)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "Tip:" not in record.getMessage()
    )
