// SPDX-License-Identifier: GPL-2.0
/* See faults.h. */
#include <stdarg.h>
#include <stdio.h>
#include "faults.h"
#include "core/base/memory.h"

static void append(struct faults *faults, struct position position, const char *format, va_list args)
{
	struct fault fault = {.position = position};

	faults->list = array_grow(faults->list, faults->listed, sizeof(fault));
	if (vasprintf(&fault.message, format, args) < 0)
		abort();
	faults->list[faults->listed++] = fault;
}

void faults_add(struct faults *faults, struct position position, const char *format, ...)
{
	va_list args;

	if (faults->count++ >= FAULTS_MAX)
		return;
	va_start(args, format);
	append(faults, position, format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void append_note(struct faults *faults, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(faults, (struct position){0}, format, args);
	va_end(args);
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

static void sort(struct faults *faults)
{
	struct ranked *ranked = allocate(faults->listed, sizeof(*ranked));

	for (size_t i = 0; i < faults->listed; i++)
		ranked[i] = (struct ranked){faults->list[i], i};
	qsort(ranked, faults->listed, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < faults->listed; i++)
		faults->list[i] = ranked[i].fault;
	free(ranked);
}

void faults_sort(struct faults *faults)
{
	if (faults->listed > 1)
		sort(faults);
	if (faults->count > faults->listed)
		append_note(faults, "and %zu more faults", faults->count - faults->listed);
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

	for (i = 0; i < faults->listed; i++)
		free(faults->list[i].message);
	free(faults->list);
	*faults = (struct faults){};
}
