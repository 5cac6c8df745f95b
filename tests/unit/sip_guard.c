// SPDX-License-Identifier: GPL-2.0

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "sip_guard.h"

/* Returns the memory between two inaccessible pages. It is kept until the process exits. */
static uint8_t *guarded(void)
{
	static uint8_t *memory;
	size_t page = sysconf(_SC_PAGESIZE);

	if (memory)
		return memory;
	memory = mmap(NULL, SIP_GUARD_SIZE + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) ||
		mprotect(memory + page + SIP_GUARD_SIZE, page, PROT_NONE))
		abort();
	memory += page;
	return memory;
}

const uint8_t *sip_guard_end(const void *bytes, size_t length)
{
	return memcpy(guarded() + SIP_GUARD_SIZE - length, bytes, length);
}

const uint8_t *sip_guard_start(const void *bytes, size_t length)
{
	return memcpy(guarded(), bytes, length);
}
