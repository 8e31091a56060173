"""A drawing as SVG text, which notebooks show and ``save`` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chainrule.inspect.svg import fitted, page


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawing as ``svg`` text; notebooks show it, ``save`` writes it."""

    svg: str
    name: str
    """What it is a drawing of."""

    def _told(self) -> str:
        """How large what is drawn is, in words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        file = self.name if self.name.isidentifier() else "circuit"
        return f'<Drawing of {self.name}: {self._told()}; .save("{file}.svg") writes it>'

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return fitted(self.svg)

    def save(self, file: str | Path) -> None:
        """Write an .svg file, or an .html page that needs nothing else. Raises ValueError for other endings."""
        path = Path(file)
        if path.suffix.lower() not in (".svg", ".html"):
            raise ValueError(f"a drawing is written as .svg or .html, not {path.name!r}")
        path.write_text(self.svg if path.suffix.lower() == ".svg" else page(self.svg), encoding="utf-8")
