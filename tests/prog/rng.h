/* SPDX-License-Identifier: GPL-2.0 */
/* Pseudo-random numbers, the same in each run, so that a failure repeats. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct rng {
	uint64_t state;
};

/* Returns SIPXDP_SEED from the environment, or 1 if it is not set. Every test that uses it prints it when it fails. */
static inline uint64_t rng_seed(void)
{
	const char *text = getenv("SIPXDP_SEED");

	return text ? strtoull(text, NULL, 0) : 1;
}

/* The number of random frames or messages: SIPXDP_FRAMES from the environment, or `usual`. Emulated machines are
 * slow and need a smaller number. */
static inline uint32_t rng_frames(uint32_t usual)
{
	const char *text = getenv("SIPXDP_FRAMES");

	return text ? strtoul(text, NULL, 10) : usual;
}

/* Returns the n-th sequence of a seed, so that a test can repeat one message without the previous ones. */
static inline struct rng rng_start(uint64_t seed, uint64_t n)
{
	return (struct rng){.state = (seed << 32) + n};
}

/* splitmix64 */
static inline uint64_t rng_bits(struct rng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* 0 to bound - 1. */
static inline uint32_t rng_below(struct rng *rng, uint32_t bound)
{
	return (rng_bits(rng) >> 32) * bound >> 32;
}

/* True with this probability in per cent. */
static inline bool rng_percent(struct rng *rng, uint32_t percent)
{
	return rng_below(rng, 100) < percent;
}
