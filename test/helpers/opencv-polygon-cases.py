"""Random polygons and the masks that OpenCV draws for them as ReasonSeg's reader does, as JSON on stdout:
opencv-polygon-cases.py SEED COUNT [LARGEST SIDE]. The masks are run lengths row by row, beginning with 0."""
import json
import random
import sys

import cv2
import numpy as np

rng = random.Random(int(sys.argv[1]))
largest = int(sys.argv[3]) if len(sys.argv) > 3 else 60


def runs(mask):
    flat = mask.reshape(-1)
    ends = np.flatnonzero(np.diff(flat)) + 1
    bounds = [0, *(int(x) for x in ends), flat.size]
    lengths = [b - a for a, b in zip(bounds, bounds[1:])]
    return ([0] if flat[0] else []) + lengths


def corner(style, w, h, middle):
    if style == 0:  # inside
        return rng.randrange(w), rng.randrange(h)
    if style == 1:  # partly outside, not on whole pixels
        return rng.uniform(-0.4, 1.4) * w, rng.uniform(-0.4, 1.4) * h
    if style == 2:  # tiny: points, lines and repeated corners
        return middle[0] + rng.randint(-1, 1), middle[1] + rng.randint(-1, 1)
    if style == 3:  # far outside
        return rng.uniform(-6, 7) * w, rng.uniform(-6, 7) * h
    if style == 4:  # horizontal and vertical sides, on the border and just beyond
        return rng.choice([-1, 0, w // 2, w - 1, w]), rng.choice([-1, 0, h // 2, h - 1, h])
    return rng.uniform(-1, w), rng.uniform(-1, h)  # around zero, where towards zero is not down


cases = []
for _ in range(int(sys.argv[2])):
    h, w = rng.randint(1, largest), rng.randint(1, largest)
    style = rng.randrange(6)
    middle = rng.randrange(w), rng.randrange(h)
    corners = [corner(style, w, h, middle) for _ in range(rng.choice([1, 2, 3, 3, 4, 5, 6, 8, 12, 30]))]
    points = [[round(x, 2), round(y, 2)] for x, y in corners]
    mask = np.zeros((h, w), dtype=np.uint8)
    cv2.polylines(mask, np.array([points], dtype=np.int32), True, 1, 1)
    cv2.fillPoly(mask, np.array([points], dtype=np.int32), 1)
    cases.append({"height": h, "width": w, "points": points, "runs": runs(mask)})
json.dump(cases, sys.stdout, separators=(",", ":"))
