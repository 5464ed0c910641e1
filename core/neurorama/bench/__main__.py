"""Prints the peak memory of one side of one duel, alone in a process. Arguments: name, side, and perhaps "quick"."""

import sys

import torch

from . import DUELS
from .duel import weigh

torch.set_num_threads(1)
name, side, *quick = sys.argv[1:]
(duel,) = (duel for duel in DUELS if duel.name == name)
print(weigh(duel, side, bool(quick)))
