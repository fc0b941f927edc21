/**
 * A writer of the protocol-buffers wire format, as much as event files need: fields one after the other, by number.
 * Source: protobuf.dev/programming-guides/encoding.
 */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export class ProtobufWriter {
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
