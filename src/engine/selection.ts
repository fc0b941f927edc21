/**
 * Which engine `auto` takes: TensorFlow on a GPU, WebGPU on a real graphics card, TensorFlow on the CPU, OpenBLAS with
 * WASM, WASM alone. What is there and does not work is passed over with a notice, what is not there without a word; but
 * a GPU that was asked for must be there.
 */
import { UserError, messageOf } from '../errors.js';
import { type DeviceChoice, deviceName } from './device.js';
import { gsvaCommand } from '../program.js';

/** What the choice needs to know of an engine that runs. */
export interface Candidate {
  /** Set where it is not the processor that computes. */
  readonly device?: string;
  readonly notice: string | null;
}

/** What a machine has to offer. */
export interface Offer<Started extends Candidate> {
  /** What `gsva setup tensorflow` has set up, null for nothing. May throw where it cannot be read. */
  tensorflow(): 'cpu' | 'gpu' | null;
  hasRealGpu(): Promise<boolean>;
  startTensorflow(): Promise<Started>;
  startWebGpu(): Promise<Started>;
  /** Null where there is no BLAS library. */
  startOpenBlas(): Promise<Started | null>;
  startWasm(): Promise<Started>;
}

/** Starts the fastest engine that works. @throws UserError where a GPU was asked for and none is there. */
export async function startFastest<Started extends Candidate>(
  device: DeviceChoice,
  offer: Offer<Started>,
): Promise<Started> {
  return device?.kind === 'gpu' ? startOnGpu(device, offer) : startOnAny(device?.kind === 'cpu', offer);
}

async function startOnGpu<Started extends Candidate>(
  device: { readonly kind: 'gpu'; readonly index: number },
  offer: Offer<Started>,
): Promise<Started> {
  if (offer.tensorflow() === 'gpu') return offer.startTensorflow();
  // WebGPU has one graphics card, the fastest.
  if (device.index === 0 && (await offer.hasRealGpu())) return offer.startWebGpu();
  const found = offer.tensorflow() === null ? 'the engine tensorflow is not set up' : 'it was set up for the CPU only';
  throw new UserError(
    `Starting on ${deviceName(device)}: ${found}, and WebGPU has no such graphics card. ` +
      `Run \`${gsvaCommand('setup tensorflow --gpu')}\` for an NVIDIA GPU, or choose --device cpu.`,
  );
}

async function startOnAny<Started extends Candidate>(onlyCpu: boolean, offer: Offer<Started>): Promise<Started> {
  const notices: string[] = [];
  const attempt = async (start: () => Promise<Started | null>): Promise<Started | null> => {
    try {
      return await start();
    } catch (error) {
      notices.push(messageOf(error)); // what is there and does not work is worth knowing; something slower does the work
      return null;
    }
  };
  let isTensorflowThere = false;
  let isForGpu = false;
  try {
    const found = offer.tensorflow();
    [isTensorflowThere, isForGpu] = [found !== null, found === 'gpu'];
  } catch (error) {
    notices.push(messageOf(error));
  }
  if (isForGpu && !onlyCpu) {
    const started = await attempt(() => offer.startTensorflow());
    if (started?.device !== undefined) return started;
    isTensorflowThere = started !== null;
  }
  if (!onlyCpu && (await offer.hasRealGpu())) {
    const started = await attempt(() => offer.startWebGpu());
    if (started !== null) return withNotices(started, notices);
  }
  if (isTensorflowThere) {
    const started = await attempt(() => offer.startTensorflow());
    if (started !== null) return withNotices(started, notices);
  }
  const started = (await attempt(() => offer.startOpenBlas())) ?? (await offer.startWasm());
  return withNotices(started, notices);
}

function withNotices<Started extends Candidate>(started: Started, notices: readonly string[]): Started {
  if (notices.length === 0) return started;
  return { ...started, notice: [...notices, ...(started.notice === null ? [] : [started.notice])].join(' ') };
}
