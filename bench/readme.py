"""The table of README.md about training from a results.json.

python -m bench training --json results.json --plots docs/img
python -m bench.readme results.json
"""

import argparse
import json

from bench.cases import CASES
from bench.table import text

PEERS = {
    "numpy": "NumPy",
    "sklearn": "scikit-learn",
    "torch": "PyTorch eager",
    "torch.compile": "compiled",
    "jax": "JAX",
}


def training(rows):
    """Milliseconds of fastmlp, and how many times longer each peer takes; a row per case."""
    rows = [row for row in rows if row["part"] == "training"]
    peers = [name for name in PEERS if any(name in row["values"] for row in rows)]
    lines = [
        "| case | dtype | fastmlp, ms | gemm % | " + " | ".join(PEERS[p] for p in peers) + " |"
    ]
    lines.append("|" + "---|" * (4 + len(peers)))
    for row in rows:
        ours = row["values"]["fastmlp"]
        ratios = [text(p in row["values"] and row["values"][p] / ours or None, "x") for p in peers]
        share = 100 * row["facts"]["gemm_fraction"]
        cells = [
            describe(row["case"]),
            row["dtype"],
            f"{1e3 * ours:.2f}" if ours < 0.01 else f"{1e3 * ours:.0f}",
            f"{share:.0f}",
            *ratios,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def describe(name):
    """A case in README's words: tab64: 20,000 x 20, 64-64-1, batch 128."""
    case = next(case for case in CASES if case.name == name)
    widths = "-".join(map(str, case.layers[1:]))
    return f"{name}: {case.n_samples:,} x {case.n_features}, {widths}, batch {case.batch_size}"


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="bench.readme", description=__doc__.splitlines()[0])
    parser.add_argument("results", help="what `python -m bench --json` has written")
    with open(parser.parse_args().results, encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    print(*training(rows), sep="\n")


if __name__ == "__main__":
    main()
