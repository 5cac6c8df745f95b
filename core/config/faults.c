// SPDX-License-Identifier: GPL-2.0
/* See faults.h. */
#include <stdarg.h>
#include <stdio.h>
#include "faults.h"
#include "core/base/memory.h"

void faults_add(struct faults *faults, struct position position, const char *format, ...)
{
	struct fault fault = {.position = position};
	va_list args;

	faults->list = array_grow(faults->list, faults->count, sizeof(fault));
	va_start(args, format);
	if (vasprintf(&fault.message, format, args) < 0)
		abort();
	va_end(args);
	faults->list[faults->count++] = fault;
}

/* qsort() is not stable: `rank` keeps faults at the same position in the order of their discovery. */
struct ranked {
	struct fault fault;
	size_t rank;
};

static int compare_ranked(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	const struct position *p = &a->fault.position, *q = &b->fault.position;

	if (p->line != q->line)
		return p->line < q->line ? -1 : 1;
	if (p->column != q->column)
		return p->column < q->column ? -1 : 1;
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

void faults_sort(struct faults *faults)
{
	struct ranked *ranked;
	size_t i;

	if (faults->count < 2)
		return;
	ranked = allocate(faults->count, sizeof(*ranked));
	for (i = 0; i < faults->count; i++)
		ranked[i] = (struct ranked){faults->list[i], i};
	qsort(ranked, faults->count, sizeof(*ranked), compare_ranked);
	for (i = 0; i < faults->count; i++)
		faults->list[i] = ranked[i].fault;
	free(ranked);
}

const char *fault_format(const struct fault *fault, const char *file, char text[FAULT_TEXT_SIZE])
{
	char place[32] = "";

	if (fault->position.line)
		snprintf(place, sizeof(place), ":%d:%d", fault->position.line, fault->position.column);
	snprintf(text, FAULT_TEXT_SIZE, "%s%s: %s", file, place, fault->message);
	return text;
}

void faults_free(struct faults *faults)
{
	size_t i;

	for (i = 0; i < faults->count; i++)
		free(faults->list[i].message);
	free(faults->list);
	*faults = (struct faults){};
}
