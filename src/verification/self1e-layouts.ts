/** Pictures of SELF1E's recorded rows: which tensor holds them, and the tiles of each, as case.json says. */
import type { JsonReader } from '../io/json/json-reader.js';
import type { TileGrid } from '../types.js';

export interface RecordedLayout {
  /** Tensor with the pictures, and begin and end of those that the rows are about; null: all of them. */
  readonly pixels: string;
  readonly range: readonly [number, number] | null;
  /** Tiles of each picture; one tile where nothing is said. */
  readonly grids: readonly TileGrid[];
  /** All rows are about one picture. */
  readonly isOnePicture: boolean;
}

const BATCH = /^batch(?:_(\w+))?$/;
const OWN = { range: null, isOnePicture: false };

/**
 * Layouts by the prefix of the rows' tensors: '' and 'b.' of the micro-batches, 'vqa.', 'eval.0.', 'chat.0.',
 * 'extra.two_seg.'.
 */
export function recordedLayouts(json: JsonReader, names: readonly string[]): Map<string, RecordedLayout> {
  const layouts = new Map<string, RecordedLayout>();
  for (const [key, place] of json.entries()) {
    const [whole, name = ''] = BATCH.exec(key) ?? [];
    if (whole === undefined && key !== 'vqa') continue;
    const prefix = key === 'vqa' ? 'vqa.' : name === '' ? '' : `${name}.`;
    layouts.set(prefix, { ...OWN, pixels: `${prefix}pixel_values`, grids: gridsOf(place) });
  }
  for (const place of evaluatedPictures(json)) {
    const prefix = `${place.key('tensors').string()}.`;
    layouts.set(prefix, { pixels: `${prefix}pixel_values`, range: null, grids: gridsOf(place), isOnePicture: true });
  }
  for (const [i, place] of (json.optional('chat')?.array() ?? []).entries()) {
    layouts.set(`chat.${i}.`, { ...OWN, pixels: `chat.${i}.pixel_values`, grids: gridsOf(place) });
  }
  for (const [name, place] of extraRows(json)) {
    const prefix = `extra.${name}.`;
    const own = `${prefix}pixel_values`;
    const pictures = names.includes(own) ? { pixels: own, range: null } : partOf(place.key('images'));
    layouts.set(prefix, { ...OWN, ...pictures, grids: gridsOf(place) });
  }
  return layouts;
}

/** Pictures of the recorded validation sets. */
export function evaluatedPictures(json: JsonReader): JsonReader[] {
  const sets = json.optional('eval')?.entries() ?? [];
  return sets.flatMap(([, set]) => set.key('images').array());
}

/** Further rows by name: those that the recipe does not use. */
export function extraRows(json: JsonReader): [string, JsonReader][] {
  const extra = json.optional('extra')?.entries() ?? [];
  return extra.filter(([, place]) => place.optional('conversations') !== null);
}

/** A part of a tensor: "pixel_values[0:4]". */
function partOf(place: JsonReader): Pick<RecordedLayout, 'pixels' | 'range'> {
  const [, pixels = '', begin = '', end = ''] = /^([\w.]+)\[(\d+):(\d+)\]$/.exec(place.string()) ?? [];
  return pixels === '' ? place.fail('a tensor with a range') : { pixels, range: [Number(begin), Number(end)] };
}

/** "tiles": [columns, rows], a list of these, or the number of tiles side by side. */
function gridsOf(place: JsonReader): TileGrid[] {
  const tiles = place.optional('tiles');
  if (tiles === null) return [];
  if (typeof tiles.value === 'number') return [{ columns: tiles.integer({ min: 1 }), rows: 1 }];
  const items = tiles.array();
  return typeof items[0]?.value === 'number' ? [gridOf(tiles)] : items.map(gridOf);
}

function gridOf(place: JsonReader): TileGrid {
  const [columns, rows, ...others] = place.array().map((side) => side.integer({ min: 1 }));
  if (columns === undefined || rows === undefined || others.length > 0) return place.fail('columns and rows');
  return { columns, rows };
}
