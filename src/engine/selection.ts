/**
 * Order of engines for `auto`: TensorFlow on a GPU, WebGPU on a hardware GPU, TensorFlow on the CPU, OpenBLAS with
 * WASM, WASM alone. A present engine that fails is skipped with a notice, an absent one silently; a requested GPU must
 * be present.
 */
import { UserError, messageOf } from '../errors.js';
import { type DeviceChoice, deviceName } from './device.js';
import { gsvaCommand } from '../program.js';

/** Facts of a running engine that the choice needs. */
export interface Candidate {
  /** Set where the processor does not compute. */
  readonly device?: string;
  readonly notice: string | null;
}

export interface Offer<Started extends Candidate> {
  /** Kind of the installation by `gsva setup tensorflow`, null for none. May throw where it cannot be read. */
  tensorflow(): 'cpu' | 'gpu' | null;
  hasRealGpu(): Promise<boolean>;
  startTensorflow(): Promise<Started>;
  startWebGpu(): Promise<Started>;
  /** Null where there is no BLAS library. */
  startOpenBlas(): Promise<Started | null>;
  startWasm(): Promise<Started>;
}

/** @throws UserError where a GPU was requested and none is present */
export async function startFastest<Started extends Candidate>(device: DeviceChoice, offer: Offer<Started>) {
  if (device?.kind !== 'gpu') return startOnAny(device?.kind === 'cpu', offer);
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
  let tensorflow: 'cpu' | 'gpu' | null = null;
  try {
    tensorflow = offer.tensorflow();
  } catch (error) {
    notices.push(messageOf(error));
  }
  if (tensorflow === 'gpu' && !onlyCpu) {
    const started = await attempt(() => offer.startTensorflow());
    if (started?.device !== undefined) return started;
    if (started === null) tensorflow = null;
  }
  if (!onlyCpu && (await offer.hasRealGpu())) {
    const started = await attempt(() => offer.startWebGpu());
    if (started !== null) return withNotices(started, notices);
  }
  if (tensorflow !== null) {
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
