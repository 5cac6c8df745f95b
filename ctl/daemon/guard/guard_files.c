// SPDX-License-Identifier: GPL-2.0
/* See guard_files.h. */
#include <errno.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/base/name.h"
#include "core/guard/list_file.h"
#include "ctl/daemon/file.h"
#include "ctl/maps/pin_directory.h"
#include "guard_files.h"

#define LIST_FILE_MAX ((size_t)128 << 20) /* bytes; GUARD_PREFIXES / 2 lines of 45 characters with short comments */
#define PREFIXES_MAX (GUARD_PREFIXES / 2)

static void refuse(const struct config_guard_list *list, const char *reason, const char *advice, struct faults *faults)
{
	faults_add(faults, list->position, "list %s: %s: %s%s", list->name, list->file, reason, advice);
}

/* Reads the file of a list. Adds a fault and returns false if it cannot be used. */
static bool read_file(
	const struct config_guard_list *list, struct prefix_key **prefixes, size_t *count, struct faults *faults)
{
	char error[FILE_ERROR_SIZE], *text;
	struct list_fault fault;
	size_t length;
	int result = file_read(list->file, FILE_REGULAR, LIST_FILE_MAX, &text, &length, error);

	if (result) {
		refuse(list, error,
			result == -EACCES ? " (user " PIN_DIRECTORY_USER " needs access: chgrp " PIN_DIRECTORY_USER
					    ", chmod g+r)"
					  : "",
			faults);
		return false;
	}
	if (length == LIST_FILE_MAX) {
		refuse(list, "it is larger than 128 MiB", "", faults);
	} else if (list_file_parse(text, length, prefixes, count, &fault)) {
		result = -EINVAL;
		faults_add(
			faults, list->position, "list %s: %s:%zu: %s", list->name, list->file, fault.line, fault.text);
	}
	free(text);
	return !result && length < LIST_FILE_MAX;
}

static void read_list(struct guard_files *files, uint32_t index, const struct config *config, struct faults *faults)
{
	const struct config_guard_list *list = &config->guard.lists[index];
	const struct source_bits source = {config->guard.ipv4_bits, config->guard.ipv6_bits};
	struct guard_file *out = &files->lists[index];
	struct prefix_key *prefixes = list->prefixes;

	name_copy(out->name, list->name);
	out->action = list->action;
	out->prefixes = list->prefix_count;
	if (list->file)
		out->is_faulty = !read_file(list, &prefixes, &out->prefixes, faults);
	files->faulty += out->is_faulty;
	if (out->is_faulty)
		return;
	prefix_lists_add(&files->prefixes, index, prefixes, out->prefixes, source);
	if (list->file)
		free(prefixes);
}

struct guard_files *guard_files_read(const struct config *config, struct faults *faults)
{
	const struct config_guard *guard = &config->guard;
	struct guard_files *files = allocate(1, sizeof(*files));

	*files = (struct guard_files){
		.lists = allocate(guard->list_count, sizeof(*files->lists)), .count = guard->list_count};
	for (uint32_t i = 0; i < guard->list_count; i++)
		read_list(files, i, config, faults);
	prefix_lists_sort(&files->prefixes);
	if (files->prefixes.count > PREFIXES_MAX) {
		faults_add(faults, guard->position, "the lists have %zu prefixes together, and at most %d are allowed",
			files->prefixes.count, PREFIXES_MAX);
		files->faulty = files->count;
	}
	return files;
}

void guard_files_free(struct guard_files *files)
{
	if (!files)
		return;
	prefix_lists_free(&files->prefixes);
	free(files->lists);
	free(files);
}

bool guard_files_equal(const struct guard_files *a, const struct guard_files *b)
{
	if (a->count != b->count || a->prefixes.count != b->prefixes.count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->lists[i].name, b->lists[i].name))
			return false;
	return !a->prefixes.count ||
	       !memcmp(a->prefixes.entries, b->prefixes.entries, a->prefixes.count * sizeof(*a->prefixes.entries));
}

struct config *guard_files_check(struct config *config, struct faults *faults)
{
	struct guard_files *files = config ? guard_files_read(config, faults) : NULL;
	bool right = !files || !files->faulty;

	guard_files_free(files);
	if (right)
		return config;
	faults_sort(faults);
	config_free(config);
	return NULL;
}
