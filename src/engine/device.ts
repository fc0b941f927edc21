/** Device of an engine: `--device cpu|gpu|gpu:1`, or the environment's GSVA_DEVICE. */
import { UsageError, UserError } from '../errors.js';

/** Null: a GPU before the CPU. */
export type DeviceChoice = { readonly kind: 'cpu' } | { readonly kind: 'gpu'; readonly index: number } | null;

/** @throws UsageError for anything but cpu, gpu, gpu:NUMBER (gpu is gpu:0); '' and undefined are no choice. */
export function parseDevice(text: string | undefined): DeviceChoice {
  if (text === undefined || text === '') return null;
  if (text === 'cpu') return { kind: 'cpu' };
  const match = /^gpu(?::(\d{1,3}))?$/.exec(text);
  const known = 'cpu, gpu or gpu:NUMBER (gpu:0 is the first)';
  if (match === null) throw new UsageError(`Unknown device '${text}'. Choose ${known}`);
  return { kind: 'gpu', index: Number(match[1] ?? 0) };
}

/** 'cpu', 'gpu:1'. */
export function deviceName(choice: NonNullable<DeviceChoice>): string {
  return choice.kind === 'cpu' ? 'cpu' : `gpu:${choice.index}`;
}

/**
 * CUDA_VISIBLE_DEVICES for the chosen device alone: tfjs-node computes on the last visible GPU.
 * @param visible the user's value: numbers or ids, of which gpu:1 is the second; undefined where unset
 * @throws UserError where it hides the requested GPU
 */
export function cudaVisibleDevices(choice: DeviceChoice, visible: string | undefined): string {
  if (choice?.kind === 'cpu') return '-1';
  const index = choice?.index ?? 0;
  if (visible === undefined) return String(index);
  const listed = visible.split(',').map((entry) => entry.trim());
  // CUDA's rule: the list ends at the first entry that is no device.
  const end = listed.findIndex((entry) => entry === '' || entry.startsWith('-'));
  const device = (end < 0 ? listed : listed.slice(0, end))[index];
  if (device !== undefined) return device;
  if (choice === null) return '-1';
  throw new UserError(
    `Starting on ${deviceName(choice)}: the environment's CUDA_VISIBLE_DEVICES is "${visible}", which does not show ` +
      `this GPU. Unset it, or choose --device cpu.`,
  );
}
