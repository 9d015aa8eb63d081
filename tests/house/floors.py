"""The house as its imports have it: ``python tests/house/floors.py --write`` draws it.

Reads the source tree. A room is a module or a folder of ``fastmlp``, or ``src_c``; its floor is one
above the highest that it imports from. Rooms that import each other share a floor.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "fastmlp"
PAGE = ROOT / "docs" / "inside.md"
BEGIN, END = "<!-- floors: python tests/house/floors.py --write -->\n", "<!-- end -->\n"


def files(folder, *suffixes):
    return sorted(path for path in folder.rglob("*") if path.suffix in suffixes)


def name(path):
    return path.relative_to(PACKAGE).as_posix()


def module_of(path):
    """Return the part of fastmlp that a file is, or belongs to."""
    return name(path).removesuffix(path.suffix).split("/")[0]


def imports(path):
    """Return the absolute names of all that a file imports, at any depth."""
    if path.suffix != ".py":
        pattern = r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))"
        found = re.findall(pattern, path.read_text(), re.MULTILINE)
        return {module or plain for module, plain in found}
    inside = ["fastmlp", *path.relative_to(PACKAGE).parent.parts] if PACKAGE in path.parents else []
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def belongs_to(imported, package):
    return imported == package or imported.startswith(package + ".")


def rooms():
    """What each room imports: other rooms, and packages of others."""
    inside, outside = {"src_c": set()}, {"src_c": set()}
    for path in files(PACKAGE, ".py", ".pyx", ".pxd"):
        room = module_of(path)
        inside.setdefault(room, set()), outside.setdefault(room, set())
        for found in imports(path):
            first, _, rest = found.partition(".")
            if first == "fastmlp":
                inside[room].add(rest.split(".")[0] or "__init__")
            elif first not in sys.stdlib_module_names | {"cython", "libc", "cpython"}:
                outside[room].add(first)
        if 'cdef extern from "fastmlp' in path.read_text():
            inside[room].add("src_c")
    for room, known in inside.items():  # what is no room is a name that the door has
        inside[room] = {one if one in inside else "__init__" for one in known} - {room}
    return inside, outside


def beneath(room, inside):
    """All that a room stands on, at any depth."""
    found, new = set(), {room}
    while new:
        found |= new
        new = set().union(*(inside[one] for one in new)) - found
    return found - {room}


def floors():
    """Rooms by floor, the lowest first, each with what it stands on directly, and from outside."""
    inside, outside = rooms()
    below = {room: beneath(room, inside) for room in inside}
    apart = {room: {one for one in below[room] if room not in below[one]} for room in inside}
    height = {}
    for room in sorted(inside, key=lambda room: len(apart[room])):
        height[room] = 1 + max((height[one] for one in apart[room]), default=-1)
    drawn = [[] for _ in range(1 + max(height.values()))]
    for room, known in sorted(inside.items()):
        # What is reached by way of another room is left out.
        on = {one for one in known if not any(one in apart[by] for by in known & apart[room])}
        drawn[height[room]].append((room, sorted(on), sorted(outside[room])))
    return drawn


def drawing():
    """The house as a table, the roof first."""
    lines = ["| floor | room | stands directly on | from outside |", "|---|---|---|---|"]
    storeys = floors()
    for floor in range(len(storeys) - 1, -1, -1):
        for room, on, others in storeys[floor]:
            row = f"| {floor} | `{room}` | {', '.join(on)} | {', '.join(others)} |"
            lines.append(row.replace("__init__", "fastmlp"))
    return "\n".join(lines) + "\n"


def circles():
    """Rooms that import each other, by way of others too."""
    inside, _ = rooms()
    below = {room: beneath(room, inside) for room in inside}
    found = {
        frozenset({one for one in below[room] if room in below[one]} | {room}) for room in inside
    }
    return {circle for circle in found if len(circle) > 1}


def page(text):
    """The page with the house as it is."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + drawing() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/house/floors.py --write")
    PAGE.write_text(page(PAGE.read_text()))
