"""Run a page: each block of Python, in order and in one namespace, and the output printed below it.

`python docs/run_blocks.py PAGE` writes the outputs into the page; with `--check` it compares
them instead and says where they differ: words, or numbers by more than two units of their last
digit.
"""

import argparse
import contextlib
import io
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?|[-+]?\.\d+(?:e[-+]?\d+)?")


def same(printed, expected):
    """Whether two outputs say the same."""
    if NUMBER.sub("#", " ".join(printed.split())) != NUMBER.sub("#", " ".join(expected.split())):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True)
    return all(abs(float(a) - float(b)) <= 2.01 * unit(b) for a, b in pairs)


def unit(number):
    """What one unit of a number's last digit is worth; nothing, for a whole number."""
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if decimals or exponent else 0.0


def run(page):
    """The page with its outputs, and a line for each output that differs from the page's own."""
    names, differ = {}, []

    def renew(block):
        code, expected = block.groups()
        line = page[: block.start()].count("\n") + 2
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + code, "page", "exec"), names)
        text = re.sub(r" +$", "", printed.getvalue(), flags=re.MULTILINE)
        if not same(text, expected or ""):
            differ.append(f"line {line}: the block prints\n{text}")
            return f"```python\n{code}```\n" + (f"\n```\n{text}```\n" if text else "")
        return block.group()

    return BLOCK.sub(renew, page), differ


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    renewed, differ = run(options.page.read_text(encoding="utf-8"))
    if options.check:
        sys.exit("\n".join(differ) or 0)
    options.page.write_text(renewed, encoding="utf-8")
