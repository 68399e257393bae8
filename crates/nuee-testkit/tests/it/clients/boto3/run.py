"""Runs one function of one script: run.py SCRIPT FUNCTION."""

import importlib
import sys

getattr(importlib.import_module(sys.argv[1]), sys.argv[2])()
