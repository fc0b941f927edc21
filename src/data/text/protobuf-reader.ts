/** Reader of the protocol-buffers wire format (protobuf.dev/programming-guides/encoding); every length is checked. */

/** The bytes do not follow the wire format. The caller knows the file's name and wraps it. */
export class ProtobufError extends Error {
  override readonly name: string = 'ProtobufError';
}

/** How a field's value is stored. */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
export const WIRE_FIXED32 = 5;

/** View of one float, shared: a view per message takes longer than all else. */
const scratch = new DataView(new ArrayBuffer(4));

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Walks over one message: `next()` moves to a field, then exactly one of the read methods or `skip()` takes its value. */
export class ProtobufReader {
  field = 0;
  /** Wire type of the current field. */
  wire = 0;

  private readonly bytes: Buffer;

  /** @param position where the message begins, and `end` where it ends, of these bytes */
  constructor(
    bytes: Uint8Array,
    private position = 0,
    private readonly end = bytes.length,
  ) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (tag < 8 || tag > 0xffffffff) throw new ProtobufError(`field tag ${tag} at byte ${this.position} is not valid`);
    return true;
  }

  /** A whole number, as a signed 32-bit integer (int32, enum, bool; larger values are cut as protobuf does). */
  int32(): number {
    this.expect(WIRE_VARINT, 'a whole number');
    return this.varint() | 0;
  }

  float(): number {
    this.expect(WIRE_FIXED32, 'a 32-bit float');
    const start = this.take(4);
    for (let i = 0; i < 4; i++) scratch.setUint8(i, this.bytes[start + i] as number);
    return scratch.getFloat32(0, true);
  }

  /** The bytes of a string or nested message: a view, not a copy. */
  bytesField(): Uint8Array {
    this.expect(WIRE_BYTES, 'text or a nested message');
    const length = this.varint();
    const start = this.take(length);
    return this.bytes.subarray(start, start + length);
  }

  /** A nested message: a reader of its own on the same bytes. */
  message(): ProtobufReader {
    this.expect(WIRE_BYTES, 'text or a nested message');
    const length = this.varint();
    const start = this.take(length);
    return new ProtobufReader(this.bytes, start, start + length);
  }

  string(): string {
    this.expect(WIRE_BYTES, 'text or a nested message');
    const length = this.varint();
    const start = this.take(length);
    const text = this.bytes.toString('utf8', start, start + length);
    // The replacement character stands for damage, or for itself; a strict decoder for each text takes long.
    if (text.includes('\ufffd')) {
      try {
        utf8.decode(this.bytes.subarray(start, start + length));
      } catch {
        throw new ProtobufError(`the text ending at byte ${this.position} is not UTF-8`);
      }
    }
    return text;
  }

  /** Passes over the value of a field that is not needed. */
  skip(): void {
    if (this.wire === WIRE_VARINT) this.varint();
    else if (this.wire === WIRE_FIXED64) this.take(8);
    else if (this.wire === WIRE_BYTES) this.take(this.varint());
    else if (this.wire === WIRE_FIXED32) this.take(4);
    else throw new ProtobufError(`wire type ${this.wire} of field ${this.field} is not supported`);
  }

  private expect(wire: number, what: string): void {
    if (this.wire !== wire)
      throw new ProtobufError(`field ${this.field} should hold ${what} but has wire type ${this.wire}`);
  }

  /** Claims `length` bytes and returns where they start. */
  private take(length: number): number {
    const start = this.position;
    const left = this.end - start;
    if (length > left) throw new ProtobufError(`field ${this.field} claims ${length} bytes but ${left} are left`);
    this.position = start + length;
    return start;
  }

  /** Base-128 number modulo 2^32 for values that need it: the upper half of a negative int32 carries nothing. */
  private varint(): number {
    let low = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.position];
      if (byte === undefined || this.position >= this.end) throw new ProtobufError('the data ends within a number');
      this.position++;
      if (i < 5) low += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return low;
    }
    throw new ProtobufError(`the number ending at byte ${this.position} is longer than 10 bytes`);
  }
}
