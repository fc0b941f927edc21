/** Path of the writing thread's file; a module of its own, since tests replace it by one that reads TypeScript. */
export const WRITE_THREAD_FILE = new URL('./write-thread.js', import.meta.url);
