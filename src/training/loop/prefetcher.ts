/** Prepares items ahead of their use, in order, at most `depth` at a time, so that memory stays bounded. */

export class Prefetcher<T> {
  private readonly pending: Promise<T>[] = [];
  private closed = false;

  /**
   * @param produce makes the item of a position @param start of the first item @param end behind the last item @param
   * depth items in preparation or ready, at least 1 @param release frees an item that was never taken
   */
  constructor(
    private readonly produce: (position: number) => Promise<T>,
    private start: number,
    private end: number,
    private readonly depth: number,
    private readonly release: (item: T) => void,
  ) {
    this.fill();
  }

  /** The next item; rejects with what `produce` threw for it. The caller owns the item. */
  async next(): Promise<T> {
    if (this.closed) throw new Error('Prefetcher.next: it is closed');
    this.fill();
    const item = this.pending.shift();
    if (item === undefined) throw new Error('Prefetcher.next: there is no further item');
    try {
      return await item;
    } finally {
      this.fill();
    }
  }

  /** One more item is to be prepared at the end. */
  extend(): void {
    this.end++;
    this.fill();
  }

  /** Waits for what is in preparation and releases it. */
  async close(): Promise<void> {
    this.closed = true;
    for (const result of await Promise.allSettled(this.pending.splice(0))) {
      if (result.status === 'fulfilled') this.release(result.value);
    }
  }

  private fill(): void {
    while (!this.closed && this.start < this.end && this.pending.length < this.depth) {
      const item = this.produce(this.start++);
      // The error is reported when the item's turn comes; until then it must not count as unhandled.
      item.catch(() => undefined);
      this.pending.push(item);
    }
  }
}
