"""What ``dive bench`` is to reach: our rate against that of another side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """Our rate is to be at least ``least`` times the better of the named sides, with ``threads`` (None: with any)."""

    workload: str
    against: str
    least: float
    threads: int | None
    why: str


GOALS = (
    Goal("lenet", "bare", 0.95, None, "steps of several milliseconds hide Lightning's loop"),
    Goal("softmax", "bare", 0.55, None, "the limit of automatic optimization on the smallest step"),
    Goal("softmax", "d2l", 7.0, 1, "loading whole batches by index"),
    Goal("lenet", "d2l", 1.6, None, "the same, under convolutions"),
    Goal("rnn", "bare", 0.93, None, "the book's recurrent language models"),
    Goal("gru", "bare", 0.93, None, "the same"),
    Goal("lstm", "bare", 0.93, None, "the same"),
    Goal("rnn", "d2l", 1.1, None, "windows as views of one tensor"),
    Goal("gru", "d2l", 1.1, None, "the same"),
    Goal("lstm", "d2l", 1.1, None, "the same"),
    Goal("transformer", "bare", 0.95, None, "the book's transformer in single precision"),
    Goal("batches", "rows", 1.3, None, "as many tokens in each batch, and little padding"),
    Goal("Marian's step", "transformers", 1.1, None, "a training step of a network of equal shape"),
    Goal("Marian's beams", "transformers", 1.7, None, "four beams with a cache, the same outputs"),
    Goal("writing, batch 1", "transformers", 2.0, None, "GPT with a cache that is written in place"),
    Goal("writing, batch 16", "transformers", 1.7, None, "the same"),
    Goal("beams of 4, batch 4", "transformers", 1.5, None, "all beams of all rows in one batch"),
    Goal("a window of 64", "early", 0.9, None, "a late token costs what an early one costs"),
    Goal("WKV, RWKV-4", "loop", 3.5, None, "no exponential in the loop"),
    Goal("WKV, RWKV-5.2", "loop", 3.0, None, "chunks of 16"),
    Goal("WKV, RWKV-6", "loop", 3.0, None, "the same"),
    Goal("WKV, RWKV-7", "loop", 2.0, None, "the same, with a triangular system in each"),
    Goal("training, RWKV-4", "transformers", 3.0, None, "the operator, whose loop transformers has"),
    Goal("training, RWKV-7", "bare", 0.95, None, "steps of tens of milliseconds"),
    Goal("generation, RWKV-4", "rwkv package", 1.4, 1, "the same weights, one text at a time"),
    *(
        Goal(f"sixteen texts, RWKV-{v}", "one text", 4.0, None, "one product for all rows")
        for v in ("4", "5.2", "6", "7")
    ),
    *(
        Goal(f"a long text, RWKV-{v}", "early", 0.9, None, "the 100,000th token costs as much")
        for v in ("4", "5.2", "6", "7")
    ),
    Goal("byte pairs", "tokenizers", 0.95, None, "the library does the work"),
    Goal("resnet18", "bare", 0.95, None, "our loop against the bare one, both channels-last in single precision"),
    Goal("vgg11", "bare", 0.95, None, "the same"),
    Goal("densenet", "bare", 0.95, None, "the same"),
    Goal("resnet18", "torchvision", 1.0, None, "no slower than torchvision's module in the shortest loop"),
    Goal("vgg11", "torchvision", 1.0, None, "the same"),
    Goal("densenet", "torchvision", 1.0, None, "the same"),
    Goal("resnet18, inference", "torchvision", 1.0, None, "the same, without gradients"),
    Goal("vgg11, inference", "torchvision", 1.0, None, "the same"),
    Goal("densenet, inference", "torchvision", 1.0, None, "the same"),
    Goal("a search", "bare", 0.95, None, "trials of ten seconds and more, forked from a warm process"),
    Goal("SGD momentum", "foreach", 0.83, 1, "our own arithmetic on lists of tensors, within 1.2 times torch's"),
    Goal("Adam", "foreach", 0.83, 1, "the same"),
    Goal("AdamW", "foreach", 0.83, 1, "the same"),
    Goal("exact GP, n = 1,000", "GPyTorch's Cholesky", 2.0, 1, "the gradient of the evidence in closed form"),
    Goal("exact GP, n = 2,000", "GPyTorch's Cholesky", 2.0, 1, "the same"),
    Goal("SVGP", "GPyTorch's loop", 0.95, 1, "steps of tens of milliseconds hide our loop"),
    Goal("augmentation", "torchvision", 5.0, None, "a whole batch on the tensor against single images"),
)
