"""Prints the peak memory of one side of a duel, or of a whole growth, alone in a process.

Arguments: name; "ours", "theirs" or "whole"; and perhaps "quick". Or "cold": prints what the first run costs.
"""

import sys

import torch

from . import DUELS, GROWTHS, duel, growth, jobs

torch.set_num_threads(1)
if sys.argv[1:] == ["cold"]:
    print(jobs.cold())
else:
    name, side, *quick = sys.argv[1:]
    if side == "whole":
        print(growth.weigh(next(one for one in GROWTHS if one.name == name), bool(quick)))
    else:
        print(duel.weigh(next(one for one in DUELS if one.name == name), side, bool(quick)))
