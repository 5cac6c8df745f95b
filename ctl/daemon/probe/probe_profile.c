// SPDX-License-Identifier: GPL-2.0
/* Owns the profiles: each profile defines how to probe, and is shared by all backends with equal probe options. */
#include <string.h>
#include <sys/stat.h>
#include "core/base/memory.h"
#include "probe_private.h"

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool probe_equal(const struct config_probe *a, const struct config_probe *b)
{
	return a->type == b->type && a->transport == b->transport && a->to_address == b->to_address &&
	       a->interval == b->interval && a->timeout == b->timeout && a->fall == b->fall && a->rise == b->rise &&
	       a->verify == b->verify && memcmp(a->ok_codes, b->ok_codes, sizeof(a->ok_codes)) == 0 &&
	       text_equal(a->from, b->from) && text_equal(a->request_uri, b->request_uri) &&
	       text_equal(a->user, b->user) && text_equal(a->ca, b->ca) && text_equal(a->sni, b->sni) &&
	       text_equal(a->load_header, b->load_header);
}

static char *copy_text(const char *text)
{
	return text ? strcpy(allocate(strlen(text) + 1, 1), text) : NULL;
}

static struct timespec time_of_file(const char *path)
{
	struct stat status = {};

	if (path)
		stat(path, &status);
	return status.st_mtim;
}

/* If the certificate file was modified, creates a new profile. */
struct profile *probe_profile_get(struct probes *probes, const struct config_probe *probe)
{
	struct timespec ca_time = time_of_file(probe->ca);
	struct profile *profile;

	LIST_FOREACH(profile, &probes->profiles, entry)
	if (probe_equal(&profile->probe, probe) && profile->ca_time.tv_sec == ca_time.tv_sec &&
		profile->ca_time.tv_nsec == ca_time.tv_nsec)
		return profile;
	profile = allocate(1, sizeof(*profile));
	profile->ca_time = ca_time;
	profile->probe = *probe;
	profile->probe.from = copy_text(probe->from);
	profile->probe.request_uri = copy_text(probe->request_uri);
	profile->probe.user = copy_text(probe->user);
	profile->probe.ca = copy_text(probe->ca);
	profile->probe.sni = copy_text(probe->sni);
	profile->probe.load_header = copy_text(probe->load_header);
	LIST_INSERT_HEAD(&probes->profiles, profile, entry);
	return profile;
}

static void free_profile(struct profile *profile)
{
	LIST_REMOVE(profile, entry);
	SSL_CTX_free(profile->tls);
	free(profile->probe.from);
	free(profile->probe.request_uri);
	free(profile->probe.user);
	free(profile->probe.ca);
	free(profile->probe.sni);
	free(profile->probe.load_header);
	free(profile);
}

void probe_profiles_free_unwanted(struct probes *probes)
{
	struct profile *profile, *next;
	size_t i;

	LIST_FOREACH(profile, &probes->profiles, entry)
	profile->wanted = false;
	for (i = 0; i < probes->count; i++)
		probes->probers[i]->profile->wanted = true;
	for (profile = LIST_FIRST(&probes->profiles); profile; profile = next) {
		next = LIST_NEXT(profile, entry);
		if (!profile->wanted)
			free_profile(profile);
	}
}
