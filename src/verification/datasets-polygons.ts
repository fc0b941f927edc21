/** expected_polygons.json: what pycocotools makes of random polygons. */
import { mergeRles, rleArea, rleBox, rleFromString, rleToString } from '../data/masks/coco-mask.js';
import { polygonToRle } from '../data/masks/coco-mask-polygon.js';
import type { JsonPlace } from '../data/annotation-files.js';
import { compareRles, numbers } from './datasets-recorded.js';
import { Mismatches } from './mismatches.js';
import type { VerifyItem } from './verify-item.js';

export function verifyPolygons(expected: JsonPlace): VerifyItem[] {
  const fills = new Mismatches('polygons: mask pixels');
  const strings = new Mismatches('polygons: compressed encoding');
  const unions = new Mismatches('polygons: union pixels');
  const figures = new Mismatches('polygons: area and box of the union');
  for (const [i, entry] of expected.list().entries()) {
    const [height, width] = [entry.key('height').integer(), entry.key('width').integer()];
    const rles = entry
      .key('polygons')
      .list()
      .map((polygon) => polygonToRle(numbers(polygon), height, width));
    const recorded = entry.key('rles').list();
    fills.compare(`number of polygons of case ${i}`, rles.length, recorded.length);
    for (const [j, counts] of recorded.entries()) {
      const rle = rles[j];
      if (rle === undefined) continue;
      compareRles(fills, `case ${i}, polygon ${j}`, rle, rleFromString(counts.text(), height, width));
      strings.compare(`case ${i}, polygon ${j}`, rleToString(rle), counts.text());
    }
    const union = mergeRles(rles);
    compareRles(unions, `case ${i}`, union, rleFromString(entry.key('union').text(), height, width));
    figures.compare(`area of case ${i}`, rleArea(union), entry.key('area').number());
    figures.compare(`box of case ${i}`, rleBox(union).join(' '), numbers(entry.key('bbox')).join(' '));
  }
  return [fills, strings, unions, figures].map((mismatches) => mismatches.item());
}
