/** Which rank of a job is at fault, if any, by what is known of each. Plain data; the clock is passed in. */

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
