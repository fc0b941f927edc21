/** Files of a released model, downloaded and made: places, sizes, licences, missing pieces. */
import { join } from 'node:path';
import type { Piece, ReleasedModel } from './entry.js';
import { type Found, type FoundModel, MISSING } from './find-files.js';
import { RELEASE } from './released-models.js';

const GB = 1e9;
const MB = 1e6;
const FLOAT_BYTES = 4;
const HALF_BYTES = 2;

type ByteRange = Piece['numbers'];

/** '13.5 GB', '180 MB': as disks are sold. */
export function diskText(bytes: number): string {
  return bytes < GB ? `${(bytes / MB).toFixed(0)} MB` : `${(bytes / GB).toFixed(1)} GB`;
}

export function rangeText({ least, most }: ByteRange): string {
  return `${(least / GB).toFixed(0)}–${(most / GB).toFixed(0)} GB`;
}

/** Pieces that others published, in the order in which they are put together. */
export function piecesOf(model: ReleasedModel): Piece[] {
  return Object.values(piecesByName(model));
}

type PieceName = 'llava' | 'base' | 'delta' | 'clip' | 'sam';

function piecesByName({ backbone: { llava, clip, sam } }: ReleasedModel): Partial<Record<PieceName, Piece>> {
  return { ...('whole' in llava ? { llava: llava.whole } : { base: llava.base, delta: llava.delta }), clip, sam };
}

/** Bytes of GSVA's own file, whose size is not published: what was trained alone, or the whole model, as float32. */
export function weightsBytes({ backbone }: ReleasedModel): ByteRange {
  const { trained, all } = backbone.numbers;
  return { least: FLOAT_BYTES * trained, most: FLOAT_BYTES * all };
}

export function downloadBytes(model: ReleasedModel): ByteRange {
  const others = piecesOf(model).reduce((sum, { bytes }) => sum + bytes, 0);
  const { least, most } = weightsBytes(model);
  return { least: others + least, most: others + most };
}

/** Bytes of the folder that `gsva convert` makes: LLaMA in 16 bits where GSVA's own file has what was trained alone. */
export function convertedBytes({ backbone }: ReleasedModel): ByteRange {
  const { all, trained } = backbone.numbers;
  const encoders = backbone.clip.numbers.least + backbone.sam.numbers.least;
  // The mask decoder is among the trained and in SAM's file: less than one part in a thousand is counted twice.
  const frozen = all - trained - encoders;
  return { least: FLOAT_BYTES * (trained + encoders) + HALF_BYTES * frozen, most: FLOAT_BYTES * all };
}

export function weightsText(model: ReleasedModel): string {
  const { least, most } = weightsBytes(model);
  return `size not published: ${diskText(least)} with what was trained alone, ${diskText(most)} with everything`;
}

/** The file's name in the authors' folder. */
export function fileOf({ name, named, title }: ReleasedModel): string {
  if (named === 'authors') return `${name}.bin`;
  if (named === 'users') return `${name}.bin (so those call it who use it)`;
  return `the file of ${title} (neither its name nor whether it is there is published)`;
}

export interface FileRow extends Pick<Piece, 'licence'> {
  readonly what: string;
  readonly found: Found;
  readonly path: string;
  readonly size: string;
}

/** One row for each file of a model, and for the folders made of them. */
export function fileRows(model: ReleasedModel, found: FoundModel, dir: string): FileRow[] {
  const { llava } = model.backbone;
  const pieces = Object.entries(piecesByName(model)).map(([name, piece]): FileRow => {
    const part = found[name as PieceName] ?? MISSING;
    const path = part.path ?? join(dir, piece.place);
    return { what: piece.title, found: part, path, size: sizeOf(piece), licence: piece.licence };
  });
  if (!('whole' in llava)) {
    const size = `about ${diskText(llava.delta.bytes)}`;
    const path = join(dir, llava.place);
    pieces.splice(2, 0, { what: 'LLaVA, made of both', found: found.llava, path, size, licence: 'of its parts' });
  }
  const own = { path: join(dir, `${model.name}.bin`), size: 'not published', licence: RELEASE.licence };
  return [
    ...pieces,
    { what: "GSVA's own weights", found: found.weights, ...own },
    {
      what: 'the model, converted',
      found: found.converted,
      path: join(dir, model.name),
      size: `about ${rangeText(convertedBytes(model))}`,
      licence: 'of its parts',
    },
  ];
}

/** To the byte where it is published. */
function sizeOf({ bytes, bytesAre }: Piece): string {
  return bytesAre === 'listed' ? `${bytes.toLocaleString('en-US')} bytes` : `about ${diskText(bytes)}`;
}

export interface MissingPiece extends Pick<FileRow, 'path' | 'what' | 'licence'> {
  readonly models: readonly ReleasedModel[];
  readonly sources: readonly string[];
}

/** Each piece once, with the models that lack it; GSVA's own files last, in one entry. */
export function missingPieces(
  dir: string,
  reports: readonly { readonly model: ReleasedModel; readonly found: FoundModel }[],
): MissingPiece[] {
  const incomplete = reports.filter(({ found }) => found.state !== 'complete');
  const pieces = new Map<Piece, ReleasedModel[]>();
  for (const { model, found } of incomplete) {
    for (const piece of missingOf(model, found)) pieces.set(piece, [...(pieces.get(piece) ?? []), model]);
  }
  const own = incomplete.filter(({ found }) => found.weights.state !== 'there').map(({ model }) => model);
  const others = [...pieces].map(([piece, models]) => ({
    path: join(dir, piece.place),
    what: `${piece.title}, ${sizeOf(piece)}`,
    licence: piece.licence,
    models,
    sources: [piece.hub === null ? (piece.url ?? piece.source) : `https://huggingface.co/${piece.hub}`],
  }));
  const { licence, folders } = RELEASE;
  const what = "GSVA's own weights, sizes not published";
  const ours = { path: join(dir, 'NAME.bin'), what, licence, models: own, sources: folders };
  return own.length === 0 ? others : [...others, ours];
}

/** Published pieces to get. LLaVA in one piece makes base and delta needless. */
export function missingOf(model: ReleasedModel, found: FoundModel | null): Piece[] {
  const isThere = (name: PieceName): boolean => found?.[name]?.state === 'there';
  const isNeedless = (name: string): boolean => (name === 'base' || name === 'delta') && isThere('llava');
  const pieces = Object.entries(piecesByName(model));
  return pieces.flatMap(([name, piece]) => (isNeedless(name) || isThere(name as PieceName) ? [] : [piece]));
}
