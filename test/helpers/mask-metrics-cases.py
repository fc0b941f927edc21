"""Random mask logits, targets and answers, and the figures that other libraries make of them, as JSON on stdout:
mask-metrics-cases.py SEED COUNT. Overlaps, areas and boxes are pycocotools', sums numpy's, and, where it is installed,
IoUs over all pixels torchmetrics'."""
import json
import random
import sys

import numpy as np
from pycocotools import mask as coco

CLASSES = 17

seed, count = int(sys.argv[1]), int(sys.argv[2])
rng = random.Random(seed)
noise = np.random.default_rng(seed)


def blob(h, w):
    """A rectangle, an ellipse or noise; sometimes nothing, sometimes everything."""
    kind = rng.randrange(6)
    y, x = np.mgrid[0:h, 0:w]
    if kind == 0:
        return np.zeros((h, w), bool)
    if kind == 1 and rng.random() < 0.2:
        return np.ones((h, w), bool)
    if kind == 2:
        return noise.random((h, w)) < rng.choice([0.02, 0.5, 0.98])
    cy, cx, ry, rx = rng.uniform(0, h), rng.uniform(0, w), rng.uniform(1, h), rng.uniform(1, w)
    if kind == 3:
        return (abs(y - cy) <= ry / 2) & (abs(x - cx) <= rx / 2)
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 0.3


def rle(m):
    return coco.encode(np.asfortranarray(m.astype(np.uint8)))


def overlap(a, b):
    """Intersection and union in pixels."""
    a, b = rle(a), rle(b)
    return int(coco.area(coco.merge([a, b], intersect=True))), int(coco.area(coco.merge([a, b])))


cases, rows = [], []
for _ in range(count):
    h, w = rng.randint(1, 28), rng.randint(1, 28)
    target = blob(h, w)
    near = target ^ (noise.random((h, w)) < rng.choice([0.0, 0.05, 0.3]))
    drawn = near if rng.random() < 0.7 else blob(h, w)
    # 0 is on the line that the two rules divide.
    logits = np.where(drawn, noise.integers(0, 3, (h, w)), noise.integers(-2, 1, (h, w))).astype(np.int8)
    rejected = rng.random() < (0.15 if target.any() else 0.7)
    cls = rng.randrange(CLASSES)
    cases.append({
        "height": h, "width": w, "class": cls, "answer": "absent" if rejected else "found",
        "target": target.astype(np.uint8).tobytes().hex(), "logits": logits.tobytes().hex(),
    })
    at_least, above, nothing = logits >= 0, logits > 0, np.zeros((h, w), bool)
    strict, strict_above = (nothing, nothing) if rejected else (at_least, above)
    # REC goes by the masks of RES.
    boxes = [np.array([coco.toBbox(rle(m))], dtype=np.float64) for m in (strict_above, target)]
    hit = strict_above.any() and target.any() and coco.iou(boxes[0], boxes[1], [0])[0, 0] > 0.5
    rows.append({
        "absent": not target.any(), "rejected": rejected, "class": cls, "hit": bool(hit),
        "reference": overlap(at_least, target), "strict": overlap(strict, target), "res": overlap(above, target),
        "res_strict": overlap(strict_above, target), "drawn": int(coco.area(rle(strict))),
        "iou": float(coco.iou([rle(at_least)], [rle(target)], [0])[0, 0]),
        "area": int(coco.area(rle(at_least))), "box": [int(v) for v in coco.toBbox(rle(at_least))],
    })

absent = np.array([r["absent"] for r in rows])
rejected = np.array([r["rejected"] for r in rows])
present = ~absent


def gres(key):
    i, u = np.array([r[key] for r in rows], dtype=np.float64).T
    iou = np.where(absent, rejected, i / np.maximum(u, 1))
    used = np.where(absent & rejected, 0, u)
    return {"gIoU": iou.mean(), "cIoU": i.sum() / used.sum(),
            "N_acc": rejected[absent].mean(), "T_acc": (~rejected)[present].mean()}


def over_present(key):
    i, u = np.array([r[key] for r in rows], dtype=np.float64)[present].T
    return {"oIoU": i.sum() / u.sum(), "mIoU": (i / u).mean()}


def res(key):
    i, u = np.array([r[key] for r in rows], dtype=np.float64).T
    return {"gIoU": np.where(u == 0, 1, i / (u + 1e-5)).mean(), "cIoU": i.sum() / u.sum()}


def by_class(key):
    pairs = np.array([r[key] for r in rows], dtype=np.float64)
    classes = np.array([r["class"] for r in rows])
    sums = np.array([pairs[classes == c].sum(0) for c in range(CLASSES)])
    return {"mIoU": (sums[:, 0] / sums[:, 1]).mean()}


figures = {
    "gres": {"reference": gres("reference"), "strict": gres("strict")},
    "res": {"reference": res("res"), "strict": res("res_strict")},
    "ref-zom": {
        "reference": {**over_present("reference"), "mIoU_as_reported": gres("reference")["gIoU"]},
        "strict": {**over_present("strict"), "Acc": (np.array([r["drawn"] for r in rows]) == 0)[absent].mean()},
    },
    "sem-seg": {"reference": by_class("res"), "strict": by_class("res_strict")},
    "rec": {"Prec@0.5": np.array([r["hit"] for r in rows])[present].mean()},
}

torchmetrics_figures = None
try:
    import torch
    from torchmetrics.classification import BinaryJaccardIndex
    from torchmetrics.functional.classification import binary_jaccard_index
    whole = BinaryJaccardIndex()
    each = []
    for case in cases:
        logits = torch.tensor(np.frombuffer(bytes.fromhex(case["logits"]), np.int8).copy())
        target = torch.tensor(np.frombuffer(bytes.fromhex(case["target"]), np.uint8).copy()).int()
        mask = (logits > 0).int()
        whole.update(mask, target)
        if mask.any() or target.any():
            each.append(float(binary_jaccard_index(mask, target)))
    torchmetrics_figures = {"cIoU": float(whole.compute()), "mean": float(np.mean(each))}
except ImportError:
    pass

json.dump({
    "cases": [{**case, "iou": row["iou"], "area": row["area"], "box": row["box"]} for case, row in zip(cases, rows)],
    "figures": {name: {key: ({k: float(v) for k, v in value.items()} if isinstance(value, dict) else float(value))
                       for key, value in group.items()} for name, group in figures.items()},
    "torchmetrics": torchmetrics_figures,
}, sys.stdout)
