/**
 * Reader of the protocol-buffers wire format (protobuf.dev/programming-guides/encoding); every length is checked. Its
 * errors do not name the file: the caller knows and wraps them.
 */

/** How a field's value is stored. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Walks over one message: `next()` moves to a field, then exactly one of the read methods or `skip()` takes its value. */
export class ProtobufReader {
  field = 0;
  private wire = 0;

  /** @param position where the message begins, and `end` where it ends, of these bytes */
  constructor(
    private readonly bytes: Uint8Array,
    private position = 0,
    private readonly end = bytes.length,
  ) {}

  /** Moves to the next field; false at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.wire = tag % 8;
    if (tag < 8 || tag > 0xffffffff) throw new Error(`field tag ${tag} at byte ${this.position} is not valid`);
    return true;
  }

  /** A whole number, as a signed 32-bit integer (int32, enum, bool; larger values are cut as protobuf does). */
  int32(): number {
    this.expect(VARINT, 'a whole number');
    return this.varint() | 0;
  }

  float(): number {
    this.expect(FIXED32, 'a 32-bit float');
    const { buffer, byteOffset } = this.bytes;
    return new DataView(buffer, byteOffset).getFloat32(this.take(4), true);
  }

  /** The bytes of a string or nested message: a view, not a copy. */
  bytesField(): Uint8Array {
    const start = this.takeBytes();
    return this.bytes.subarray(start, this.position);
  }

  /** A nested message: a reader of its own on the same bytes. */
  message(): ProtobufReader {
    const start = this.takeBytes();
    return new ProtobufReader(this.bytes, start, this.position);
  }

  string(): string {
    const start = this.takeBytes();
    try {
      return utf8.decode(this.bytes.subarray(start, this.position));
    } catch {
      throw new Error(`the text ending at byte ${this.position} is not UTF-8`);
    }
  }

  /** Passes over the value of a field that is not needed. */
  skip(): void {
    if (this.wire === VARINT) this.varint();
    else if (this.wire === FIXED64) this.take(8);
    else if (this.wire === BYTES) this.take(this.varint());
    else if (this.wire === FIXED32) this.take(4);
    else throw new Error(`wire type ${this.wire} of field ${this.field} is not supported`);
  }

  private expect(wire: number, what: string): void {
    if (this.wire !== wire) throw new Error(`field ${this.field} should hold ${what} but has wire type ${this.wire}`);
  }

  /** Claims the bytes of a string or nested message and returns where they start; they end at the new position. */
  private takeBytes(): number {
    this.expect(BYTES, 'text or a nested message');
    return this.take(this.varint());
  }

  /** Claims `length` bytes and returns where they start. */
  private take(length: number): number {
    const start = this.position;
    const left = this.end - start;
    if (length > left) throw new Error(`field ${this.field} claims ${length} bytes but ${left} are left`);
    this.position = start + length;
    return start;
  }

  /** Base-128 number modulo 2^32 for values that need it: the upper half of a negative int32 carries nothing. */
  private varint(): number {
    let low = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.position];
      if (byte === undefined || this.position >= this.end) throw new Error('the data ends within a number');
      this.position++;
      if (i < 5) low += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return low;
    }
    throw new Error(`the number ending at byte ${this.position} is longer than 10 bytes`);
  }
}
