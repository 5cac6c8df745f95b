// SPDX-License-Identifier: GPL-2.0
/* See config_text.h. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "config_text.h"

struct config *parse(const char *text, size_t length, struct faults *faults)
{
	char *copy = malloc(length); /* without a terminating NUL, so that ASan reports any read beyond the text */
	struct config *config;

	memcpy(copy, text, length);
	*faults = (struct faults){};
	config = config_parse(copy, length, faults);
	free(copy);
	cr_assert_eq(config == NULL, faults->count > 0, "either a configuration or faults");
	return config;
}

struct config *parse_good(const char *text)
{
	struct faults faults;
	struct config *config = parse(text, strlen(text), &faults);

	cr_assert(config, "%d:%d: %s in\n%s", faults.list[0].position.line, faults.list[0].position.column,
		faults.list[0].message, text);
	return config;
}

char *write_text(const struct config *config)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	config_write(config, out);
	fclose(out);
	return text;
}

bool fault_is(const struct fault *fault, const char *expected)
{
	struct position position;
	int end = 0;

	cr_assert_eq(sscanf(expected, "%d:%d: %n", &position.line, &position.column, &end), 2, "%s", expected);
	return fault->position.line == position.line && fault->position.column == position.column &&
	       strstr(fault->message, expected + end);
}

void check_row(const struct row *row)
{
	struct faults faults;
	struct config *config = parse(row->text, strlen(row->text), &faults);
	size_t i;

	for (i = 0; i < faults.count; i++) {
		const struct fault *fault = &faults.list[i];

		cr_expect(i < COUNT(row->faults) && row->faults[i] && fault_is(fault, row->faults[i]),
			"%s: found '%d:%d: %s' in place of '%s'", row->name, fault->position.line,
			fault->position.column, fault->message,
			i < COUNT(row->faults) && row->faults[i] ? row->faults[i] : "nothing");
	}
	for (; i < COUNT(row->faults) && row->faults[i]; i++)
		cr_expect_fail("%s: lacks '%s'", row->name, row->faults[i]);
	config_free(config);
	faults_free(&faults);
}

void check_rows(const struct row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		check_row(&rows[i]);
}

void check_readings(const struct reading *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct config *config = parse_good(rows[i].text);
		char *text = write_text(config);

		cr_expect(strstr(text, rows[i].written), "%s: '%s' is not in\n%s", rows[i].name, rows[i].written, text);
		config_free(config);
		free(text);
	}
}
