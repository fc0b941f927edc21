/**
 * Writes gRefCOCO's two files with made-up contents of any size, a piece at a time: what the scale tests read. No
 * pictures are written, only their folder.
 */
import { Buffer } from 'node:buffer';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const WORDS = 'left right front back red blue white man woman dog horse bus table chair near behind with the a'.split(
  ' ',
);

/** Writes texts as one list. */
function writeList(file, texts) {
  let piece = '[';
  let separator = '';
  for (const text of texts) {
    piece += separator + text;
    separator = ', ';
    if (piece.length > 2 ** 20) {
      writeSync(file, Buffer.from(piece));
      piece = '';
    }
  }
  writeSync(file, Buffer.from(`${piece}]`));
}

/**
 * @param dir data folder; refer_seg is made in it
 * @param sizes images, annotations of each, expressions of each (one in five without target, one in five with two),
 *   and points of each annotation's polygon
 */
export function writeReferFiles(dir, { images, annotationsPerImage, expressionsPerImage, points }) {
  const folder = join(dir, 'refer_seg', 'grefcoco');
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(dir, 'refer_seg', 'images', 'mscoco', 'images', 'train2014'), { recursive: true });
  const name = (image) => `COCO_train2014_${String(image).padStart(12, '0')}.jpg`;
  const annotationId = (image, i) => (image - 1) * annotationsPerImage + (i % annotationsPerImage) + 1;

  function* references() {
    for (let image = 1; image <= images; image++) {
      for (let i = 0; i < expressionsPerImage; i++) {
        const ids = i % 5 === 0 ? [-1] : [annotationId(image, i), ...(i % 5 === 1 ? [annotationId(image, i + 1)] : [])];
        const id = image * expressionsPerImage + i;
        const words = Array.from({ length: 4 }, (_, k) => WORDS[(id * 7 + k * (3 + (id % 5))) % WORDS.length]);
        const sent = words.join(' ');
        yield JSON.stringify({
          image_id: image,
          split: 'train',
          sentences: [{ raw: sent, sent, sent_id: id, tokens: words }],
          file_name: name(image),
          category_id: ids.map(() => 1),
          ann_id: ids,
          sent_ids: [id],
          ref_id: id,
          no_target: i % 5 === 0,
        });
      }
    }
  }

  function* imageRecords() {
    for (let image = 1; image <= images; image++) {
      yield JSON.stringify({
        license: 1,
        file_name: name(image),
        coco_url: `http://images.cocodataset.org/train2014/${name(image)}`,
        height: 480,
        width: 640,
        date_captured: '2013-11-14 17:02:52',
        id: image,
      });
    }
  }

  function* annotations() {
    for (let id = 1; id <= images * annotationsPerImage; id++) {
      const polygon = [];
      for (let p = 0; p < points; p++) {
        const angle = (2 * Math.PI * p) / points;
        const radius = 40 + (id % 60);
        polygon.push(Math.round((320 + radius * Math.cos(angle)) * 100) / 100);
        polygon.push(Math.round((240 + radius * Math.sin(angle)) * 100) / 100);
      }
      yield JSON.stringify({
        segmentation: [polygon],
        area: 1234.5,
        iscrowd: 0,
        image_id: Math.ceil(id / annotationsPerImage),
        bbox: [220.5, 140.25, 199, 199],
        category_id: 1,
        id,
      });
    }
  }

  const refs = openSync(join(folder, 'grefs(unc).json'), 'w');
  writeList(refs, references());
  closeSync(refs);
  const instances = openSync(join(folder, 'instances.json'), 'w');
  writeSync(instances, '{"info": {"description": "made up"}, "images": ');
  writeList(instances, imageRecords());
  writeSync(instances, ', "annotations": ');
  writeList(instances, annotations());
  writeSync(instances, ', "categories": [{"id": 1, "name": "thing"}]}');
  closeSync(instances);
}
