"""How long a sum over processes takes: formulas in latency and bandwidth, and the book's examples.

A message of n bytes takes alpha + n / beta seconds: latency, and bytes by bandwidth (Hockney 1994). What follows are
the times of the algorithms in ``all_reduce.py`` for N bytes and K processes, where a link carries one message in each
direction at a time.

D2L 13.7 has four examples, for gradients of 160 MB: on four GPUs at 16 GB/s each (PCIe), summed on one GPU 60 ms, in
the CPU 80 ms, a quarter on each GPU 15 ms; around a ring of eight V100 (three links of 18 GB/s each) about 6 ms. The
book leaves out the latency and, for the ring, the factor (K - 1) / K: with it the ring takes 5.2 ms.
"""

import math

MB, GB = 1e6, 1e9


def on_one_device(size: float, bandwidth: float, count: int, latency: float = 0.0) -> float:
    """All others send to one of the devices and get the sum back, one after the other: 2 (K - 1) messages of N bytes.

    Args:
        size: Bytes N of the tensor.
        bandwidth: Bytes per second of a link.
        count: Number K of devices.
        latency: Seconds of a message without bytes.
    """
    return 2 * (count - 1) * (latency + size / bandwidth)


def through_the_cpu(size: float, bandwidth: float, count: int, latency: float = 0.0) -> float:
    """All send to the CPU and get the sum back: 2 K messages of N bytes."""
    return 2 * count * (latency + size / bandwidth)


def a_part_on_each(size: float, bandwidth: float, count: int, latency: float = 0.0) -> float:
    """Each device sums a Kth of the tensor, all at once: 2 (K - 1) messages of N / K bytes. Also the ring's time."""
    return 2 * (count - 1) * (latency + size / count / bandwidth)


def along_a_tree(size: float, bandwidth: float, count: int, latency: float = 0.0) -> float:
    """Up and down a binary tree: 2 log2(K) messages of N bytes, rounded up."""
    return 2 * math.ceil(math.log2(count)) * (latency + size / bandwidth)


around_a_ring = a_part_on_each


def around_a_ring_of_the_book(size: float, bandwidth: float) -> float:
    """The book's approximation for many devices: 2 N / beta."""
    return 2 * size / bandwidth


TIMES = {"naive": on_one_device, "tree": along_a_tree, "ring": around_a_ring}


def fastest(size: float, bandwidth: float, count: int, latency: float) -> str:
    """The algorithm with the shortest time: the tree for small tensors, the ring for large ones."""
    return min(TIMES, key=lambda name: TIMES[name](size, bandwidth, count, latency))


def fit(sizes: list[float], seconds: list[float]) -> tuple[float, float]:
    """Latency and bandwidth from measured messages: the line seconds = latency + size / bandwidth.

    Least squares of the relative errors, so that the short messages count as much as the long ones.
    """
    rows = [(1 / s, n / s) for n, s in zip(sizes, seconds, strict=True)]  # latency a + n b = s, divided by s
    aa, ab, bb = sum(a * a for a, _ in rows), sum(a * b for a, b in rows), sum(b * b for _, b in rows)
    ya, yb = sum(a for a, _ in rows), sum(b for _, b in rows)
    determinant = aa * bb - ab * ab
    latency = (ya * bb - yb * ab) / determinant
    return max(0.0, latency), determinant / (yb * aa - ya * ab)
