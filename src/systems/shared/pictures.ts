/** Inputs of the encoders of LLaVA and SAM. */
import type { ModelConfig } from './model-config.js';
import type { EncoderInput } from '../../data/image/prepare-image.js';

export function llavaSamPictures({
  clip,
  sam,
}: Pick<ModelConfig, 'clip' | 'sam'>): Readonly<Record<'clip' | 'sam', EncoderInput>> {
  return {
    clip: { transform: 'crop', side: clip.imageSize, neededFor: 'text' },
    sam: { transform: 'pad', side: sam.imageSize, neededFor: 'masks' },
  };
}
