// SPDX-License-Identifier: GPL-2.0
/* Writes the generated parts of the documentation: replaces the text between a line with "generated: LIST" and a line
 * with "end of LIST" by that list. All other text of a page is written by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lists.h"

#define BEGIN "generated: "
#define END "end of "

/* The complete text of a file, which the caller frees; NULL with errno. */
static char *read_page(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &size, '\0', file) < 0) { /* a page has no NUL */
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* The name of the list that starts at this line; empty if no list does. */
static void find_list(const char *line, size_t length, char name[64])
{
	const char *begin = memmem(line, length, BEGIN, strlen(BEGIN));
	size_t i = 0;

	if (begin) {
		begin += strlen(BEGIN);
		while (i < 63 && begin + i < line + length && strncmp(begin + i, " -->", 4))
			i++;
		memcpy(name, begin, i);
	}
	name[i] = '\0';
}

/* The start of the line that ends the generated part at `text`; NULL if there is none. */
static const char *find_end(const char *text, const char *name)
{
	char end[64 + sizeof(END)];
	const char *found;

	snprintf(end, sizeof(end), END "%s", name);
	found = strstr(text, end);
	while (found && found > text && found[-1] != '\n')
		found--;
	return found;
}

/* Writes the page with its current lists. False on failure; the error has then been printed. */
static bool fill(const char *path, const char *text, struct page *page)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char name[64];

		fwrite(text, 1, length, page->out);
		fputc('\n', page->out);
		find_list(text, length, name);
		text += length + (text[length] == '\n');
		if (!name[0])
			continue;
		if (!lists_write(page, name)) {
			fprintf(stderr, "%s: there is no list '%s'\n", path, name);
			return false;
		}
		if (!page->is_man)
			fputc('\n', page->out);
		text = find_end(text, name);
		if (!text) {
			fprintf(stderr, "%s: no line says '" END "%s'\n", path, name);
			return false;
		}
	}
	return true;
}

static bool write_page(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	bool written = file && fputs(text, file) >= 0;

	if (file && fclose(file))
		written = false;
	if (!written)
		fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
	return written;
}

/* Updates the page, or only reports whether it is up to date. */
static bool update(const char *path, bool only_check)
{
	const char *dot = strrchr(path, '.');
	char *old = read_page(path), *new = NULL;
	struct page page = {.is_man = dot && strcmp(dot, ".md")};
	size_t size;
	bool done = false;

	page.out = open_memstream(&new, &size);
	if (!old || !page.out) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
	} else if (fill(path, old, &page)) {
		fflush(page.out);
		done = !strcmp(old, new);
		if (!done && only_check)
			fprintf(stderr, "%s is out of date: run 'make docs'\n", path);
		else if (!done)
			done = write_page(path, new);
	}
	if (page.out)
		fclose(page.out);
	free(old);
	free(new);
	return done;
}

int main(int argc, char **argv)
{
	bool only_check = argc > 1 && !strcmp(argv[1], "--check");
	int status = EXIT_SUCCESS;

	for (int i = 1 + only_check; i < argc; i++)
		if (!update(argv[i], only_check))
			status = EXIT_FAILURE;
	return status;
}
