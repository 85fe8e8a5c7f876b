"""The program of the WebAssembly image: imported once while the image is built, and asked once in each copy of it.

Whatever is imported here lies ready in the image; nothing else can be imported there, for there are no files.
"""

# ruff: noqa: F401 - imported to be there
import _strptime  # type: ignore[import-not-found]
import abc
import array
import ast
import base64
import binascii
import bisect
import builtins
import calendar
import cmath
import collections.abc
import colorsys
import contextlib
import copy
import csv
import dataclasses
import datetime
import decimal
import difflib
import encodings.ascii
import encodings.idna
import encodings.latin_1
import encodings.utf_8_sig
import encodings.utf_16
import enum
import errno
import fractions
import functools
import gc
import hashlib
import heapq
import html.parser
import inspect
import io
import itertools
import json
import keyword
import locale
import logging
import math
import numbers
import operator
import os
import pprint
import random
import re
import reprlib
import secrets
import shlex
import statistics
import string
import struct
import sys
import textwrap
import time
import tokenize
import traceback
import types
import typing
import unicodedata
import urllib.parse
import uuid
import warnings
import weakref
import xml.etree.ElementTree
from typing import Any, NoReturn

import wit_world  # type: ignore[import-not-found]
from planish_sandbox_guest import judge  # type: ignore[import-not-found]

# Pure computations on paths and names, and what the library itself needs.
HARMLESS = {"fspath", "fsdecode", "fsencode", "urandom", "getpid", "get_terminal_size", "strerror"}
_begin = wit_world.begin


class WitWorld:
    """What the image offers."""

    def judge(self, request: str) -> str:
        """Judge the texts of one job."""
        # The host counts: it knows the order of the places.
        return judge(request, lambda _: _begin())  # type: ignore[no-any-return]


def _deny(*_: Any, **__: Any) -> NoReturn:
    raise PermissionError("a verifier has no files, processes or network")


def _close_off() -> None:
    """Leave nothing that asks for the world outside: there is none, and such a call would end the whole job."""
    sys.meta_path.clear()
    sys.path.clear()
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    os.environ.clear()
    for module in (os, sys.modules["posix"]):
        for name, value in vars(module).copy().items():
            if isinstance(value, types.BuiltinFunctionType) and name not in HARMLESS:
                setattr(module, name, _deny)
    for name in ("popen", "system", "getenv", "walk", "makedirs", "fdopen"):
        setattr(os, name, _deny if name != "getenv" else lambda _, default=None: default)
    builtins.open = io.open = io.FileIO = _deny  # type: ignore[assignment,misc]
    del sys.modules["wit_world"], sys.modules["planish_sandbox_guest"]


_close_off()
# What lies in the image is never looked at again: a copy of it would be written page by page.
gc.freeze()
