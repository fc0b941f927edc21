/** Messages of the threads that watch a job: among each other (lines of JSON over TCP) and with their own process. */
import type { Fault } from './watch-judge.js';

/** Places in the memory that a process shares with its watching thread. */
export const SHARED = { update: 0, isWaiting: 1, progress: 2, isFaultTaken: 3 } as const;
export const SHARED_LENGTH = 4;

export interface WatchSettings {
  readonly rank: number;
  readonly size: number;
  readonly host: string;
  readonly pid: number;
  readonly timeoutSeconds: number;
  readonly shared: SharedArrayBuffer;
  /** Strangers do not know it. */
  readonly token: string;
  /** Where rank 0 listens; null on rank 0 itself. */
  readonly server: ServerAddress | null;
  /** Rank 0: listen for this machine only. */
  readonly isLocal: boolean;
}

export interface ServerAddress {
  /** Name of the machine, for people. */
  readonly name: string;
  /** Where it may be reached, best first. */
  readonly hosts: readonly string[];
  readonly port: number;
}

/** From the thread to its process. */
export type ThreadMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** `speaks`: this rank reports to the user. */
  | { readonly kind: 'fault'; readonly fault: Fault; readonly speaks: boolean }
  | { readonly kind: 'closed' };

/** From the process to its thread. */
export type ProcessMessage = { readonly kind: 'close' } | { readonly kind: 'failed'; readonly message: string };

/** From a rank to rank 0. */
export interface RankLine {
  readonly hello?: { readonly token: string; readonly rank: number; readonly host: string; readonly pid: number };
  readonly beat?: { readonly update: number; readonly isWaiting: boolean; readonly progress: number };
  readonly failed?: string;
  readonly bye?: true;
}

/** From rank 0 to a rank. */
export interface ServerLine {
  readonly welcome?: true;
  readonly beat?: true;
  readonly fault?: Fault;
}

/** Longer lines come from strangers. */
const LONGEST_LINE = 16 * 1024;

/** Cuts what arrives into lines; null once something arrives that is no line of ours. */
export function lineReader(): (chunk: Buffer) => (RankLine & ServerLine)[] | null {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) return null;
    try {
      const values = lines.map((line): unknown => JSON.parse(line));
      return values.every((value) => typeof value === 'object' && value !== null) ? values : null;
    } catch {
      return null;
    }
  };
}
