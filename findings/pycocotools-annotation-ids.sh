#!/bin/sh
# COCO annotations numbered from 0, or with a number used twice: perfect answers score 0.56 and 0.06, without a word.
#
# Versions: pycocotools 2.0.11 and faster-coco-eval 1.8.0 (the same), numpy 2.4.6, from PyPI (Python 3.11 or newer).
# Guess before the run: ids are only names: perfect boxes have AP 1.0 whatever the ids; of two annotations with one id,
#   getAnnIds and loadAnns give both.
# Behaviour: COCOeval keeps the id of the annotation a box was matched with, and 0 means "none": the annotation 0 is
#   found and counted as missed, its box as wrong. An id used twice keeps its place in the picture's list, but the table
#   by id holds the LATER annotation only: four annotations of one id are the last one four times over.
# Output, four boxes in one picture, each found exactly (scores falling), AP:
#   ids 1 2 3 4: 1.0000; ids 0 1 2 3: 0.5644; id 1 four times: 0.0644, and loadAnns gives x = 60 60 60 60
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
import contextlib, io, sys, warnings
import faster_coco_eval
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

warnings.simplefilter("ignore")
LIBRARIES = {
    "pycocotools": (COCO, COCOeval),
    "faster-coco-eval": (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
}
def score(coco, evaluation, ids):
    boxes = [[20 * place, 10, 10, 10] for place in range(4)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco()
        truth.dataset = {
            "images": [{"id": 1, "width": 100, "height": 100}],
            "categories": [{"id": 1, "name": "thing"}],
            "annotations": [{"id": number, "image_id": 1, "category_id": 1, "bbox": box, "area": 100, "iscrowd": 0}
                            for number, box in zip(ids, boxes)],
        }
        truth.createIndex()
        found = truth.loadRes([{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9 - 0.1 * place}
                               for place, box in enumerate(boxes)])
        run = evaluation(truth, found, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    lefts = [annotation["bbox"][0] for annotation in truth.loadAnns(truth.getAnnIds(imgIds=[1]))]
    return round(float(run.stats[0]), 4), lefts

SEEN = {(1, 2, 3, 4): (1.0, [0, 20, 40, 60]), (0, 1, 2, 3): (0.5644, [0, 20, 40, 60]), (1, 1, 1, 1): (0.0644, [60] * 4)}
same = True
for name, classes in LIBRARIES.items():
    for ids, seen in SEEN.items():
        value = score(*classes, ids)
        print(f"{name}, ids {ids}: AP {value[0]}, x of the annotations {value[1]}")
        same = same and value == seen
print("as described" if same else "NOT as described: the behaviour has changed")
sys.exit(0 if same else 1)
PYTHON
venv/bin/python try.py
