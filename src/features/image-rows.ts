/** Rows of conversations about encoded images, and the tiles that each row is about. */
import { MultimodalRows, rowPictures, type TokenBatch } from '../networks/multimodal-rows.js';
import type { Encoder } from '../networks/encoder.js';
import type { PreparedImage, TileGrid } from '../types.js';
import { type EncodedImage, tileCounts } from './image-features.js';

/** A network as far as rows need it. */
interface RowsModel {
  readonly encoders: Readonly<Record<string, Encoder>>;
  /** Vision tokens of a tile. */
  readonly patches: number;
}

/** Rows about features as `stackFeatures` stacks them. @param images of the rows, in their order */
export function rowsAbout(network: RowsModel, tokens: TokenBatch, images: readonly EncodedImage[]): MultimodalRows {
  const tiled = tiledEncoder(network);
  if (tiled === null) return new MultimodalRows(tokens, network.patches);
  const pictures = rowPictures(tileCounts(network, tiled, images), images.map(gridOf));
  return new MultimodalRows(tokens, network.patches, pictures);
}

/** Tiles of an image, a thumbnail included. */
export function tilesOfImage(network: RowsModel, image: EncodedImage): number {
  const tiled = tiledEncoder(network);
  return tiled === null ? 1 : (tileCounts(network, tiled, [image])[0] ?? 1);
}

/**
 * Rows about the inputs of encoders that train, every image once.
 * @param images distinct @param imageOf for every row its image
 */
export function rowsAboutInputs(
  network: RowsModel,
  tokens: TokenBatch,
  images: readonly PreparedImage[],
  imageOf: readonly number[],
): MultimodalRows {
  const tiled = tiledEncoder(network);
  const counts = images.map(({ inputs }) => {
    const perTile = tiled === null ? 1 : sizeOf(network.encoders[tiled]?.imageShape ?? []);
    return tiled === null ? 1 : (inputs[tiled]?.length ?? perTile) / perTile;
  });
  return new MultimodalRows(tokens, network.patches, rowPictures(counts, images.map(gridOf), imageOf));
}

function tiledEncoder({ encoders }: RowsModel): string | null {
  return Object.keys(encoders).find((name) => encoders[name]?.takesTiles === true) ?? null;
}

function gridOf({ grid }: { readonly grid?: TileGrid }): TileGrid | undefined {
  return grid;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
