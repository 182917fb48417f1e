"""Dependencies point one way, look-ups stay light, and what is exported exists."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ORDER = ("supernet", "predictors", "search", "zoo")
MODULES = [
    module.name
    for package in ORDER
    for module in pkgutil.walk_packages([str(Path(importlib.import_module(package).__file__).parent)], f"{package}.")
] + list(ORDER)
HUBS = tuple(f"zoo.make.{name}" for name in ("change", "files", "publish", "renew", "sync", "verify"))
"""What writes and checks hubs, light beside what makes models."""
LIGHT = (
    "supernet.space",
    "supernet.cost",
    "supernet.families",
    "supernet.frontend.tables",
    "supernet.frontend.mfcc",
    "supernet.integer.runtime",
    "supernet.metrics",
    "zoo.run.evaluate",
    "supernet.integer.packing",
    "predictors",
    "search",
    "zoo",
    "zoo.cli.commands",
    *HUBS,
)
HEAVY = ("torch", "torchaudio", "sklearn", "pandas", "matplotlib", "soundfile", "soxr")


def imported(module: str) -> set[str]:
    """Top-level names of all that a module imports, inside functions too."""
    tree = ast.parse(Path(importlib.import_module(module).__file__).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("module", MODULES)
def test_a_package_imports_only_those_to_its_left(module):
    package = module.split(".")[0]
    allowed = ORDER[: ORDER.index(package) + 1]
    assert imported(module) & set(ORDER) <= set(allowed)


def modules_imported(module: str) -> set[str]:
    """Modules of Earshot that a module imports, inside functions too."""
    tree, found = ast.parse(Path(importlib.import_module(module).__file__).read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & set(MODULES) if inner & set(MODULES) else {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(MODULES) - {module}


@pytest.mark.parametrize("package", ORDER)
def test_no_two_files_import_each_other(package):
    """Not even by a detour: one can be read after the other."""
    waiting = {module: modules_imported(module) for module in MODULES if module.split(".")[0] == package}
    while ready := [module for module, needs in waiting.items() if not needs & set(waiting)]:
        for module in ready:
            del waiting[module]
    assert not waiting


@pytest.mark.parametrize("module", MODULES)
def test_what_is_exported_exists_and_is_documented(module):
    loaded = importlib.import_module(module)
    assert loaded.__doc__
    for name in getattr(loaded, "__all__", []):
        value = getattr(loaded, name)
        if callable(value) and getattr(value, "__module__", None) == module:
            assert value.__doc__, f"{module}.{name}"


def test_importing_stays_light():
    """One after the other in one interpreter, so that the first that is not light is named."""
    code = f"""
import importlib, sys
for module in {LIGHT}:
    importlib.import_module(module)
    print([module, *(heavy for heavy in {HEAVY} if heavy in sys.modules)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str([module]) for module in LIGHT]


TRAINS = ("supernet.nn", "supernet.quant", "supernet.train", "supernet.data.augment", "supernet.data.effects",
          "supernet.data.scenes", "predictors.", "search.", "zoo.make.")  # fmt: skip
"""What may import torch, pandas and scikit-learn; HUBS in `zoo.make` may not."""


def test_all_but_what_trains_imports_no_torch():
    light = [module for module in MODULES if not module.startswith(TRAINS)] + [*HUBS]
    assert len(light) > 60
    code = f"""
import importlib, sys
sys.modules.update(dict.fromkeys(["torch", "torchaudio", "pandas", "sklearn"]))
for module in {light}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
