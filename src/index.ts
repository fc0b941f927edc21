/**
 * GSVA for TensorFlow.js: generalized referring segmentation by a multimodal LLM. See docs/api.md.
 *
 *     import { loadModel } from 'gsva';
 *
 *     const model = await loadModel(); // the small model of the package
 *     const { results, answer } = await model.segment('photo.jpg', ['red circle', 'green bar']);
 *     for (const { expression, status, box } of results) console.log(expression, status, box);
 *     model.dispose();
 */
export { GroundedModel, loadModel, type LoadOptions, type Precision, type Scene } from './inference/model.js';
/** Names of the first releases, for models of any system: aliases of `GroundedModel`, `loadModel` and `Scene`. */
export { GroundedModel as GsvaModel, loadModel as loadGsva, type Scene as GsvaScene } from './inference/model.js';
export type { ModelSource, PublishedSource } from './inference/model-source.js';
export type {
  Answer,
  AnsweringModel,
  EncodeOptions,
  FreeReply,
  ImageSource,
  Reply,
  ReplyOptions,
  ReplyPart,
  SegmentOptions,
} from './inference/reply.js';
export { STATUS_MEANING } from './inference/reply.js';
export type { Abortable } from './abortable.js';
export type { ModelMeta } from './checkpoints/model-meta.js';
export type { EngineInfo, EngineName, EngineOptions } from './engine/engine.js';
export type { Variant } from './variant.js';
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
