/**
 * GSVA for TensorFlow.js: generalized referring segmentation by a multimodal LLM.
 *
 *     import { loadGsva } from 'gsva';
 *
 *     const model = await loadGsva('checkpoints/tiny');
 *     const { results, answer } = await model.segment('photo.jpg', ['red circle', 'green bar']);
 *     for (const { expression, status, box } of results) console.log(expression, status, box);
 *     model.dispose();
 */
export { GsvaModel, loadGsva, type ImageSource, type LoadOptions } from './inference/gsva-model.js';
export type { ModelSource, PublishedSource } from './inference/open-model.js';
export type { Reply, SegmentOptions } from './inference/predictor.js';
export type { ModelMeta } from './model/checkpoint-directory.js';
export type { Precision } from './model/precision.js';
export type { EngineInfo, EngineName, EngineOptions } from './engine/engine.js';
export type { Variant } from './variant.js';
export type { BinaryMask, RgbImage, SegmentResult, SegmentStatus } from './types.js';
export { UsageError, UserError } from './errors.js';
