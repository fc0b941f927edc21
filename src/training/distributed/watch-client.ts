/** A rank's connection to rank 0, which judges all; the rank itself judges rank 0 alone. */
import { connect, type Socket } from 'node:net';
import { describe, lineReader, SHARED } from './watch-judge.js';
import type { Fault, RankLine, ServerAddress, ServerLine, ThreadMessage, WatchSettings } from './watch-judge.js';

const TO_CONNECT_MS = 5000;
/** Often enough that a rank which dies has just said in which update it was. */
const BEAT_MS = 250;

export class WatchClient {
  private readonly shared: Int32Array;
  private socket: Socket | null = null;
  private timer: NodeJS.Timeout | null = null;
  private heardAt = performance.now();
  private isOver = false;

  constructor(
    private readonly settings: WatchSettings,
    private readonly tell: (message: ThreadMessage) => void,
    private readonly onFault: (fault: Fault, speaks: boolean) => void,
  ) {
    this.shared = new Int32Array(settings.shared);
    if (settings.server !== null) void this.connectTo(settings.server);
  }

  failed(message: string): void {
    this.isOver = true;
    this.send({ failed: message });
  }

  async close(): Promise<void> {
    this.isOver = true;
    if (this.timer !== null) clearInterval(this.timer);
    const { socket } = this;
    if (socket === null || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => {
        resolve();
      });
      socket.end(`${JSON.stringify({ bye: true } satisfies RankLine)}\n`);
    });
  }

  private async connectTo({ hosts, port }: ServerAddress): Promise<void> {
    const reasons: string[] = [];
    for (const host of hosts) {
      try {
        this.start(await open(host, port));
        return;
      } catch (error) {
        reasons.push(`${host}:${port}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.tell({ kind: 'unreachable', reason: reasons.join('; ') });
  }

  private start(socket: Socket): void {
    this.socket = socket;
    const { token, rank, host, pid, timeoutSeconds } = this.settings;
    const read = lineReader();
    socket.on('data', (chunk) => {
      this.heardAt = performance.now();
      for (const line of read(chunk) ?? []) this.take(line);
    });
    socket.on('close', () => {
      this.judgeServer('is dead: its process ended without a word (killed, out of memory, or crashed)');
    });
    this.send({ hello: { token, rank, host, pid } });
    const period = periodMs(timeoutSeconds);
    let before = performance.now();
    this.timer = setInterval(
      () => {
        const now = performance.now();
        // This process itself was stopped for a while: nothing could be heard.
        if (now - before > 3 * period) this.heardAt = now;
        before = now;
        this.send({ beat: readBeat(this.shared) });
        if (now - this.heardAt > timeoutSeconds * 1000) {
          this.judgeServer(`hangs: no sign of life for ${((now - this.heardAt) / 1000).toFixed(0)} s`);
        }
      },
      Math.min(BEAT_MS, period),
    );
  }

  private take(line: ServerLine): void {
    if (line.welcome === true) this.tell({ kind: 'ready' });
    if (line.fault === undefined) return;
    const wasOver = this.isOver;
    this.isOver = true;
    if (!wasOver) this.onFault(line.fault, line.fault.rank === 0 && this.settings.rank === 1);
  }

  private judgeServer(what: string): void {
    if (this.isOver) return;
    this.isOver = true;
    const host = this.settings.server?.name ?? '';
    const update = Atomics.load(this.shared, SHARED.update);
    this.onFault({ rank: 0, message: describe({ rank: 0, host, update }, what) }, this.settings.rank === 1);
  }

  private send(line: RankLine): void {
    if (this.socket?.writable === true) this.socket.write(`${JSON.stringify(line)}\n`);
  }
}

/** How often the ranks are judged. */
export function periodMs(timeoutSeconds: number): number {
  return Math.max(50, Math.min(2000, timeoutSeconds * 100));
}

/** How far this process is, from the memory that it shares. */
export function readBeat(shared: Int32Array): NonNullable<RankLine['beat']> {
  return {
    update: Atomics.load(shared, SHARED.update),
    isWaiting: Atomics.load(shared, SHARED.isWaiting) !== 0,
    progress: Atomics.load(shared, SHARED.progress),
  };
}

function open(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), TO_CONNECT_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
    // Stays: a connection that breaks later is seen by its 'close'.
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
