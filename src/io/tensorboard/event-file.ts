/**
 * A TensorBoard event file: TFRecord frames, each with one Event. Written by hand because the only maintained package
 * for it is tfjs-node, by TensorFlow's C++, which most engines here do without; the format is a frame of 16 bytes
 * around five small messages. Every event is flushed at once, so a killed run loses at most half an event, at which
 * readers stop. A resumed run writes a further file; TensorBoard reads files in the order of their names.
 */
import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { type EventContent, encodeEvent } from './event.js';

const NAME = /^events\.out\.tfevents\.(\d{10,})\./;

export class EventFile {
  private constructor(
    readonly path: string,
    private readonly file: number,
  ) {}

  /**
   * Begins a file in `dir`, which is made where missing.
   * @param firstStep the first step of the run; readers forget what earlier files say of it and later ones.
   *   TensorBoard heeds this from the second file on, so every file says it.
   * @throws UserError when it cannot be written
   */
  static create(dir: string, firstStep: number): EventFile {
    try {
      mkdirSync(dir, { recursive: true });
      const path = join(dir, nameIn(dir));
      const events = new EventFile(path, openSync(path, 'ax'));
      events.append(0, { kind: 'version' });
      events.append(firstStep, { kind: 'start' });
      return events;
    } catch (error) {
      throw new UserError(
        `Cannot write TensorBoard's events to ${dir}: ${messageOf(error)}. Check the path, its permissions and the ` +
          'free space.',
      );
    }
  }

  /** @throws the system's error, such as ENOSPC */
  append(step: number, content: EventContent): void {
    const record = frame(encodeEvent(Date.now() / 1000, step, content));
    for (let at = 0; at < record.byteLength;) at += writeSync(this.file, record, at);
  }

  close(): void {
    closeSync(this.file);
  }
}

function nameIn(dir: string): string {
  const times = readdirSync(dir).map((name) => Number(NAME.exec(name)?.[1] ?? 0));
  const time = Math.max(Math.floor(Date.now() / 1000), ...times.map((earlier) => earlier + 1));
  return `events.out.tfevents.${String(time).padStart(10, '0')}.${hostname()}.${process.pid}`;
}

/** Length (64 bits), its CRC, the data, its CRC. */
function frame(data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.byteLength));
  head.writeUInt32LE(maskedCrc32c(head.subarray(0, 8)), 8);
  const foot = Buffer.alloc(4);
  foot.writeUInt32LE(maskedCrc32c(data));
  return Buffer.concat([head, data, foot]);
}

const POLYNOMIAL = 0x82f63b78; // reflected

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 255] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Rotated and shifted, because the CRC of data that holds CRCs is a poor check (TensorFlow, core/lib/hash/crc32c.h). */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
