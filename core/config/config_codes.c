// SPDX-License-Identifier: GPL-2.0
/* Sets of SIP status codes. The text form is a list of codes and classes, as "[200, 4xx]". */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "config_private.h"

bool config_has_code(const uint8_t codes[STATUS_CODES_SIZE], unsigned int code)
{
	return code < STATUS_CODE_END && codes[code / 8] & 1 << code % 8;
}

void config_add_code(uint8_t codes[STATUS_CODES_SIZE], unsigned int code)
{
	codes[code / 8] |= 1 << code % 8;
}

/* Reads one code, "200", or a class, "2xx". */
static bool parse_codes(const char *text, unsigned int *first, unsigned int *last)
{
	if (text[0] < '1' || text[0] > '6')
		return false;
	*first = (text[0] - '0') * 100;
	*last = *first + 99;
	if (strcmp(text + 1, "xx") == 0)
		return true;
	if (!isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2]) || text[3])
		return false;
	*first = *last = strtoul(text, NULL, 10);
	return true;
}

void config_read_codes(struct reader *reader, const struct node *value, uint8_t codes[STATUS_CODES_SIZE])
{
	unsigned int code, last;
	const struct node *item;
	const char *text;

	if (!reader_list(reader, value, false))
		return;
	memset(codes, 0, STATUS_CODES_SIZE);
	for (item = node_first(value); item; item = node_next(value, item)) {
		text = reader_text(reader, item);
		if (!text)
			continue;
		if (!parse_codes(text, &code, &last) || code < reader->key->min) {
			reader_refuse(reader, item, NULL);
			continue;
		}
		for (; code <= last; code++)
			config_add_code(codes, code);
	}
}

static bool has_class(const uint8_t codes[STATUS_CODES_SIZE], unsigned int class)
{
	unsigned int code = class * 100;

	while (code < (class + 1) * 100 && config_has_code(codes, code))
		code++;
	return code == (class + 1) * 100;
}

void config_write_codes(FILE *out, const uint8_t codes[STATUS_CODES_SIZE])
{
	const char *before = "[";

	for (unsigned int code = 100; code < STATUS_CODE_END; code++) {
		if (!config_has_code(codes, code))
			continue;
		if (code % 100 == 0 && has_class(codes, code / 100)) {
			fprintf(out, "%s%uxx", before, code / 100);
			code += 99;
		} else {
			fprintf(out, "%s%u", before, code);
		}
		before = ", ";
	}
	fputc(']', out);
}
