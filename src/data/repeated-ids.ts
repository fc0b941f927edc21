/** Ids that must stand once in a list: the second of two entries would silently take the place of the first. */

interface FirstUse {
  readonly index: number;
  /** The entry as text, made when the id comes again. */
  readonly value: unknown;
}

export class RepeatedIds {
  private readonly first = new Map<string | number, FirstUse>();
  /** A sentence for each id that stands twice with different contents: both places and what is there. */
  readonly faults: string[] = [];

  /** @param list its name in the file, such as "images" */
  constructor(private readonly list: string) {}

  /**
   * Notes an entry; one that repeats an earlier one word for word is no fault.
   * @returns whether the id is new
   */
  add(id: string | number, index: number, value: unknown): boolean {
    const earlier = this.first.get(id);
    if (earlier === undefined) {
      this.first.set(id, { index, value });
      return true;
    }
    if (JSON.stringify(earlier.value) !== JSON.stringify(value)) {
      const { list } = this;
      this.faults.push(
        `the id ${id} is used twice, by ${list}[${earlier.index}] and ${list}[${index}]: ` +
          `${named(earlier.value)}, ${named(value)}`,
      );
    }
    return false;
  }
}

/** What a reader knows the entry by. */
function named(entry: unknown): string {
  const {
    file_name: file,
    name,
    image_id: image,
    category_id: category,
    coco_url: url,
  } = entry as Record<string, unknown>;
  const known = file ?? name ?? url;
  if (typeof known === 'string') return JSON.stringify(known.slice(0, 100));
  return image === undefined ? 'another entry' : `image ${String(image)}, category ${String(category)}`;
}
