#!/bin/sh
# Contours of OpenCV, written as COCO polygons, lose a row and a column; a hole eats one pixel of the object.
#
# Versions: opencv-python-headless 5.0.0.93 and 4.13.0.92 (the same), pycocotools 2.0.11, numpy 2.4.6, from PyPI
#   (Python 3.11 or newer); d3-contour 4.0.3 from npm.
# Guess before the run: polygons of a mask, filled again, give the mask (a report contradicts it for findContours);
#   d3-contour gives 4200, or 4198 with corners cut.
# Behaviour: findContours runs through the CENTRES of the outermost pixels, 59 x 69 for a block of 60 x 70, and COCO fills
#   what lies between the lines. cv2.fillPoly paints the lines too, so that it hides this. The contour of a hole runs
#   through the object's pixels round the hole: painting it with 0 takes those away. d3-contour runs along the edges of
#   the pixels when the threshold is 0.5, and through the centres when the threshold is the mask's own value, 1.
# Output, block of 4200 pixels; ring of 800 pixels (30 x 30 with a hole of 10 x 10):
#   block: findContours, COCO's fill 4071; findContours, fillPoly 4200; d3-contour 4199.5 at 0.5 and 4071 at 1
#   ring: outer contour painted with 1, hole's with 0 (fillPoly): 760
#
# Nothing of this project is run. Exits 0 if it is as described, 1 if not, 2 if it could not be tried.
set -u
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
get() { # folder, packages: pinned wheels from PyPI
  folder=$1; shift
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
    --target "$folder" "$@" >pip.log 2>&1 || { cat pip.log; echo "$* cannot be installed"; exit 2; }
}
get base numpy==2.4.6 pycocotools==2.0.11
get cv5 opencv-python-headless==5.0.0.93
get cv4 opencv-python-headless==4.13.0.92
echo '{"private":true}' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts d3-contour@4.0.3 >npm.log 2>&1 ||
  { cat npm.log; echo "d3-contour cannot be installed"; exit 2; }
cat >try.py <<'PYTHON'
import sys
import cv2
import numpy as np
from pycocotools import mask as coco

block = np.zeros((100, 100), np.uint8)
block[10:70, 20:90] = 1
contours, _ = cv2.findContours(block, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
polygons = [contour.ravel().astype(float).tolist() for contour in contours]
filled = int(coco.area(coco.merge(coco.frPyObjects(polygons, 100, 100))))
painted = int(cv2.fillPoly(np.zeros_like(block), contours, 1).sum())

ring = np.zeros((50, 50), np.uint8)
ring[10:40, 10:40] = 1
ring[20:30, 20:30] = 0
contours, hierarchy = cv2.findContours(ring, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
again = np.zeros_like(ring)
for inner in (False, True):
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0]):
        if (parent >= 0) == inner:
            cv2.fillPoly(again, [contour], 0 if inner else 1)
seen = (filled, painted, int(again.sum()))
print(f"OpenCV {cv2.__version__}: block of 4200: COCO {filled}, fillPoly {painted}; ring of 800: {seen[2]}")
sys.exit(0 if seen == (4071, 4200, 760) else 1)
PYTHON
cat >try.mjs <<'JS'
import { contours } from 'd3-contour';

const block = new Float64Array(100 * 100);
for (let y = 10; y < 70; y++) block.fill(1, y * 100 + 20, y * 100 + 90);
const areas = [0.5, 1].map((threshold) => {
  const ring = contours().size([100, 100]).thresholds([threshold])(block)[0].coordinates[0][0];
  const twice = ring.slice(1).reduce((sum, [x, y], at) => sum + ring[at][0] * y - x * ring[at][1], 0);
  return Math.abs(twice) / 2;
});
console.log(`d3-contour, block of 4200: ${areas[0]} at threshold 0.5, ${areas[1]} at threshold 1`);
process.exitCode = areas.join() === '4199.5,4071' ? 0 : 1;
JS
state=0
for version in cv5 cv4; do PYTHONPATH="$work/$version:$work/base" python3 try.py || state=1; done
node try.mjs || state=1
[ $state = 0 ] && echo "as described" || echo "NOT as described: the behaviour has changed"
exit $state
