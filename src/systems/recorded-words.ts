/** Decisions as files of records and recordings of the reference have them. */
export const RECORDED_WORDS = { found: 'seg', absent: 'rej', none: 'none' } as const;
