/** Ids that must stand once in a list: the second of two entries would silently take the place of the first. */
import { crc32 } from 'node:zlib';

/** The first entry of an id; of its contents only a checksum is kept, since lists may be long. */
interface FirstUse {
  readonly index: number;
  readonly checksum: number;
  /** Its name for a reader, null where it has none. */
  readonly name: string | null;
}

export class RepeatedIds {
  private readonly first = new Map<string | number, FirstUse>();
  /** A sentence for each id that stands twice with different contents: both places and what is there. */
  readonly faults: string[] = [];

  /** @param list its name in the file, such as "images" */
  constructor(private readonly list: string) {}

  /**
   * Notes an entry; one that repeats an earlier one word for word is no fault.
   * @param value of the entry, an object of JSON
   * @returns whether the id is new
   */
  add(id: string | number, index: number, value: unknown): boolean {
    const checksum = crc32(JSON.stringify(value));
    const earlier = this.first.get(id);
    if (earlier === undefined) {
      this.first.set(id, { index, checksum, name: nameOf(value) });
      return true;
    }
    if (earlier.checksum !== checksum) {
      const { list } = this;
      const [one, other] = [earlier.name, nameOf(value)];
      const names = one === null || other === null ? '' : `: ${one}, ${other}`;
      this.faults.push(`the id ${id} is used twice, by ${list}[${earlier.index}] and ${list}[${index}]${names}`);
    }
    return false;
  }
}

function nameOf(entry: unknown): string | null {
  if (typeof entry !== 'object' || entry === null) return null;
  const { file_name: file, name, coco_url: url } = entry as Record<string, unknown>;
  const known = file ?? name ?? url;
  return typeof known === 'string' ? JSON.stringify(known.slice(0, 100)) : null;
}
