/** Where the file of the writing thread is; apart, since tests put a file in its place that reads TypeScript. */
export const WRITE_THREAD_FILE = new URL('./write-thread.js', import.meta.url);
