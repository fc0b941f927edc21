/** Where the file of the loading threads is; apart, since tests put a file in its place that reads TypeScript. */
export const SAMPLE_WORKER_FILE = new URL('./sample-worker.js', import.meta.url);
