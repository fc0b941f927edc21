#!/bin/sh
# A polygon in a NumPy array is a BOX for pycocotools, and its other corners are lost.
#
# Versions: pycocotools 2.0.11, faster-coco-eval 1.8.0, numpy 2.4.6, from PyPI (Python 3.11 or newer).
# Guess before the run: frPyObjects(array) gives what frPyObjects(list) gives; a polygon of four numbers is empty.
# Behaviour: frPyObjects looks at the TYPE first: an array is a table of boxes x, y, width, height, whatever its width,
#   and the first four numbers of each row are read. A list is polygons if its FIRST entry has more than four numbers: a
#   line of two points then is empty when it stands second. When it stands first, pycocotools raises an error that asks
#   for an ndarray, and faster-coco-eval takes it AND the square for boxes.
# Output, the square (10,10) (20,10) (20,20) (10,20) and the line (2,2) (12,2), areas in pixels:
#   list: 100, box 10 10 10 10; array: 200, box 10 10 20 10; line second: 100 0
#   line first: pycocotools TypeError, faster-coco-eval 24 200
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: numpy==2.4.6 \
  pycocotools==2.0.11 faster-coco-eval==1.8.0 >pip.log 2>&1 ||
  { cat pip.log; echo "the packages cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
import numpy as np
from faster_coco_eval.core import mask as faster
from pycocotools import mask as coco

SQUARE, LINE = [10.0, 10, 20, 10, 20, 20, 10, 20], [2.0, 2, 12, 2]
SEEN = ["[100] [[10.0, 10.0, 10.0, 10.0]]", "[200] [[10.0, 10.0, 20.0, 10.0]]", "[100, 0]"]
same = True
for name, library in (("pycocotools", coco), ("faster-coco-eval", faster)):
    def area(polygons, box=False):
        try:
            rles = library.frPyObjects(polygons, 50, 50)
        except TypeError:
            return "TypeError"
        areas = str([int(value) for value in library.area(rles)])
        return f"{areas} {np.asarray(library.toBbox(rles)).tolist()}" if box else areas

    found = [area([SQUARE], True), area(np.array([SQUARE]), True), area([SQUARE, LINE]), area([LINE, SQUARE])]
    for what, value in zip(("list", "array", "line second", "line first"), found):
        print(f"{name}, {what}: {value}")
    same = same and found == SEEN + ["TypeError" if library is coco else "[24, 200]"]
print("as described" if same else "NOT as described: the behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
venv/bin/python try.py
