// SPDX-License-Identifier: GPL-2.0
/* See text.h. */
#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>
#include "text.h"

void text_open(void)
{
	/* All input is UTF-8, even if the locale of the user is not. Without this locale, text_put() would escape all
	 * non-ASCII text. */
	setlocale(LC_CTYPE, "C.UTF-8");
}

/* Direction marks and invisible characters can make a name look like a different name. */
static bool is_deceptive(wchar_t character)
{
	return (character >= 0x200b && character <= 0x200f) || (character >= 0x2028 && character <= 0x202e) ||
	       (character >= 0x2060 && character <= 0x206f) || character == 0xfeff;
}

/* The size of the first character in bytes, negative if it must be escaped. */
static int character_size(const char *text, size_t length, const char *allowed)
{
	mbstate_t state = {0};
	wchar_t character;
	size_t size = mbrtowc(&character, text, length, &state);

	if (size == (size_t)-1 || size == (size_t)-2)
		return -1;
	if ((wcwidth(character) >= 0 && !is_deceptive(character)) || strchr(allowed, *text))
		return (int)size;
	return -(int)size;
}

void text_put(FILE *out, const char *text, const char *allowed)
{
	size_t length = strlen(text);

	while (length) {
		size_t plain = 0;
		int size;

		while (plain < length && text[plain] >= ' ' && text[plain] <= '~')
			plain++;
		fwrite(text, 1, plain, out);
		text += plain;
		length -= plain;
		if (!length)
			break;
		size = character_size(text, length, allowed);
		if (size > 0)
			fwrite(text, 1, (size_t)size, out);
		for (int i = 0; i < -size; i++)
			fprintf(out, "\\x%02x", (unsigned char)text[i]);
		text += size > 0 ? size : -size;
		length -= (size_t)(size > 0 ? size : -size);
	}
}

int text_width(const char *text)
{
	mbstate_t state = {0};
	wchar_t character;
	int width = 0;
	size_t size;

	for (; *text; text += size) {
		size = mbrtowc(&character, text, strlen(text), &state);
		if (size == (size_t)-1 || size == (size_t)-2)
			return width + (int)strlen(text);
		width += wcwidth(character);
	}
	return width;
}

void text_put_age(FILE *out, long long seconds)
{
	if (seconds >= 86400)
		fprintf(out, "%lldd%02lldh", seconds / 86400, seconds % 86400 / 3600);
	else if (seconds >= 3600)
		fprintf(out, "%lldh%02lldm", seconds / 3600, seconds % 3600 / 60);
	else if (seconds >= 60)
		fprintf(out, "%lldm%02llds", seconds / 60, seconds % 60);
	else
		fprintf(out, "%llds", seconds > 0 ? seconds : 0);
}
