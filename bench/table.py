"""Aligned tables that grow line by line while the benchmark runs."""

NOTHING = "-"


class Table:
    """Columns of fixed width; numbers to the right, words to the left.

    Parameters
    ----------
    columns : sequence of (title, format)
        ``format`` is a format specification such as ".2f", or "x" for a ratio such as 3.21x, or
        "" for words.
    widths : dict of str to int, optional
        Of columns whose words are longer than their titles.
    """

    def __init__(self, columns, widths=()):
        self.columns = list(columns)
        widths = dict(widths)
        self.widths = [widths.get(title, max(len(title), 8)) for title, _ in self.columns]

    def head(self):
        """The line of titles, and one of dashes."""
        cells = [
            self._fit(title, form, width)
            for (title, form), width in zip(self.columns, self.widths, strict=True)
        ]
        return "  ".join(cells).rstrip() + "\n" + "  ".join("-" * width for width in self.widths)

    def line(self, values, notes=()):
        """One line; None becomes a dash, notes follow after the last column."""
        cells = [
            self._fit(text(value, form), form, width)
            for value, (_, form), width in zip(values, self.columns, self.widths, strict=True)
        ]
        return "  ".join([*cells, *notes]).rstrip()

    @staticmethod
    def _fit(cell, form, width):
        return cell.rjust(width) if form else cell.ljust(width)


def text(value, form):
    """A cell's words."""
    if value is None:
        return NOTHING
    if form == "x":
        return f"{value:.3g}x" if value < 100 else f"{value:.0f}x"
    return format(value, form)


def title(words):
    """The heading of a part."""
    return f"\n{words}\n{'=' * len(words)}"
