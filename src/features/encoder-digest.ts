/** Which encoders a model has: two encoders with the same digest say the same of every image. */
import { type Hash, createHash } from 'node:crypto';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { CompositeLayer } from '../nn/composite-layer.js';

export interface EncoderDigests {
  /** SHA-256 of F_V1's sizes and weights, in hexadecimal. */
  readonly clip: string;
  /** Of F_V2's. */
  readonly sam: string;
}

/** Reads all weights of both encoders once: some 2 s for the published ones (3.7 GB). */
export async function encoderDigests(gsva: LlavaSam): Promise<EncoderDigests> {
  const { clip, sam } = gsva.config;
  return { clip: await digestOf(gsva.encoders.clip, clip), sam: await digestOf(gsva.encoders.sam, sam) };
}

async function digestOf(encoder: CompositeLayer, config: object): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(Object.entries(config).sort()));
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
