"""GFLOP/s of matrix products without a pause."""

import time

from bench import children

N = 1024


def main():
    asked = children.question()
    import numpy as np

    a, b = np.random.default_rng(0).standard_normal((2, N, N)).astype(asked["dtype"])
    c = np.empty_like(a)
    np.matmul(a, b, out=c)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < asked["seconds"]:
        np.matmul(a, b, out=c)
        count += 1
    children.answer(gflops=2e-9 * N**3 * count / (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
