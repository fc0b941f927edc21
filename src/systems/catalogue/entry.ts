/** Facts about a published model: its files, where their authors have them, sizes, licences. */
import type { PublishedPart } from '../shared/published/names.js';

/** A file, or a folder of files, that somebody published and that several models share. */
export interface Piece {
  /** Below the folder that holds all pieces. */
  readonly place: string;
  readonly title: string;
  /** Part of a model that it is; a base or a delta is half of one. */
  readonly part: PublishedPart;
  /** A folder must hold these besides weights; a file is a piece by itself. */
  readonly needs: readonly string[] | 'file';
  /** On the Hugging Face hub, `owner/name`; null elsewhere. */
  readonly hub: string | null;
  /** Files wanted of the hub's folder; absent for all of it. */
  readonly files?: readonly string[];
  /** Or a pattern of those that are not. (Several patterns are written in different ways by old and new `hf`.) */
  readonly exclude?: string;
  /** URL of a file that is not on the hub. */
  readonly url?: string;
  /** Page of its authors, or of those whom they name. */
  readonly source: string;
  /** Numbers in its weights that a model is made of; `most` where rows for added tokens may be there. */
  readonly numbers: { readonly least: number; readonly most: number };
  /** Size of the download. */
  readonly bytes: number;
  /** 'listed': as published. 'computed': its numbers in the 16 bits that it is published in; files add some KB. */
  readonly bytesAre: 'listed' | 'computed';
  /** File of the download whose SHA-256 is known. */
  readonly sha256?: { readonly file: string; readonly digest: string };
  readonly licence: string;
}

/** One of the paper's three models: what its checkpoints have in common. */
export interface Backbone {
  /** As in the names of configs/paper. */
  readonly name: 'vicuna-7b' | 'vicuna-13b' | 'llama-2-13b';
  /** As in the paper's tables. */
  readonly title: string;
  readonly conversation: 'llava_v1' | 'llava_llama_2';
  readonly loraRank: number;
  readonly hiddenSize: number;
  readonly layers: number;
  /** Numbers of the whole model, and of what GSVA trains of it. */
  readonly numbers: { readonly all: number; readonly trained: number };
  readonly clip: Piece;
  readonly sam: Piece;
  /** LLaVA: published whole, or the sum of LLaMA and a delta. */
  readonly llava:
    | { readonly whole: Piece }
    | { readonly base: Piece; readonly delta: Piece; readonly place: string; readonly numbers: Piece['numbers'] };
}

/** Figures of gRefCOCO that the authors print for a released file, as shares of 1. */
export interface LoggedFigures {
  readonly split: 'val' | 'testA' | 'testB';
  readonly gIoU: number;
  readonly cIoU: number;
  readonly N_acc: number;
  readonly T_acc: number;
}

export interface ReleasedModel {
  readonly name: string;
  readonly title: string;
  readonly backbone: Backbone;
  /** The configuration that trains such a model. */
  readonly config: string;
  /** Who names the file `NAME.bin`: nobody says what the authors' folder holds besides. */
  readonly named: 'authors' | 'users' | null;
  /** Rows of the paper's tables; what the released files reach may differ. */
  readonly figures: readonly { readonly table: 1 | 2 | 3 | 8 | 9; readonly row: string }[];
  /** From the README of the published code, float32. */
  readonly logged: readonly LoggedFigures[];
}

/** A model that comes with this package. */
export interface PackagedModel {
  readonly name: 'tiny' | 'tiny-base' | 'tiny-self1e';
  readonly title: string;
  /** Below the package. */
  readonly folder: string;
}
