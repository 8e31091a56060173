"""Every Python example of the README runs and prints what the README says."""

from __future__ import annotations

import contextlib
import io
import linecache
import re
from pathlib import Path

import pytest

import chainrule as cr

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)


def test_every_example_says_what_it_prints() -> None:
    assert len(EXAMPLES) == README.count("```python") == 11


@pytest.mark.parametrize(("code", "printed"), EXAMPLES)
def test_example(code: str, printed: str) -> None:
    name = "example.py"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(code, name, "exec"), {"__name__": "__main__"})  # noqa: S102 - our own README
    assert output.getvalue() == printed


def test_the_picture_is_that_of_the_first_example() -> None:
    code = EXAMPLES[0][0].partition("print")[0]
    linecache.cache["example.py"] = (len(code), None, code.splitlines(keepends=True), "example.py")
    names: dict[str, object] = {}
    exec(compile(code, "example.py", "exec"), names)  # noqa: S102 - our own README
    assert cr.draw(names["f"]).svg == (ROOT / "docs" / "circuit.svg").read_text()
