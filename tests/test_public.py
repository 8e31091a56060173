"""What ``import chainrule`` gives: names that exist, explain themselves and cost little."""

import inspect
import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

import pytest

import chainrule as cr


def public(module, prefix):
    """Every public function and class of a module and its modules, by the name that users write."""
    found = {}
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, dict):  # a table of what has names of its own
            continue
        found.update(
            public(value, f"{prefix}.{name}") if isinstance(value, ModuleType) else {f"{prefix}.{name}": value}
        )
    return found


PUBLIC = public(cr, "cr") | public(cr.estimators, "cr.estimators")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_explains_itself_by_an_example(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert ">>>" in text or issubclass(PUBLIC[name], (Exception, tuple))


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isclass(value)])
def test_what_a_public_class_offers_is_documented(name):
    members = {key: value for key, value in vars(PUBLIC[name]).items() if not key.startswith("_")}
    functions = {key: getattr(value, "fget", value) for key, value in members.items()}
    silent = [key for key, value in functions.items() if inspect.isroutine(value) and not inspect.getdoc(members[key])]
    assert silent == []


def test_names_are_listed_once_in_order():
    assert cr.__all__ == sorted(set(cr.__all__))


def test_the_version_is_that_of_the_package():
    assert cr.__version__ == version("chainrule")


def test_numpy_alone_is_enough_to_import():
    code = (
        "import sys, chainrule; "
        "print({'rich', 'typer', 'safetensors', 'matplotlib', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert printed == "set()\n"


def test_what_takes_long_to_import_is_imported_where_it_is_used():
    code = (
        "import sys, numpy; before = set(sys.modules); import chainrule; "
        "slow = {'numpy.random', 'llvmlite', 'tempfile', 'shutil', 'difflib', 'secrets', 'urllib.request'}; "
        "print(slow & (set(sys.modules) - before))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert printed == "set()\n"
