"""The step of a run that its log lines are counted by, for any kind of optimization."""

from lightning.pytorch import Trainer


def logged_steps(trainer: Trainer) -> int:
    """The steps taken so far, as ``log_every_n_steps`` counts them: of the optimizer, or batches under manual
    optimization, where ``trainer.global_step`` counts the steps of every optimizer.

    Call it where a batch has ended, or before training begins.
    """
    module = trainer.lightning_module
    if module is None or module.automatic_optimization:
        return trainer.global_step
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready
