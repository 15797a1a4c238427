/** Randomness, owned by core so that tests can own it: a number from 0 up to, but not, 1. Not for secrets. */
export type Random = () => number

export const systemRandom: Random = Math.random

/** Pseudo-random numbers in [0, 1) from a seed, so that a run can be repeated. Source: mulberry32, T. Ettinger. */
export function randomSequence(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
