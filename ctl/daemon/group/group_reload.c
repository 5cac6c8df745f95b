// SPDX-License-Identifier: GPL-2.0
/* See group_reload.h. A question contains a fingerprint of the file, the hashes of its lines unless there are too many,
 * and the option --move-calls. */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "core/group/config_lines.h"
#include "core/group/group_message.h"
#include "ctl/daemon/control/commands.h"
#include "group_reload.h"

#define LINES_MAX 1000 /* in a question: each takes 9 bytes of GROUP_CHANGE_MAX */
#define HASH_DIGITS 8

/* The lines of a file, in the order of their hashes. */
struct lines {
	struct config_line *list;
	size_t count;
	char fingerprint[17];
};

static struct lines lines_of(struct config *config)
{
	struct lines lines = {0};
	uint64_t hash = GROUP_HASH_BEGIN;

	lines.list = config_lines(config, &lines.count);
	for (size_t i = 0; i < lines.count; i++)
		hash = group_hash(hash, &(uint32_t){htonl(lines.list[i].hash)}, sizeof(uint32_t));
	snprintf(lines.fingerprint, sizeof(lines.fingerprint), "%016" PRIx64, hash);
	return lines;
}

static json_t *faults_reply(const struct daemon *daemon, const struct faults *faults)
{
	char text[FAULT_TEXT_SIZE];

	return protocol_error(
		faults, "its file has faults: %s", fault_format(&faults->list[0], daemon->config_path, text));
}

/* Reads the file. Returns a refusal if it cannot be used. */
static json_t *read_lines(struct daemon *daemon, bool move_calls, struct lines *lines)
{
	struct effects effects = {0};
	struct faults faults = {0};
	struct config *config = daemon_check_file(daemon, &faults, &effects);
	json_t *refusal = NULL;

	*lines = (struct lines){0};
	if (!config)
		refusal = faults_reply(daemon, &faults);
	else if (effects.disruptions.count && !move_calls)
		refusal = protocol_error(NULL, "established calls would move or end: %s", effects.disruptions.list[0]);
	else
		*lines = lines_of(config);
	config_free(config);
	effects_free(&effects);
	faults_free(&faults);
	return refusal;
}

/* --- the member that has received the command */

/* "0badc0de 12345678 ..." */
static char *hashes_of(const struct lines *lines)
{
	char *text = allocate(lines->count + 1, HASH_DIGITS + 1);

	for (size_t i = 0; i < lines->count && lines->count <= LINES_MAX; i++)
		sprintf(text + i * (HASH_DIGITS + 1), "%08" PRIx32 " ", lines->list[i].hash);
	return text;
}

json_t *group_reload_question(struct daemon *daemon, const struct request *request, json_t **refusal)
{
	json_t *question;
	struct lines lines;
	char *hashes;

	*refusal = read_lines(daemon, request->move_calls, &lines);
	if (*refusal)
		return NULL;
	hashes = hashes_of(&lines);
	question = json_pack("{s:s, s:s, s:s, s:b}", "reload", "check", "fingerprint", lines.fingerprint, "lines",
		hashes, "move-calls", request->move_calls);
	free(hashes);
	config_lines_free(lines.list, lines.count);
	return question;
}

json_t *group_reload_event(const json_t *question)
{
	return json_pack("{s:s, s:O, s:s, s:O}", "reload", "apply", "fingerprint",
		json_object_get(question, "fingerprint"), "lines", "", "move-calls",
		json_object_get(question, "move-calls"));
}

/* --- every member */

bool group_reload_is_event(const json_t *event)
{
	return json_is_string(json_object_get(event, "reload"));
}

/* Reads the hashes of a question. They are in ascending order. */
static uint32_t *read_hashes(const char *text, size_t *count)
{
	uint32_t *hashes = allocate(strlen(text) / HASH_DIGITS + 1, sizeof(*hashes));

	for (*count = 0; *text && *count < LINES_MAX; text += strcspn(text, " "), text += *text == ' ')
		hashes[(*count)++] = strtoul(text, NULL, 16);
	return hashes;
}

/* Names a line that only this file has. */
static json_t *describe_difference(const struct lines *lines, const char *text)
{
	const char *first = NULL;
	size_t count, only_here = 0;
	uint32_t *hashes = read_hashes(text, &count);

	for (size_t i = 0; count && i < lines->count; i++)
		if (!config_lines_contain(hashes, count, lines->list[i].hash)) {
			first = first ? first : lines->list[i].text;
			only_here++;
		}
	free(hashes);
	if (first)
		return protocol_error(
			NULL, "its file differs: %zu lines are only there, such as '%.300s'", only_here, first);
	return protocol_error(
		NULL, count ? "its file differs: it lacks %zu lines" : "its file differs", count - lines->count);
}

static json_t *apply(struct daemon *daemon, bool move_calls, const char *user, const char *node)
{
	json_t *arguments = move_calls ? json_pack("{s:b}", "move-calls", 1) : json_object();
	char error[PROTOCOL_ERROR_SIZE];
	struct request request;
	json_t *reply;

	if (protocol_check_request(protocol_request(COMMAND_RELOAD, arguments), &request, error))
		return protocol_error(NULL, "%s", error);
	request.user = user;
	request.node = node;
	reply = commands_apply(daemon, &request);
	protocol_request_free(&request);
	return reply;
}

json_t *group_reload_apply(struct daemon *daemon, const json_t *event, const char *user, const char *node)
{
	const char *action, *fingerprint, *hashes;
	struct lines lines;
	json_t *refusal;
	int move_calls;
	bool same;

	if (json_unpack((json_t *)event, "{s:s, s:s, s:s, s:b}", "reload", &action, "fingerprint", &fingerprint,
		    "lines", &hashes, "move-calls", &move_calls))
		return protocol_error(NULL, "the question of member %s is not valid here", node);
	refusal = read_lines(daemon, move_calls, &lines);
	if (refusal)
		return refusal;
	same = !strcmp(lines.fingerprint, fingerprint);
	if (!same)
		refusal = describe_difference(&lines, hashes);
	config_lines_free(lines.list, lines.count);
	if (refusal)
		return refusal;
	return strcmp(action, "check") ? apply(daemon, move_calls, user, node) : protocol_ok(json_object());
}
