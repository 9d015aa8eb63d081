"""Names of columns: those of the fit, and those of what is to be predicted."""

from __future__ import annotations

from typing import Any


def some(names) -> str:
    """Names for a message: all of them, or the first ones."""
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


def names_of(x: Any) -> list[str] | None:
    """The column names of a data frame or table, or a Series' own; None where they are not names.

    By the attributes that pandas, polars and pyarrow have, none of which is imported.
    """
    for attribute in ("column_names", "columns", "index"):
        found = getattr(x, attribute, None)
        if found is None or callable(found):  # a list has a method index
            continue
        names = list(found)
        return names if names and all(isinstance(name, str) for name in names) else None
    return None


def check_names(wanted: tuple[str, ...], found: list[str] | None) -> None:
    """Raise ValueError that says which columns are missing, unexpected or elsewhere."""
    if found is None or tuple(found) == wanted:
        return
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    parts = [
        f"{what}: {some(names)}"
        for what, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    if not parts:
        at = next(k for k, name in enumerate(wanted) if k >= len(found) or found[k] != name)
        given = repr(found[at]) if at < len(found) else "none"
        parts = [f"another order: column {at} should be {wanted[at]!r}, and is {given}"]
    raise ValueError(
        f"The columns of x are not those of the fit; {'; '.join(parts)}. Pass x[names], names "
        f"being {list(wanted) if len(wanted) <= 10 else 'feature_names_in_'}."
    )
