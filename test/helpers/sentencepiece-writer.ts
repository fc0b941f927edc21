/** Writes SentencePiece models for tests: the fields of sentencepiece_model.proto that LLaMA's files have. */
import {
  PIECE_BYTE,
  PIECE_CONTROL,
  PIECE_NORMAL,
  PIECE_UNKNOWN,
  type SentencePiece,
} from '../../src/data/text/sentencepiece-model.js';

function varint(value: number): number[] {
  const out: number[] = [];
  let left = value;
  while (left > 127) {
    out.push((left % 128) + 128);
    left = Math.floor(left / 128);
  }
  return [...out, left];
}

function message(field: number, content: readonly number[]): number[] {
  return [...varint(field * 8 + 2), ...varint(content.length), ...content];
}

function writePiece(piece: SentencePiece): number[] {
  const score = new Uint8Array(new Float32Array([piece.score]).buffer);
  const text = [...new TextEncoder().encode(piece.text)];
  return [...message(1, text), ...varint(2 * 8 + 5), ...score, ...varint(3 * 8), ...varint(piece.kind)];
}

/** Trainer and normaliser settings by field number; LLaMA's where not given. */
export interface ModelSettings {
  readonly trainer?: Readonly<Record<number, number>>;
  readonly normalizer?: Readonly<Record<number, number>>;
}

export function writeSentencePieceModel(pieces: readonly SentencePiece[], settings: ModelSettings = {}): Uint8Array {
  const flags = (fields: Readonly<Record<number, number>>): number[] =>
    Object.entries(fields).flatMap(([field, value]) => [...varint(Number(field) * 8), ...varint(value)]);
  return Uint8Array.from([
    ...pieces.flatMap((piece) => message(1, writePiece(piece))),
    ...message(2, flags({ 3: 2, 35: 1, 40: 0, 41: 1, 42: 2, ...settings.trainer })),
    ...message(3, flags({ 3: 1, 4: 0, ...settings.normalizer })),
  ]);
}

/** LLaMA's first 259 pieces (unknown, begin, end, 256 bytes), then these, each with a lower score than the one before. */
export function llamaPieces(texts: readonly string[]): SentencePiece[] {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  return [
    { text: '<unk>', score: 0, kind: PIECE_UNKNOWN },
    { text: '<s>', score: 0, kind: PIECE_CONTROL },
    { text: '</s>', score: 0, kind: PIECE_CONTROL },
    ...bytes.map((text) => ({ text, score: 0, kind: PIECE_BYTE })),
    ...texts.map((text, i) => ({ text, score: -i, kind: PIECE_NORMAL })),
  ];
}
