"""Runs one function of one script: run.py SCRIPT FUNCTION. What scripts share is beside this file."""

import importlib
import pathlib
import sys

script = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(script.parent))
getattr(importlib.import_module(script.stem), sys.argv[2])()
