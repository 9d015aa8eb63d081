"""Seconds per epoch of fastmlp with one thread, with two, and with as many as it likes."""

from bench import children


def main():
    asked = children.question()
    from bench import check, timing
    from bench.cases import CASES
    from bench.peers import fastmlp_peer, start

    (case,) = (case for case in CASES if case.name == asked["case"])
    case = case.quick() if asked["quick"] else case
    X, y = case.data(asked["dtype"])

    def preparing(threads):
        return lambda: fastmlp_peer.prepare(case, X, y, seed=0, threads=threads)

    prepares = {str(threads): preparing(threads) for threads in (1, 2, None)}
    runs, trained = timing.interleaved(prepares, 1 + asked["repeats"])
    # the first round warms up
    runs = {name: [each / case.epochs for each in times[1:]] for name, times in runs.items()}
    losses = {name: check.loss(case, *theta, X, y) for name, theta in trained.items()}
    begun = check.loss(case, *start.initial(case, X.dtype, 0)[:2], X, y)
    children.answer(runs=runs, wrong=check.wrong_losses(losses, asked["dtype"], begun))


if __name__ == "__main__":
    main()
