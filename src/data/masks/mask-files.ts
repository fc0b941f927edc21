/**
 * Annotation files of other programs for one picture: COCO, LabelMe, GeoJSON and YOLO. Masks are polygons along the
 * sides of pixels, which fill to the same pixels by COCO's rule (mask-polygons.ts).
 */
import type { BinaryMask, Box } from '../../types.js';
import { maskToRle } from './mask-exchange.js';
import { maskRegions, maskToPolygons } from './mask-polygons.js';

/** One expression and what was found for it; without a mask where nothing was. */
export interface FoundObject {
  readonly expression: string;
  readonly status: string;
  readonly mask: BinaryMask | null;
  readonly box: Box | null;
  readonly area: number;
  readonly score: number;
}

export interface FoundPicture {
  /** Name of the picture's file, or its path relative to the file that is written. */
  readonly name: string;
  readonly height: number;
  readonly width: number;
}

/** More polygons are not read back from one annotation: it is written as run lengths then. */
const MOST_POLYGONS = 10_000;
/** The one in which LabelMe has the keys that are written. */
const LABELME_VERSION = '5.5.0';
/** Decimals of a share of the size: half of one is less than a tenth of a pixel in pictures of up to 200,000. */
const DECIMALS = 6;

/** Expressions in order, each once: the categories or classes. */
export function classesOf(found: readonly FoundObject[]): string[] {
  return [...new Set(found.map(({ expression }) => expression))];
}

/** COCO's instances: a category per expression, an annotation per mask; what was not found has no annotation. */
export function cocoFile({ name, height, width }: FoundPicture, found: readonly FoundObject[]): object {
  const names = classesOf(found);
  const drawn = found.filter(hasPixels);
  return {
    info: { description: 'Masks found by GSVA' },
    images: [{ id: 1, file_name: name, height, width }],
    categories: names.map((expression, index) => ({ id: index + 1, name: expression, supercategory: '' })),
    annotations: drawn.map(({ expression, mask, box, area, score }, index) => {
      const polygons = maskToPolygons(mask);
      const [xMin, yMin, xMax, yMax] = box;
      return {
        id: index + 1,
        image_id: 1,
        category_id: names.indexOf(expression) + 1,
        segmentation: polygons.length > MOST_POLYGONS ? maskToRle(mask) : polygons,
        area,
        bbox: [xMin, yMin, xMax - xMin, yMax - yMin],
        iscrowd: 0,
        score,
      };
    }),
  };
}

/** LabelMe's file: a shape per connected part, those of one mask with one group_id; a hole is cut in from above. */
export function labelmeFile({ name, height, width }: FoundPicture, found: readonly FoundObject[]): object {
  return {
    version: LABELME_VERSION,
    flags: {},
    shapes: found.filter(hasPixels).flatMap(({ expression, mask }, index) => {
      const polygons = maskToPolygons(mask);
      return polygons.map((polygon) => ({
        label: expression,
        points: pointsOf(polygon),
        group_id: polygons.length > 1 ? index + 1 : null,
        description: '',
        shape_type: 'polygon',
        flags: {},
        mask: null,
      }));
    }),
    imagePath: name,
    imageData: null,
    imageHeight: height,
    imageWidth: width,
  };
}

/**
 * GeoJSON (RFC 7946) in pixels, x to the right and y down from the upper left corner: a feature per expression, its
 * geometry a MultiPolygon with holes as rings of their own, null where nothing was found.
 */
export function geojsonFile({ name, height, width }: FoundPicture, found: readonly FoundObject[]): object {
  return {
    type: 'FeatureCollection',
    features: found.map((object) => {
      const { expression, status, area, score, box } = object;
      const rings = hasPixels(object) ? maskRegions(object.mask).map(({ outer, holes }) => [outer, ...holes]) : null;
      return {
        type: 'Feature',
        properties: { expression, status, area, score, box, image: name, height, width },
        geometry: rings && { type: 'MultiPolygon', coordinates: rings.map((part) => part.map(closedRing)) },
      };
    }),
  };
}

/** YOLO's segmentation labels: per connected part a line, class number and corners as shares of width and height. */
export function yoloLabels({ height, width }: FoundPicture, found: readonly FoundObject[]): string {
  const names = classesOf(found);
  const lines = found.filter(hasPixels).flatMap(({ expression, mask }) =>
    maskToPolygons(mask).map((polygon) => {
      const shares = polygon.map((value, i) => (value / (i % 2 === 0 ? width : height)).toFixed(DECIMALS));
      return [names.indexOf(expression), ...shares].join(' ');
    }),
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** YOLO's data.yaml for a folder with "images" and "labels". */
export function yoloData(found: readonly FoundObject[]): string {
  const names = classesOf(found).map((name, index) => `  ${index}: ${JSON.stringify(name)}\n`);
  return `path: .\ntrain: images\nnames:\n${names.join('')}`;
}

type Drawn = FoundObject & { readonly mask: BinaryMask; readonly box: Box };

function hasPixels(object: FoundObject): object is Drawn {
  return object.mask !== null && object.box !== null;
}

function pointsOf(ring: readonly number[]): [number, number][] {
  return Array.from({ length: ring.length / 2 }, (_, i) => [ring[2 * i] as number, ring[2 * i + 1] as number]);
}

/** GeoJSON repeats the first point. */
function closedRing(ring: readonly number[]): [number, number][] {
  const points = pointsOf(ring);
  return [...points, points[0] as [number, number]];
}
