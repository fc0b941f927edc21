/** On rank 0: takes the connections of all ranks, keeps what is known of each, judges, and tells all of a fault. */
import { createServer, type Server, type Socket } from 'node:net';
import { periodMs, readBeat } from './watch-client.js';
import { judge, lineReader } from './watch-judge.js';
import type { Fault, RankLine, RankStatus, ServerLine, ThreadMessage, WatchSettings } from './watch-judge.js';

/** How long rank 0 waits at the end for the others' farewell. */
const TO_LEAVE_MS = 5000;

const seconds = (): number => performance.now() / 1000;

export class WatchServer {
  private readonly shared: Int32Array;
  private readonly statuses = new Map<number, RankStatus>();
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private readonly timer: NodeJS.Timeout;
  private judgedAt = seconds();
  private isOver = false;

  constructor(
    private readonly settings: WatchSettings,
    tell: (message: ThreadMessage) => void,
    private readonly onFault: (fault: Fault, speaks: boolean) => void,
  ) {
    this.shared = new Int32Array(settings.shared);
    this.enter(0, settings.host, settings.pid);
    this.server = createServer({ noDelay: true }, (socket) => {
      this.accept(socket);
    });
    this.server.listen(0, settings.isLocal ? '127.0.0.1' : undefined, () => {
      const address = this.server.address();
      tell({ kind: 'listening', port: typeof address === 'object' && address !== null ? address.port : 0 });
    });
    this.timer = setInterval(() => {
      this.judge();
    }, periodMs(settings.timeoutSeconds));
  }

  failed(message: string): void {
    const own = this.statuses.get(0);
    if (own !== undefined) own.failure = message;
    this.judge();
  }

  async close(): Promise<void> {
    const end = seconds() + TO_LEAVE_MS / 1000;
    while (this.sockets.size > 0 && seconds() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    this.isOver = true;
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private accept(socket: Socket): void {
    let status: RankStatus | null = null;
    const read = lineReader();
    this.sockets.add(socket);
    socket.on('error', () => undefined); // its 'close' follows
    socket.on('data', (chunk) => {
      for (const line of read(chunk) ?? [null]) {
        status ??= this.greet(socket, line);
        if (line === null || status === null) {
          socket.destroy();
          return;
        }
        this.take(status, line);
      }
    });
    socket.on('close', () => {
      this.sockets.delete(socket);
      if (status === null) return;
      status.isConnected = false;
      this.judge();
    });
  }

  /** The rank that introduces itself; null for strangers. */
  private greet(socket: Socket, line: RankLine | null): RankStatus | null {
    const hello = line?.hello;
    if (hello?.token !== this.settings.token || !Number.isInteger(hello.rank)) return null;
    send(socket, { welcome: true });
    return this.enter(hello.rank, hello.host, hello.pid);
  }

  private enter(rank: number, host: string, pid: number): RankStatus {
    const now = seconds();
    const status: RankStatus = {
      ...{ rank, host, pid, isConnected: true, hasLeft: false, failure: null },
      ...{ update: 0, isWaiting: false, progress: 0, heardAt: now, progressAt: now },
    };
    this.statuses.set(rank, status);
    return status;
  }

  private take(status: RankStatus, { beat, failed, bye }: RankLine): void {
    const now = seconds();
    status.heardAt = now;
    if (bye === true) status.hasLeft = true;
    if (failed !== undefined) {
      status.failure = failed;
      this.judge();
    }
    if (beat === undefined) return;
    if (beat.progress !== status.progress || beat.isWaiting !== status.isWaiting) status.progressAt = now;
    Object.assign(status, beat);
  }

  private judge(): void {
    if (this.isOver) return;
    const { timeoutSeconds } = this.settings;
    const now = seconds();
    const own = this.statuses.get(0);
    if (own !== undefined) this.take(own, { beat: readBeat(this.shared) });
    if (now - this.judgedAt > (3 * periodMs(timeoutSeconds)) / 1000) {
      // This process itself was stopped for a while: what the others have said meanwhile is still to be read.
      for (const status of this.statuses.values()) status.heardAt = status.progressAt = now;
    }
    this.judgedAt = now;
    const fault = judge([...this.statuses.values()], now, timeoutSeconds);
    for (const socket of this.sockets) send(socket, fault === null ? { beat: true } : { fault });
    if (fault === null) return;
    this.isOver = true;
    this.onFault(fault, true);
  }
}

function send(socket: Socket, line: ServerLine): void {
  if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
}
