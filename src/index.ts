/**
 * GSVA for TensorFlow.js: generalized referring segmentation by a multimodal LLM. See docs/api.md.
 *
 *     import { loadGsva } from 'gsva';
 *
 *     const model = await loadGsva(); // the small model of the package
 *     const { results, answer } = await model.segment('photo.jpg', ['red circle', 'green bar']);
 *     for (const { expression, status, box } of results) console.log(expression, status, box);
 *     model.dispose();
 */
export { GsvaModel, type GsvaScene, loadGsva, type LoadOptions, type Precision } from './inference/gsva-model.js';
export type { ModelSource, PublishedSource } from './inference/model-source.js';
export type { Answer, AnsweringModel, EncodeOptions, ImageSource, Reply, SegmentOptions } from './inference/reply.js';
export { STATUS_MEANING } from './inference/reply.js';
export type { Abortable } from './abortable.js';
export type { ModelMeta } from './checkpoints/model-meta.js';
export type { EngineInfo, EngineName, EngineOptions } from './engine/engine.js';
export type { Variant } from './systems/shared/variant.js';
export type {
  BinaryMask,
  Box,
  EmptyMask,
  Finding,
  NotAnswered,
  Rejected,
  RgbImage,
  Segmented,
  SegmentResult,
  SegmentStatus,
  UnmatchedPart,
} from './types.js';
export { type CocoRle, maskToPng, maskToRle, pngToMask, rleToMask } from './data/masks/mask-exchange.js';
export { type MaskRegion, maskRegions, maskToPolygons, polygonsToMask } from './data/masks/mask-polygons.js';
export { drawOverlay, type OverlayOptions } from './evaluation/report/overlay.js';
export { type ErrorCode, UsageError, UserError } from './errors.js';
