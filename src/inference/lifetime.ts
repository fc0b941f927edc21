/** The time in which something may be used: freed when it is disposed and the last call that uses it has ended. */
import { UserError } from '../errors.js';

export class Lifetime {
  private users = 0;
  private isOver = false;
  private isFreed = false;
  private readonly waiting: (() => void)[] = [];

  /** @param name of what is used, for errors: 'model' @param free called once */
  constructor(
    private readonly name: string,
    private readonly free: () => void,
  ) {}

  /** Does work that uses it. @throws UserError with the code 'disposed' where it was disposed before */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.isOver) {
      throw new UserError(
        `this ${this.name} was disposed; ${this.name === 'model' ? 'load it again' : 'encode the picture again'}`,
        'disposed',
      );
    }
    this.users++;
    try {
      return await work();
    } finally {
      this.users--;
      this.freeWhenUnused();
    }
  }

  /** No call begins from here on; those that run end as they would have. Doing it twice does no harm. */
  dispose(): void {
    this.isOver = true;
    this.freeWhenUnused();
  }

  /** As `dispose`, and waits until it is freed. */
  async disposed(): Promise<void> {
    this.dispose();
    if (!this.isFreed) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private freeWhenUnused(): void {
    if (!this.isOver || this.isFreed || this.users > 0) return;
    this.isFreed = true;
    this.free();
    for (const resolve of this.waiting) resolve();
  }
}
