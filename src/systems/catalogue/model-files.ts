/** Files of a released model, downloaded and made: places, sizes, licences, missing pieces. */
import { join } from 'node:path';
import type { Piece, ReleasedModel } from './entry.js';
import { type Found, type FoundModel, llavaPlace } from './find-files.js';
import { RELEASE } from './released-models.js';

const GB = 1e9;
const MB = 1e6;
const FLOAT_BYTES = 4;
const HALF_BYTES = 2;

export interface ByteRange {
  readonly least: number;
  readonly most: number;
}

/** '13.5 GB', '180 MB': as disks are sold. */
export function diskText(bytes: number): string {
  return bytes < GB ? `${(bytes / MB).toFixed(0)} MB` : `${(bytes / GB).toFixed(1)} GB`;
}

export function rangeText({ least, most }: ByteRange): string {
  return `${(least / GB).toFixed(0)}–${(most / GB).toFixed(0)} GB`;
}

/** Pieces that others published, in the order in which they are put together. */
export function piecesOf({ backbone }: ReleasedModel): Piece[] {
  const { llava, clip, sam } = backbone;
  return [...('whole' in llava ? [llava.whole] : [llava.base, llava.delta]), clip, sam];
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

export interface FileRow {
  readonly what: string;
  readonly found: Found;
  readonly path: string;
  readonly size: string;
  readonly licence: string;
}

/** One row for each file of a model, and for the folders made of them. */
export function fileRows(model: ReleasedModel, found: FoundModel, dir: string): FileRow[] {
  const { llava, clip, sam } = model.backbone;
  const row = (piece: Piece, part: Found | null): FileRow => ({
    what: piece.title,
    found: part ?? { state: 'missing', path: null, fault: null },
    path: part?.path ?? join(dir, piece.place),
    size: sizeOf(piece),
    licence: piece.licence,
  });
  const own = { path: join(dir, `${model.name}.bin`), size: 'not published', licence: RELEASE.licence };
  return [
    ...('whole' in llava
      ? [row(llava.whole, found.llava)]
      : [
          row(llava.base, found.base),
          row(llava.delta, found.delta),
          {
            what: 'LLaVA, made of both',
            found: found.llava,
            path: join(dir, llavaPlace(model.backbone)),
            size: `about ${diskText(llava.delta.bytes)}`,
            licence: 'of its parts',
          },
        ]),
    row(clip, found.clip),
    row(sam, found.sam),
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

export interface MissingPiece {
  readonly path: string;
  readonly what: string;
  readonly licence: string;
  readonly models: readonly ReleasedModel[];
  readonly sources: readonly string[];
}

interface Report {
  readonly model: ReleasedModel;
  readonly found: FoundModel;
}

/** Each piece once, with the models that lack it; GSVA's own files last, in one entry. */
export function missingPieces(dir: string, reports: readonly Report[]): MissingPiece[] {
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
  if (own.length === 0) return others;
  const what = "GSVA's own weights, sizes not published";
  return [
    ...others,
    { path: join(dir, 'NAME.bin'), what, licence: RELEASE.licence, models: own, sources: RELEASE.folders },
  ];
}

/** Published pieces to get. LLaVA in one piece makes base and delta needless. */
export function missingOf(model: ReleasedModel, found: FoundModel | null): Piece[] {
  const { llava, clip, sam } = model.backbone;
  const parts: [Piece, Found | null | undefined][] =
    'whole' in llava
      ? [[llava.whole, found?.llava]]
      : found?.llava.state === 'there'
        ? []
        : [
            [llava.base, found?.base],
            [llava.delta, found?.delta],
          ];
  parts.push([clip, found?.clip], [sam, found?.sam]);
  return parts.filter(([, part]) => part?.state !== 'there').map(([piece]) => piece);
}
