/** Messages in the queue that the deep one is compared with. */
export const SHALLOW = 1_000;
