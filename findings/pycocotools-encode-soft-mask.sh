#!/bin/sh
# pycocotools' encode takes a mask with more than two values for a row of switches: 36 of 100 pixels are left.
#
# Versions: pycocotools 2.0.11 and faster-coco-eval 1.8.0 (the same); rlemasklib 0.8.1 (as guessed); numpy 2.4.6, from
#   PyPI (Python 3.11 or newer).
# Guess before the run: every non-zero pixel is inside, so that the area is numpy.count_nonzero(mask).
# Behaviour: the encoder begins a new run wherever a value differs from the one before, and never asks whether it is 0.
#   0/1 and 0/255 come out right, so that 255 seems to be fine. With a third value (an edge smoothed by a resize, two
#   objects with numbers 1 and 2 that touch) inside and outside change places at each further step. Nothing is refused.
# Output, 10 x 10 pixels: an edge of 128 round 8 x 8 pixels of 255; and two halves with the numbers 1 and 2:
#   edge:   pycocotools and faster-coco-eval encode 36 pixels, rlemasklib 100
#   halves: all encode 100 pixels, but of pycocotools' and faster-coco-eval's only 50 are pixels of the objects
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: numpy==2.4.6 \
  pycocotools==2.0.11 faster-coco-eval==1.8.0 rlemasklib==0.8.1 >pip.log 2>&1 ||
  { cat pip.log; echo "the packages cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
import numpy as np
import rlemasklib
from faster_coco_eval.core import mask as faster
from pycocotools import mask as coco

def pixels(library, mask):
    decoded = library.decode(library.encode(np.asfortranarray(mask))) != 0
    return int(decoded.sum()), int((decoded & (mask != 0)).sum())

edge = np.zeros((20, 20), np.uint8)
edge[5:15, 5:15] = 128
edge[6:14, 6:14] = 255
halves = np.zeros((20, 20), np.uint8)
halves[5:10, 5:15] = 1
halves[10:15, 5:15] = 2
hard = (edge > 0).astype(np.uint8) * 255
same = True
for name, mask, seen in (("edge", edge, (36, 36)), ("halves", halves, (100, 50)), ("0/255", hard, (100, 100))):
    for package, library in (("pycocotools", coco), ("faster-coco-eval", faster), ("rlemasklib", rlemasklib)):
        found = pixels(library, mask)
        print(f"{name}, {package}: {found[0]} pixels, {found[1]} of them of the 100 that are not 0")
        same = same and found == ((100, 100) if library is rlemasklib else seen)
print("as described" if same else "NOT as described: the behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
venv/bin/python try.py
