"""Random polygons and masks with what pycocotools makes of them, as JSON on stdout: pycocotools-cases.py SEED COUNT."""
import hashlib
import json
import random
import sys

import numpy as np
from pycocotools import mask

rng = random.Random(int(sys.argv[1]))
cases = []
for _ in range(int(sys.argv[2])):
    h, w = rng.randint(1, 60), rng.randint(1, 60)
    style = rng.randrange(4)
    polygons = []
    for _ in range(rng.randint(1, 3)):
        n = rng.randint(3, 10)
        # around the image, on whole pixels, tiny, or far outside
        spread = [0.3, 0.3, 0.0, 3.0][style]
        points = [rng.uniform(-spread, 1 + spread) * (h if i % 2 else w) for i in range(2 * n)]
        if style == 1:
            points = [float(round(p)) for p in points]
        if style == 2:
            x, y = rng.uniform(0, w), rng.uniform(0, h)
            points = [(y if i % 2 else x) + rng.uniform(-1, 1) for i in range(2 * n)]
        polygons.append(points)
    rles = mask.frPyObjects(polygons, h, w)
    union = mask.merge(rles)
    both = mask.merge(rles, intersect=True)
    # A mask of noise, from none to all of its pixels inside.
    share = rng.choice([0.0, 0.02, 0.5, 0.98, 1.0])
    noise = np.array([rng.random() < share for _ in range(h * w)], dtype=np.uint8).reshape(h, w)
    cases.append({
        "height": h, "width": w, "polygons": polygons,
        "rles": [r["counts"].decode() for r in rles],
        "union": union["counts"].decode(), "intersection": both["counts"].decode(),
        # Row by row, as numpy has them.
        "decoded": hashlib.sha1(np.ascontiguousarray(mask.decode(union)).tobytes()).hexdigest(),
        "noise": noise.tobytes().hex(), "encoded": mask.encode(np.asfortranarray(noise))["counts"].decode(),
        "area": int(mask.area(union)), "box": [int(x) for x in mask.toBbox(union)],
        "iou": float(mask.iou([rles[0]], [union], [0])[0][0]), "crowd": float(mask.iou([rles[0]], [union], [1])[0][0]),
    })
json.dump(cases, sys.stdout)
