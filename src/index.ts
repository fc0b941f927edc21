/**
 * Multimodal language models that ground their answers in pixels: load, ask, train, evaluate. See docs/api.md.
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
export type { Answer, AnsweringModel, EncodeOptions, FreeReply, ImageSource, Reply } from './inference/reply.js';
export { type ReplyOptions, type ReplyPart, type SegmentOptions, STATUS_MEANING } from './inference/reply.js';
export { systems } from './workflows/systems.js';
export type { SystemInfo } from './systems/system-info.js';
export { dataset } from './workflows/dataset.js';
export type { Dataset, DatasetExpression, DatasetImage, DatasetOptions, TargetMask } from './workflows/dataset.js';
export { train, type TrainOptions, type TrainResult } from './workflows/train.js';
export type { TrainingCalls, TrainingProgress } from './training/watching/training-observer.js';
export type { AlarmRecord, TrainingEnd, UpdateRecord, ValidationRecord } from './training/watching/run-log.js';
export type { OverfitResult } from './training/loop/overfit-result.js';
export { evaluate, type EvaluateOptions, type EvaluateResult } from './workflows/evaluate.js';
export type { ExpressionRecord, ImageRecord, RecordedResult } from './evaluation/records/record-types.js';
export { calibrate, type CalibrateOptions, type CalibrateResult } from './workflows/calibrate.js';
export { convert, type ConvertOptions, type ConvertResult } from './workflows/convert.js';
export type { FeatureCacheOptions, Progress, Watch } from './workflows/watch.js';
export type { Abortable } from './abortable.js';
export type { ModelMeta } from './checkpoints/model-meta.js';
export type { EngineInfo, EngineName, EngineOptions } from './engine/engine.js';
export type { Variant } from './systems/shared/variant.js';
export type { BinaryMask, Box, EmptyMask, Finding, NotAnswered, Rejected, RgbImage } from './types.js';
export type { Segmented, SegmentResult, SegmentStatus, UnmatchedPart } from './types.js';
export { type CocoRle, maskToPng, maskToRle, pngToMask, rleToMask } from './data/masks/mask-exchange.js';
export { type MaskRegion, maskRegions, maskToPolygons, polygonsToMask } from './data/masks/mask-polygons.js';
export { drawOverlay, type OverlayOptions } from './evaluation/report/overlay.js';
export { type ErrorCode, UsageError, UserError } from './errors.js';
