// SPDX-License-Identifier: GPL-2.0
/* The texts that a guard compares with messages. See desired_guard.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "bpf/guard_source.h"
#include "desired_guard.h"

/* Names of scanners in User-Agent or From. The list omits programs that also have legitimate uses. */
static const char *const known_scanners[] = {
	"friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sipcli", "sip-scan", "iwar",
	"vaxsipuseragent", "pplsip", "sivus", "gulp", "siparmyknife", "smap", "svmap", "svwar", "svcrack", "sippts",
	"nsauditor", "100@1.1.1.1", /* From of SIPVicious */
};

static void put_text(struct image *image, enum image_map map, const char *before, const char *text, bool whole)
{
	struct guard_text key = {0};
	__u32 any = 1;
	size_t length = 0;

	for (const char *p = before; *p; p++)
		key.text[length++] = *p;
	for (const char *p = text; *p && length < sizeof(key.text) - 1; p++)
		key.text[length++] = *p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p;
	key.bits = 8 * (length + whole);
	hash_map_put(image->maps[map], &key, &any);
}

/* The User-Agent of a scanner begins with the name. The user in From must equal the name ("sip:NAME@HOST"); if the name
 * is an address, the whole address must match ("sip:USER@HOST"). A common start is not sufficient, because a customer's
 * user name may begin with the name of a scanner. */
static void put_scanner(struct image *image, const char *text)
{
	char user[GUARD_TEXT_SIZE + 1];

	snprintf(user, sizeof(user), strchr(text, '@') ? ":%s" : ":%s@", text);
	put_text(image, IMAGE_GUARD_SCANNERS, "", text, false);
	put_text(image, IMAGE_GUARD_SCANNERS, "", user, false);
}

/* A number is dialled with or without "+". An URN includes its sub-services (RFC 5031 section 4.2). */
static void put_emergency(struct image *image, const char *text)
{
	char services[GUARD_TEXT_SIZE + 1];

	put_text(image, IMAGE_GUARD_EMERGENCY, "", text, true);
	if (!strncasecmp(text, "urn:", 4)) {
		snprintf(services, sizeof(services), "%s.", text);
		put_text(image, IMAGE_GUARD_EMERGENCY, "", services, false);
	} else {
		put_text(image, IMAGE_GUARD_EMERGENCY, "+", text, true);
	}
}

/* The second byte that follows a text of one byte in a message is unknown: such a text sets all bits. */
uint64_t desired_emergency_starts(const struct config *config)
{
	const struct config_texts *texts = &config->guard.emergency;
	uint64_t starts = 0;

	for (size_t i = 0; i < texts->count; i++) {
		const char *text = texts->list[i];

		starts |= text[1] ? guard_start(text[0], text[1]) : ~0ULL;
		starts |= guard_start('+', text[0]);
	}
	return starts;
}

void desire_guard_texts(const struct config *config, struct image *image)
{
	const struct config_guard *guard = &config->guard;

	for (size_t i = 0; i < sizeof(known_scanners) / sizeof(*known_scanners); i++)
		put_scanner(image, known_scanners[i]);
	for (size_t i = 0; i < guard->scanners.count; i++)
		put_scanner(image, guard->scanners.list[i]);
	for (size_t i = 0; i < guard->emergency.count; i++)
		put_emergency(image, guard->emergency.list[i]);
	for (size_t i = 0; i < guard->priorities.count; i++)
		put_text(image, IMAGE_GUARD_PRIORITIES, "", guard->priorities.list[i], true);
}
