/** Which rank of a job is at fault, if any, by what is known of each; and the messages of the threads that watch it. */

/** Status of a rank. Times are in seconds. */
export interface RankStatus {
  readonly rank: number;
  readonly host: string;
  readonly pid: number;
  /** Whether its connection is open. */
  isConnected: boolean;
  /** It has said that it is done. */
  hasLeft: boolean;
  /** It has said why it ends. */
  failure: string | null;
  update: number;
  /** It is in an exchange and waits for the others. */
  isWaiting: boolean;
  /** A number that changes as long as it gets on. */
  progress: number;
  /** When it was last heard of, and when `progress` last changed. */
  heardAt: number;
  progressAt: number;
}

export interface Fault {
  /** Who is at fault; -1 where it is nobody in particular. */
  readonly rank: number;
  readonly message: string;
}

/** A rank that hears nothing, or does not get on, for `timeout` seconds counts as hung; one that is gone, as dead. */
export function judge(statuses: readonly RankStatus[], now: number, timeout: number): Fault | null {
  const present = statuses.filter(({ hasLeft }) => !hasLeft);
  for (const status of present) {
    const what = faultOf(status, now, timeout);
    if (what !== null) return { rank: status.rank, message: describe(status, `${what} (process ${status.pid})`) };
  }
  const [first] = present;
  const allWait = present.every(({ isWaiting, progressAt }) => isWaiting && now - progressAt > timeout);
  if (first === undefined || !allWait) return null;
  const hosts = [...new Set(present.map(({ host }) => host))].join(', ');
  const message =
    `all ranks have been in the same exchange for more than ${timeout} s, in update ${first.update + 1}: the network ` +
    `between ${hosts} does not work for MPI`;
  return { rank: -1, message };
}

function faultOf(status: RankStatus, now: number, timeout: number): string | null {
  if (status.failure !== null) return `failed: ${status.failure}`;
  if (!status.isConnected) return 'is dead: its process ended without a word (killed, out of memory, or crashed)';
  const silence = now - status.heardAt;
  if (silence > timeout) {
    return `hangs: no sign of life for ${silence.toFixed(0)} s (its process is stopped, or its machine or network is down)`;
  }
  const standstill = now - status.progressAt;
  if (!status.isWaiting && standstill > timeout) {
    return `hangs: it runs, but has not got on for ${standstill.toFixed(0)} s while others may wait for it`;
  }
  return null;
}

/** "rank 3 on node7, in update 12, is dead: …". */
export function describe({ rank, host, update }: Pick<RankStatus, 'rank' | 'host' | 'update'>, what: string): string {
  return `rank ${rank} on ${host}, in update ${update + 1}, ${what}`;
}

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
