"""The package as it is installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

import vitscope


def test_the_version_is_the_npm_packages():
    """A notebook's engine and the page's are released as one."""
    own = re.search(r'^version = "(.+)"$', (ROOT / "notebook" / "pyproject.toml").read_text("utf-8"), re.M)
    assert own and own[1] == json.loads((ROOT / "pkg" / "package.json").read_text("utf-8"))["version"]


def test_importing_it_imports_nothing_large():
    """Who has no torch needs none, and who has does not wait for it."""
    code = "import sys, vitscope; print(sorted({'torch', 'timm', 'transformers', 'PIL'} & set(sys.modules)))"
    folder = Path(vitscope.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
