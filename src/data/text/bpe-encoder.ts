/**
 * Byte-pair encoding as in SentencePiece (bpe_model.cc): the neighbours of best rank, leftmost first, merge until none
 * is left; a symbol that is no piece becomes its UTF-8 bytes. One merge costs log(length). Without pieces that have "▁"
 * behind another character no merge crosses words: words are encoded one by one and remembered.
 */

/** "▁" (U+2581), SentencePiece's visible space. */
export const SPACE_SYMBOL = '\u2581';

/** Rank at which text[start, middle) and text[middle, end) merge: the lower, the earlier; undefined: never. */
export type MergeOrder = (text: string, start: number, middle: number, end: number) => number | undefined;

export interface BpeTables {
  /** Ids of the pieces that a symbol can become. */
  readonly pieces: ReadonlyMap<string, number>;
  readonly bytes: readonly number[];
  readonly order: MergeOrder;
}

/** Words that are remembered, and their greatest length: what prose repeats, some MB at most. */
const MOST_WORDS = 50_000;
const LONGEST_WORD = 40;

const utf8 = new TextEncoder();

export class BpeEncoder {
  private readonly words = new Map<string, readonly number[]>();
  private readonly cutsWords: boolean;
  private readonly agenda = new Agenda();
  /** Symbol i begins at its character's place; ends[i] is where it ends, 0 once it is merged into another. */
  private ends = new Int32Array(256);
  /** Where the symbol before begins; -1 for the first. */
  private before = new Int32Array(256);

  constructor(private readonly tables: BpeTables) {
    this.cutsWords = ![...tables.pieces.keys()].some(hasInnerSpace);
  }

  /** Appends the ids of a text, in which "▁" stands for every space. */
  encode(text: string, out: number[]): void {
    if (!this.cutsWords) {
      this.merge(text, out);
      return;
    }
    for (let start = 0; start < text.length;) {
      const end = wordEnd(text, start);
      const word = text.slice(start, end);
      start = end;
      const known = this.words.get(word);
      if (known !== undefined) {
        for (const id of known) out.push(id);
        continue;
      }
      const from = out.length;
      this.merge(word, out);
      if (word.length > LONGEST_WORD) continue;
      if (this.words.size >= MOST_WORDS) this.words.clear();
      this.words.set(word, out.slice(from));
    }
  }

  private merge(text: string, out: number[]): void {
    const { length } = text;
    if (length >= this.ends.length) {
      this.ends = new Int32Array(2 * length);
      this.before = new Int32Array(2 * length);
    }
    const { ends, before, agenda } = this;
    let previous = -1;
    for (let at = 0; at < length;) {
      const end = at + characterLength(text, at);
      ends[at] = end;
      before[at] = previous;
      previous = at;
      at = end;
    }
    for (let at = 0; at < length; at = ends[at] as number) this.consider(text, at);
    while (agenda.pop()) {
      const { start, middle, end } = agenda;
      // Passed over where one of the two has been merged in the meantime.
      if (ends[start] !== middle || ends[middle] !== end) continue;
      ends[start] = end;
      ends[middle] = 0;
      before[end] = start;
      this.consider(text, before[start] as number);
      this.consider(text, start);
    }
    for (let at = 0; at < length; at = ends[at] as number) this.push(text.slice(at, ends[at]), out);
  }

  /** Puts the merge of the symbol at `start` and the next one on the agenda, where there is one. */
  private consider(text: string, start: number): void {
    if (start < 0) return;
    const middle = this.ends[start] as number;
    if (middle >= text.length) return;
    const end = this.ends[middle] as number;
    const rank = this.tables.order(text, start, middle, end);
    if (rank !== undefined) this.agenda.push(rank, start, middle, end);
  }

  private push(symbol: string, out: number[]): void {
    const id = this.tables.pieces.get(symbol);
    if (id !== undefined) {
      out.push(id);
      return;
    }
    for (const byte of utf8.encode(symbol)) out.push(this.tables.bytes[byte] as number);
  }
}

/** Candidates for a merge, the next one first: a binary heap by rank, then by place. */
class Agenda {
  private size = 0;
  private ranks = new Float64Array(64);
  private places = new Int32Array(64 * 3);
  start = 0;
  middle = 0;
  end = 0;

  push(rank: number, start: number, middle: number, end: number): void {
    if (this.size === this.ranks.length) this.grow();
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(rank, start, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, rank, start, middle, end);
  }

  /** Takes the first candidate into start, middle, end; false where there is none. */
  pop(): boolean {
    if (this.size === 0) return false;
    const { places } = this;
    this.start = places[0] as number;
    this.middle = places[1] as number;
    this.end = places[2] as number;
    const last = --this.size;
    const rank = this.ranks[last] as number;
    const start = places[3 * last] as number;
    const middle = places[3 * last + 1] as number;
    const end = places[3 * last + 2] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last && this.isBefore(this.ranks[right] as number, places[3 * right] as number, child)) child = right;
      if (this.isBefore(rank, start, child)) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, rank, start, middle, end);
    return true;
  }

  private isBefore(rank: number, start: number, other: number): boolean {
    const otherRank = this.ranks[other] as number;
    return rank < otherRank || (rank === otherRank && start < (this.places[3 * other] as number));
  }

  private move(from: number, to: number): void {
    this.ranks[to] = this.ranks[from] as number;
    this.places[3 * to] = this.places[3 * from] as number;
    this.places[3 * to + 1] = this.places[3 * from + 1] as number;
    this.places[3 * to + 2] = this.places[3 * from + 2] as number;
  }

  private put(at: number, rank: number, start: number, middle: number, end: number): void {
    this.ranks[at] = rank;
    this.places[3 * at] = start;
    this.places[3 * at + 1] = middle;
    this.places[3 * at + 2] = end;
  }

  private grow(): void {
    const ranks = new Float64Array(2 * this.ranks.length);
    ranks.set(this.ranks);
    const places = new Int32Array(2 * this.places.length);
    places.set(this.places);
    [this.ranks, this.places] = [ranks, places];
  }
}

/** Where the word that begins at `start` ends: before the next "▁" that follows another character. */
function wordEnd(text: string, start: number): number {
  let at = start;
  while (text.startsWith(SPACE_SYMBOL, at)) at++;
  const next = text.indexOf(SPACE_SYMBOL, at);
  return next < 0 ? text.length : next;
}

/** "▁" behind another character. */
function hasInnerSpace(piece: string): boolean {
  const last = piece.lastIndexOf(SPACE_SYMBOL);
  if (last <= 0) return false;
  for (let at = 0; at < last; at++) if (!piece.startsWith(SPACE_SYMBOL, at)) return true;
  return false;
}

/** UTF-16 units of the character at `index`: 2 beyond the basic plane. */
export function characterLength(text: string, index = 0): number {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit < 0xdc00 && (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}
