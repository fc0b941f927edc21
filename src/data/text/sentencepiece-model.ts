/**
 * SentencePiece's `tokenizer.model` with LLaMA's settings: BPE, byte fallback, a space in front, no other
 * normalisation. Anything else is refused with a UserError, since it would give other ids than those of the training.
 */
import { UserError, messageOf } from '../../errors.js';
import { ProtobufReader } from './protobuf-reader.js';

/** Kinds of pieces, numbered as in sentencepiece_model.proto. */
export const PIECE_NORMAL = 1;
export const PIECE_UNKNOWN = 2;
export const PIECE_CONTROL = 3;
export const PIECE_BYTE = 6;

export interface SentencePiece {
  readonly text: string;
  /** The higher, the earlier two symbols are merged into this piece. */
  readonly score: number;
  readonly kind: number;
}

export interface SentencePieceModel {
  /** By id. */
  readonly pieces: readonly SentencePiece[];
  readonly unkId: number;
  readonly bosId: number;
  readonly eosId: number;
}

/** More than the largest published vocabularies; bounds memory and time for a hostile file. */
export const MAX_MODEL_BYTES = 32 * 1024 * 1024;
const MAX_PIECES = 600_000;
const MAX_PIECE_LENGTH = 512;

const MODEL_TYPE_BPE = 2;
const BYTE_PIECE = /^<0x[0-9A-F]{2}>$/;

const TRAINER_FIELDS = {
  3: 'modelType',
  24: 'suffixSpace',
  35: 'byteFallback',
  40: 'unkId',
  41: 'bosId',
  42: 'eosId',
} as const;
const NORMALIZER_FIELDS = { 2: 'charsMap', 3: 'dummyPrefix', 4: 'removeExtraSpaces', 5: 'escapeSpaces' } as const;

/** `source` is the file's name, for messages. */
export function readSentencePieceModel(bytes: Uint8Array, source: string): SentencePieceModel {
  if (bytes.length > MAX_MODEL_BYTES) {
    throw unusable(source, `it has ${bytes.length} bytes, more than any SentencePiece model (${MAX_MODEL_BYTES})`);
  }
  const trainer = { modelType: 1, byteFallback: 0, suffixSpace: 0, unkId: 0, bosId: 1, eosId: 2 };
  const normalizer = { charsMap: 0, dummyPrefix: 1, removeExtraSpaces: 1, escapeSpaces: 1 };
  const pieces: SentencePiece[] = [];
  try {
    const reader = new ProtobufReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) {
        if (pieces.length >= MAX_PIECES) throw new Error(`it has more than ${MAX_PIECES} pieces`);
        pieces.push(readPiece(reader.message()));
      } else if (reader.field === 2) readNumbers(reader.bytesField(), TRAINER_FIELDS, trainer);
      else if (reader.field === 3) readNumbers(reader.bytesField(), NORMALIZER_FIELDS, normalizer);
      else reader.skip();
    }
  } catch (error) {
    throw unusable(source, messageOf(error));
  }
  if (pieces.length === 0) throw unusable(source, 'it holds no pieces');
  if (trainer.modelType !== MODEL_TYPE_BPE) {
    throw unusable(
      source,
      `its model type is ${trainer.modelType}, but only BPE (${MODEL_TYPE_BPE}), which LLaMA uses, is supported`,
    );
  }
  if (trainer.byteFallback === 0) throw unusable(source, 'it has no byte fallback, which LLaMA models have');
  if (trainer.suffixSpace !== 0) throw unusable(source, 'it treats spaces as suffixes, which LLaMA models do not');
  if (normalizer.charsMap !== 0 || normalizer.removeExtraSpaces !== 0) {
    throw unusable(source, 'it normalises its text (characters map or removed spaces), which LLaMA models do not');
  }
  if (normalizer.dummyPrefix === 0 || normalizer.escapeSpaces === 0) {
    throw unusable(source, 'it does not put "▁" before the text or in place of spaces, as LLaMA models do');
  }
  const model: SentencePieceModel = { pieces, unkId: trainer.unkId, bosId: trainer.bosId, eosId: trainer.eosId };
  checkPieces(model, source);
  return model;
}

function readPiece(reader: ProtobufReader): SentencePiece {
  let text = '';
  let score = 0;
  let kind = PIECE_NORMAL;
  while (reader.next()) {
    if (reader.field === 1) text = reader.string();
    else if (reader.field === 2) score = reader.float();
    else if (reader.field === 3) kind = reader.int32();
    else reader.skip();
  }
  return { text, score, kind };
}

/** Numbers of a message, by their fields; of a characters map its length, which is 0 for the identity. */
function readNumbers<K extends string>(
  bytes: Uint8Array,
  names: Readonly<Record<number, K>>,
  into: Record<K, number>,
): void {
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    const name = names[reader.field];
    if (name === undefined) reader.skip();
    else into[name] = name === 'charsMap' ? reader.bytesField().length : reader.int32();
  }
}

function checkPieces(model: SentencePieceModel, source: string): void {
  const seen = new Set<string>();
  let bytePieces = 0;
  for (const [id, piece] of model.pieces.entries()) {
    const where = (): string => `piece ${id} (${JSON.stringify(piece.text.slice(0, 40))})`;
    if (piece.text.length === 0 || piece.text.length > MAX_PIECE_LENGTH) {
      throw unusable(source, `${where()} has ${piece.text.length} characters; expected 1 to ${MAX_PIECE_LENGTH}`);
    }
    if (seen.has(piece.text)) throw unusable(source, `${where()} occurs twice`);
    seen.add(piece.text);
    if (!Number.isFinite(piece.score)) throw unusable(source, `${where()} has the score ${piece.score}`);
    if (piece.kind === PIECE_BYTE) {
      if (!BYTE_PIECE.test(piece.text)) throw unusable(source, `${where()} is a byte piece but not named like <0x0A>`);
      bytePieces++;
    } else if (piece.kind !== PIECE_NORMAL && piece.kind !== PIECE_UNKNOWN && piece.kind !== PIECE_CONTROL) {
      throw unusable(source, `${where()} is of kind ${piece.kind}, which LLaMA models do not have`);
    }
  }
  if (bytePieces !== 256) throw unusable(source, `it has ${bytePieces} byte pieces; expected 256`);
  for (const [name, id, kind] of [
    ['unknown', model.unkId, PIECE_UNKNOWN],
    ['begin-of-text', model.bosId, PIECE_CONTROL],
    ['end-of-text', model.eosId, PIECE_CONTROL],
  ] as const) {
    const piece = model.pieces[id];
    if (piece?.kind !== kind) {
      throw unusable(
        source,
        `its ${name} token has the id ${id}, where there is ${piece ? `a piece of kind ${piece.kind}` : 'no piece'}`,
      );
    }
  }
}

function unusable(source: string, reason: string): UserError {
  return new UserError(
    `Reading the tokenizer: ${source} is not a usable SentencePiece model: ${reason}. ` +
      'Copy the tokenizer.model that was published with the checkpoint again.',
  );
}
