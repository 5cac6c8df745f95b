// SPDX-License-Identifier: GPL-2.0
/* See config_file.h. Reads the file, reports its errors, and compares its limits with those of the pinned
 * maps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config_file.h"
#include "output.h"

#define FILE_MAX (64 << 20)

/* Returns the contents of a file, which the caller frees; on failure NULL, and errno is set. */
static char *read_all(FILE *file, size_t *length)
{
	size_t size = 1 << 16, got;
	char *text = NULL, *larger;

	*length = 0;
	do {
		size *= 2;
		larger = realloc(text, size);
		if (!larger)
			break;
		text = larger;
		got = fread(text + *length, 1, size - *length, file);
		*length += got;
	} while (*length == size && size < FILE_MAX);
	if (larger && !ferror(file) && *length < FILE_MAX)
		return text;
	if (larger && !ferror(file))
		errno = EFBIG;
	free(text);
	return NULL;
}

static void say_faults(const char *path, const struct faults *faults)
{
	char text[FAULT_TEXT_SIZE];
	size_t i;

	for (i = 0; i < faults->listed; i++)
		fprintf(stderr, "%s\n", fault_format(&faults->list[i], path, text));
}

struct config *config_file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	struct config *config = NULL;
	struct faults faults = {0};
	char *text = NULL;
	size_t length;

	if (file)
		text = read_all(file, &length);
	if (!text) {
		output_error("cannot read %s: %s", path, strerror(errno));
	} else {
		config = config_parse(text, length, &faults);
		say_faults(path, &faults);
	}
	if (file)
		fclose(file);
	faults_free(&faults);
	free(text);
	return config;
}

struct contract config_file_contract(const struct config *config)
{
	return (struct contract){
		.version = ABI_VERSION,
		.slots = config->limits.slots,
		.pools = config->limits.pools,
		.services = config->limits.services,
		.backends = config->limits.backends,
		.tracked_calls = config->limits.tracked_calls,
		.counted_calls = config->limits.counted_calls,
		.guarded_sources = config->limits.guarded_sources,
	};
}

bool config_file_fits(const struct contract *pinned, const struct contract *wanted)
{
	return !memcmp(pinned, wanted, offsetof(struct contract, filled));
}

int config_file_refuse(const struct contract *pinned, const struct contract *wanted, const char *name, const char *dir)
{
	const struct {
		const char *name;
		uint32_t there, here;
	} rows[] = {
		{"slots", pinned->slots, wanted->slots},
		{"pools", pinned->pools, wanted->pools},
		{"services", pinned->services, wanted->services},
		{"backends", pinned->backends, wanted->backends},
		{"tracked_calls", pinned->tracked_calls, wanted->tracked_calls},
		{"counted_calls", pinned->counted_calls, wanted->counted_calls},
		{"guarded_sources", pinned->guarded_sources, wanted->guarded_sources},
	};
	size_t i;

	if (pinned->version != wanted->version)
		output_error("the maps pinned in %s have contract version %u, but this program needs version %u", dir,
			pinned->version, wanted->version);
	for (i = 0; pinned->version == wanted->version && i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].there != rows[i].here)
			output_error("the maps pinned in %s have room for %u %s, but %s needs %u", dir, rows[i].there,
				rows[i].name, name, rows[i].here);
	}
	output_error("new maps are needed, and nothing was changed: 'sipxdp-loader upgrade -c %s' creates them", name);
	return -1;
}
