/**
 * The messages of TensorBoard's event files. Fields and numbers: tensorflow/core/util/event.proto and
 * framework/{summary,tensor,tensor_shape,types}.proto; only what is written here is named here.
 */

/** Content of an event. */
export type EventContent =
  /** The first event of every file. */
  | { readonly kind: 'version' }
  /** The run begins or resumes at this step: content of earlier files from there on is to be forgotten. */
  | { readonly kind: 'start' }
  | { readonly kind: 'scalars'; readonly values: Readonly<Record<string, number>> }
  | { readonly kind: 'picture'; readonly tag: string; readonly png: Buffer }
  /** Markdown. */
  | { readonly kind: 'text'; readonly tag: string; readonly text: string };

const FILE_VERSION = 'brain.Event:2';
const SESSION_START = 1;
const RGB = 3;
/** Offset of width and height in a PNG file. */
const PNG_SIZES = 16;
const DT_STRING = 7;
const DATA_CLASS_TENSOR = 2;

/** @param wallTime seconds since 1970 @param step updates done */
export function encodeEvent(wallTime: number, step: number, content: EventContent): Buffer {
  const event = new ProtobufWriter().double(1, wallTime);
  if (step > 0) event.whole(2, step);
  switch (content.kind) {
    case 'version':
      return event.bytes(3, FILE_VERSION).finish();
    case 'start':
      return event.bytes(7, new ProtobufWriter().whole(1, SESSION_START)).finish();
    case 'scalars': {
      const message = new ProtobufWriter();
      for (const [tag, value] of Object.entries(content.values)) message.bytes(1, tagged(tag).float(2, value));
      return event.bytes(5, message).finish();
    }
    case 'picture': {
      const { tag, png } = content;
      const [width, height] = [png.readUInt32BE(PNG_SIZES), png.readUInt32BE(PNG_SIZES + 4)];
      const image = new ProtobufWriter().whole(1, height).whole(2, width).whole(3, RGB).bytes(4, png);
      return event.bytes(5, new ProtobufWriter().bytes(1, tagged(tag).bytes(4, image))).finish();
    }
    case 'text': {
      const plugin = new ProtobufWriter().bytes(1, 'text');
      const metadata = new ProtobufWriter().bytes(1, plugin).whole(4, DATA_CLASS_TENSOR);
      // A scalar of strings: an empty shape.
      const tensor = new ProtobufWriter().whole(1, DT_STRING).bytes(2, '').bytes(8, content.text);
      const value = tagged(content.tag).bytes(9, metadata).bytes(8, tensor);
      return event.bytes(5, new ProtobufWriter().bytes(1, value)).finish();
    }
  }
}

/** A value of a summary, its name set. */
function tagged(tag: string): ProtobufWriter {
  return new ProtobufWriter().bytes(1, tag);
}

/** Protocol-buffers wire format as far as event files need it (protobuf.dev/programming-guides/encoding). */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

class ProtobufWriter {
  private readonly pieces: Uint8Array[] = [];

  /** A whole number from 0 up (int32, int64, enum). */
  whole(field: number, value: number): this {
    return this.tag(field, VARINT).varint(value);
  }

  double(field: number, value: number): this {
    const piece = Buffer.alloc(8);
    piece.writeDoubleLE(value);
    return this.tag(field, FIXED64).add(piece);
  }

  float(field: number, value: number): this {
    const piece = Buffer.alloc(4);
    // Beyond float32's range a number is infinite; writeFloatLE does not check.
    piece.writeFloatLE(value);
    return this.tag(field, FIXED32).add(piece);
  }

  /** A string, bytes, or a nested message. */
  bytes(field: number, value: string | Uint8Array | ProtobufWriter): this {
    const piece =
      value instanceof ProtobufWriter ? value.finish() : typeof value === 'string' ? Buffer.from(value) : value;
    return this.tag(field, BYTES).varint(piece.byteLength).add(piece);
  }

  finish(): Buffer {
    return Buffer.concat(this.pieces);
  }

  private tag(field: number, wire: number): this {
    return this.varint(8 * field + wire);
  }

  private varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`ProtobufWriter: ${value} is no whole number`);
    const bytes: number[] = [];
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
    return this.add(Uint8Array.from(bytes));
  }

  private add(piece: Uint8Array): this {
    this.pieces.push(piece);
    return this;
  }
}
