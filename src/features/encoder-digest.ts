/** Digests of encoders: two with the same digest compute the same features of every image. */
import { type Hash, createHash } from 'node:crypto';
import type { CompositeLayer } from '../nn/composite-layer.js';
import type { EncodingModel } from './image-features.js';

/** SHA-256 of sizes and weights in hexadecimal, by encoder name. */
export type EncoderDigests = Readonly<Record<string, string>>;

/** Reads all weights of the encoders once: some 2 s for the published ones (3.7 GB). */
export async function encoderDigests({ encoders }: EncodingModel): Promise<EncoderDigests> {
  const digests: Record<string, string> = {};
  for (const [name, encoder] of Object.entries(encoders)) digests[name] = await digestOf(encoder);
  return digests;
}

async function digestOf(encoder: CompositeLayer): Promise<string> {
  // A layer's name counts the layers made before it, and whether it trains now changes nothing of what it computes.
  const config = { ...encoder.getConfig(), name: null, trainable: null };
  const hash = createHash('sha256').update(JSON.stringify([encoder.getClassName(), Object.entries(config).sort()]));
  for (const [name, { variable }] of encoder.namedParameters()) {
    hash.update(`\n${name} F32 ${JSON.stringify(variable.shape)}\n`);
    update(hash, await variable.read().data<'float32'>());
  }
  for (const [name, { matrix }] of encoder.packedParameters()) {
    hash.update(`\n${name} ${matrix.dtype} ${JSON.stringify([matrix.rows, matrix.columns])}\n`);
    for (const { first, count } of matrix.blocks()) update(hash, matrix.bits(first, count));
  }
  return hash.digest('hex');
}

function update(hash: Hash, { buffer, byteOffset, byteLength }: Float32Array | Uint16Array): void {
  hash.update(new Uint8Array(buffer, byteOffset, byteLength));
}
