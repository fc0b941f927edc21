/** An independent reader of TensorBoard's event files: frames with both CRCs, and the messages in them. */
import { ProtobufReader } from '../../src/data/text/protobuf-reader.js';

export interface ReadEvent {
  readonly step: number;
  readonly version?: string;
  /** SessionLog's status. */
  readonly session?: number;
  readonly scalars: Readonly<Record<string, number>>;
  readonly pictures: Readonly<Record<string, { readonly size: readonly number[]; readonly png: Buffer }>>;
  readonly texts: Readonly<Record<string, string>>;
}

/** CRC-32C bit by bit, then TensorFlow's mask, in BigInt. */
export function slowMaskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** The data of every frame. */
export function readFrames(file: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const head = file.subarray(at, at + 8);
    const length = Number(head.readBigUInt64LE());
    if (file.readUInt32LE(at + 8) !== slowMaskedCrc(head)) throw new Error(`byte ${at}: CRC of the length`);
    const data = file.subarray(at + 12, at + 12 + length);
    if (file.readUInt32LE(at + 12 + length) !== slowMaskedCrc(data)) throw new Error(`byte ${at}: CRC of the data`);
    frames.push(data);
    at += 16 + length;
  }
  return frames;
}

export function readEvents(file: Buffer): ReadEvent[] {
  return readFrames(file).map((frame) => {
    const event = { step: 0, scalars: {}, pictures: {}, texts: {} } as {
      -readonly [K in keyof ReadEvent]: ReadEvent[K];
    };
    eachField(frame, {
      2: (reader) => (event.step = reader.int32()),
      3: (reader) => (event.version = reader.string()),
      7: (reader) => {
        eachField(reader.bytesField(), { 1: (log) => (event.session = log.int32()) });
      },
      5: (reader) => {
        eachField(reader.bytesField(), { 1: (summary) => readValue(summary.bytesField(), event) });
      },
    });
    return event;
  });
}

function readValue(bytes: Uint8Array, { scalars, pictures, texts }: ReadEvent): void {
  let tag = '';
  eachField(bytes, {
    1: (value) => (tag = value.string()),
    2: (value) => ((scalars as Record<string, number>)[tag] = value.float()),
    4: (value) => {
      const size: number[] = [];
      eachField(value.bytesField(), {
        1: (image) => size.push(image.int32()),
        2: (image) => size.push(image.int32()),
        4: (image) => ((pictures as Record<string, unknown>)[tag] = { size, png: Buffer.from(image.bytesField()) }),
      });
    },
    8: (value) => {
      eachField(value.bytesField(), {
        8: (tensor) => ((texts as Record<string, string>)[tag] = tensor.string()),
      });
    },
  });
}

function eachField(bytes: Uint8Array, readers: Readonly<Record<number, (reader: ProtobufReader) => unknown>>): void {
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    const read = readers[reader.field];
    if (read === undefined) reader.skip();
    else read(reader);
  }
}
