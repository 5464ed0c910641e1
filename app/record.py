"""Records the pictures that the atlas opens on: `python app/record.py [KEY ...]`, all exhibits otherwise."""

from __future__ import annotations

import sys

import neurorama
from neurorama import catalogue
from parts.pictures import record

if __name__ == "__main__":
    for key in sys.argv[1:] or [row.key for row in catalogue.built()]:
        row = catalogue.row(key)
        for path in record(row, neurorama.run(row.key)):
            print(path)
