/* SPDX-License-Identifier: GPL-2.0 */
/* Memory, or the end: a control plane that has no memory left can do nothing better
 * than stop, and the data path goes on without it. */
#pragma once

#include <stdlib.h>

/* `count` zeroed objects; never NULL. */
static inline void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

/* An array made larger or smaller; what is new in it is not zeroed. */
static inline void *reallocate(void *array, size_t count, size_t size)
{
	void *memory = reallocarray(array, count ? count : 1, size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

/* An array with room for one more than `count`: its size doubles whenever that is a power of two. */
static inline void *array_grow(void *array, size_t count, size_t size)
{
	return count & (count - 1) ? array : reallocate(array, count ? 2 * count : 1, size);
}
