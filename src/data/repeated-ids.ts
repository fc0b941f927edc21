/** Ids that must stand once in a list: the second of two entries would silently take the place of the first. */
import { crc32 } from 'node:zlib';

export class RepeatedIds {
  /** The first entry of each id, with its name for a reader; only a checksum of it is kept, since lists may be long. */
  private readonly first = new Map<string | number, { index: number; checksum: number; name: string | null }>();
  /** A sentence for each id that stands twice with different contents: both places and what is there. */
  readonly faults: string[] = [];

  /** @param list its name in the file, such as "images" */
  constructor(private readonly list: string) {}

  has(id: string | number): boolean {
    return this.first.has(id);
  }

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
      const other = nameOf(value);
      const names = earlier.name === null || other === null ? '' : `: ${earlier.name}, ${other}`;
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
