/**
 * First layer with an output that is not finite: the failed computation is repeated, and every layer's inputs and
 * outputs are checked. Slow, for errors only.
 */
import * as tf from '../engine/tf.js';
import { findNotFinite, type NotFinite } from '../finite.js';
import type { CompositeLayer } from './composite-layer.js';

export interface FirstNotFinite {
  /** The layer's hierarchical name; '' is the whole model. */
  readonly path: string;
  /** 'input' where the value came from outside of any layer. */
  readonly side: 'input' | 'output';
  readonly shape: readonly number[];
  readonly found: NotFinite;
  /** Largest magnitude among the layer's inputs; null where unknown. */
  readonly largestInput: number | null;
}

/** Bytes kept for reading where an engine reads asynchronously; beyond, only blocks are kept. */
const MOST_WAITING = 2 ** 30;

/** Every layer but a whole model has one, each with inputs of its own. */
interface WithForward {
  forward: (...inputs: unknown[]) => unknown;
}

type Seen = Pick<FirstNotFinite, 'path' | 'side'> & { readonly tensor: tf.Tensor };

/**
 * @param rerun repeats the computation and leaves no tensor; an error ends it
 * @returns null where everything was finite this time
 */
export async function firstNotFiniteLayer(root: CompositeLayer, rerun: () => unknown): Promise<FirstNotFinite | null> {
  const watcher = tf.getBackend() === 'webgpu' ? new LaterWatcher() : new Watcher();
  const forwards = root.namedLayers().filter(([, layer]) => 'forward' in layer);
  const layers = forwards.map(([path, layer]) => {
    return { path, layer: layer as unknown as WithForward, own: Object.getOwnPropertyDescriptor(layer, 'forward') };
  });
  for (const { path, layer } of layers) {
    const isBlock = layers.some((other) => other.path.startsWith(`${path}.`));
    const original = layer.forward.bind(layer);
    layer.forward = (...inputs): unknown => {
      watcher.watch(path, 'input', inputs, isBlock);
      const output = original(...inputs);
      watcher.watch(path, 'output', output, isBlock);
      return output;
    };
  }
  try {
    await rerun();
  } catch {
    // What it computed until then has been seen.
  } finally {
    for (const { layer, own } of layers) {
      // Without a property of its own, the prototype's comes to light again.
      if (own === undefined) Reflect.deleteProperty(layer, 'forward');
      else Object.defineProperty(layer, 'forward', own);
    }
  }
  return watcher.result();
}

/** Reads synchronously. */
class Watcher {
  protected first: FirstNotFinite | null = null;
  private largest: number | null = null;
  private readonly known = new WeakSet();

  /** @param values inputs or outputs of a layer */
  watch(path: string, side: Seen['side'], values: unknown, isBlock: boolean): void {
    const tensors = floatsIn(values);
    if (side === 'input' && this.first === null && !isBlock) this.largest = this.largestOf(tensors);
    for (const tensor of tensors) this.look({ path, side, tensor }, isBlock);
  }

  result(): Promise<FirstNotFinite | null> {
    return Promise.resolve(this.first);
  }

  protected look(seen: Seen, isBlock: boolean): void {
    if (this.first !== null || this.isKnown(seen.tensor)) return;
    const largestInput = isBlock || seen.side === 'input' ? null : this.largest;
    this.first = judged(seen, seen.tensor.dataSync<'float32'>(), largestInput);
  }

  protected largestOf(tensors: readonly tf.Tensor[]): number | null {
    let largest = 0;
    for (const tensor of tensors) for (const value of tensor.dataSync()) largest = Math.max(largest, Math.abs(value));
    return largest;
  }

  /** The output of one layer is the input of the next. */
  protected isKnown({ dataId }: tf.Tensor): boolean {
    if (this.known.has(dataId)) return true;
    this.known.add(dataId);
    return false;
  }
}

/** Keeps everything and reads after the computation, for engines without synchronous reads. */
class LaterWatcher extends Watcher {
  private readonly waiting: Seen[] = [];
  private bytes = 0;

  override async result(): Promise<FirstNotFinite | null> {
    try {
      for (const seen of this.waiting) {
        this.first ??= judged(seen, await seen.tensor.data<'float32'>(), null);
      }
      return this.first;
    } finally {
      tf.dispose(this.waiting.map(({ tensor }) => tensor));
    }
  }

  protected override look(seen: Seen, isBlock: boolean): void {
    if (this.isKnown(seen.tensor) || (this.bytes > MOST_WAITING && !isBlock)) return;
    this.bytes += 4 * seen.tensor.size;
    this.waiting.push({ ...seen, tensor: tf.keep(tf.clone(seen.tensor)) });
  }

  protected override largestOf(): null {
    return null;
  }
}

function judged({ path, side, tensor }: Seen, data: Float32Array, largestInput: number | null): FirstNotFinite | null {
  const found = findNotFinite(data);
  return found === null ? null : { path, side, shape: [...tensor.shape], found, largestInput };
}

/** All floating-point tensors in the inputs or outputs of a layer. */
function floatsIn(value: unknown): tf.Tensor[] {
  if (value instanceof tf.Tensor) {
    const tensor = value as tf.Tensor;
    return tensor.dtype === 'float32' && !tensor.isDisposed ? [tensor] : [];
  }
  if (Array.isArray(value)) return value.flatMap(floatsIn);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(floatsIn) : [];
}
