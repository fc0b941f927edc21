/** 16-bit floats of files; the engine widens them too, so what is done lies below both. */
export * from '../half-float.js';
