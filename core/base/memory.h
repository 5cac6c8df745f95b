/* SPDX-License-Identifier: GPL-2.0 */
/* Allocation that aborts when memory is exhausted. The control plane cannot work without
 * memory; the kernel keeps forwarding without the control plane. */
#pragma once

#include <stdlib.h>
#include <string.h>

/* `count` zeroed objects; never NULL. */
static inline void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

/* Returns a copy of an array; never NULL. */
static inline void *duplicate(const void *array, size_t count, size_t size)
{
	void *copy = allocate(count, size);

	return count ? memcpy(copy, array, count * size) : copy;
}

/* Resizes an array. New elements are not zeroed. */
static inline void *reallocate(void *array, size_t count, size_t size)
{
	void *memory = reallocarray(array, count ? count : 1, size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

/* Returns the array with room for at least `count` + 1 elements. The room doubles whenever
 * `count` is a power of two. */
static inline void *array_grow(void *array, size_t count, size_t size)
{
	return count & (count - 1) ? array : reallocate(array, count ? 2 * count : 1, size);
}
