/** Decisions by tokens: found or absent? */
import type { Answer, Vocabulary } from '../systems/system.js';

type Decisions = Pick<Vocabulary, 'found' | 'absent'>;

/** Reading of the logits at one position. */
export interface NextToken {
  /** The most probable token. */
  readonly argmax: number;
  /** Probability of "absent" against "found", the softmax over their tokens alone; 0 where no token says "absent". */
  readonly rejectProbability: number;
}

/** @param logits [V] of one position, finite (whoever reads them from the engine sees to it) */
export function readNextToken(logits: Float32Array, { found, absent }: Decisions): NextToken {
  let argmax = 0;
  for (let id = 1; id < logits.length; id++) {
    if ((logits[id] as number) > (logits[argmax] as number)) argmax = id;
  }
  const [first] = absent;
  if (first === undefined) return { argmax, rejectProbability: 0 };
  const reference = logits[first] as number;
  const weight = (ids: readonly number[]): number =>
    ids.reduce((sum, id) => sum + Math.exp((logits[id] as number) - reference), 0);
  const rejecting = weight(absent);
  return { argmax, rejectProbability: rejecting / (rejecting + weight(found)) };
}

/** Decision that a token makes; null for one that decides nothing. */
export function decisionOf(id: number, { found, absent }: Decisions): Answer | null {
  if (found.includes(id)) return 'found';
  return absent.includes(id) ? 'absent' : null;
}

/** Token of a decision, the `place`-th of its answer. */
export function tokenOf(answer: Answer, place: number, { found, absent }: Decisions): number {
  const [id] = answer === 'absent' ? absent : [];
  return id ?? (found[place % found.length] as number);
}

/**
 * The reference's reading of a teacher-forced answer: where the given answer says "absent", any other token counts as
 * "found"; where it says "found", any other counts as "absent". Without tokens that say "absent" all are found: their
 * masks decide.
 */
export function forcedDecision(argmax: number, given: number, decisions: Decisions): Answer {
  if (decisions.absent.length === 0) return 'found';
  const other = decisionOf(given, decisions) === 'absent' ? 'found' : 'absent';
  const own = other === 'found' ? 'absent' : 'found';
  return decisionOf(argmax, decisions) === own ? own : other;
}
