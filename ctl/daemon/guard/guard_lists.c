// SPDX-License-Identifier: GPL-2.0
/* See guard_lists.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "ctl/daemon/log.h"
#include "generation.h"
#include "guard_lists.h"

#define SLICE 1000 /* prefixes that the worker adds between two checks for urgent jobs: 1 to 3 ms */

struct guard_lists {
	struct guard_files *files; /* result of the last read; NULL: not read yet */
	int trie;                  /* the trie with these lists; -1: not built yet */
	uint32_t *ids;             /* of the lists in this trie */
	bool must_read; /* the daemon has just started: it must read the files of the running configuration */
	bool must_load; /* the kernel does not have `files` yet */
	bool is_loading;
	int error;       /* of the last attempt to load the lists; each error is logged once */
	char fault[512]; /* "": none */
};

struct guard_lists *guard_lists_new(void)
{
	struct guard_lists *lists = allocate(1, sizeof(*lists));

	lists->trie = -1;
	return lists;
}

static void drop_trie(struct guard_lists *lists)
{
	if (lists->trie >= 0)
		close(lists->trie);
	lists->trie = -1;
	free(lists->ids);
	lists->ids = NULL;
}

void guard_lists_free(struct guard_lists *lists)
{
	if (!lists)
		return;
	drop_trie(lists);
	guard_files_free(lists->files);
	free(lists);
}

void guard_lists_start(struct daemon *daemon)
{
	daemon->guard_lists->must_read = true;
	daemon->farm->lists_pending = daemon->farm->config->guard.list_count || maps_have_trie(daemon->maps);
}

void guard_lists_follow_maps(struct daemon *daemon)
{
	daemon->guard_lists->must_load = daemon->guard_lists->files != NULL;
	daemon->farm->lists_pending = daemon->farm->config->guard.list_count || maps_have_trie(daemon->maps);
}

bool guard_lists_take(struct daemon *daemon, struct guard_files *files)
{
	struct guard_lists *lists = daemon->guard_lists;
	bool same = lists->files && !lists->must_load && guard_files_equal(lists->files, files);

	lists->must_read = false;
	*lists->fault = '\0';
	guard_files_free(lists->files);
	lists->files = files;
	if (same)
		return false;
	drop_trie(lists);
	lists->must_load = true;
	daemon->farm->lists_pending = true;
	return true;
}

void guard_lists_note_faults(struct daemon *daemon, const struct faults *faults)
{
	struct guard_lists *lists = daemon->guard_lists;

	*lists->fault = '\0';
	if (faults->count > 1)
		snprintf(lists->fault, sizeof(lists->fault), "%.400s (and %zu more)", faults->list[0].message,
			faults->count - 1);
	else if (faults->count)
		snprintf(lists->fault, sizeof(lists->fault), "%s", faults->list[0].message);
}

/* --- reading */

struct reading {
	struct config *config;
	struct faults *faults;
	struct guard_files *files;
};

static void read_lists(void *data)
{
	struct reading *reading = data;

	reading->files = guard_files_read(reading->config, reading->faults);
}

/* Reads the files of a copy of the configuration, because an urgent job may replace the farm. */
struct guard_files *guard_lists_read(struct daemon *daemon, const struct config *config, struct faults *faults)
{
	struct reading reading = {.config = config_copy(config), .faults = faults};

	worker_compute(daemon->worker, read_lists, &reading);
	config_free(reading.config);
	return reading.files;
}

/* If a file has a fault, the lists in the kernel stay in use. If the kernel has no lists yet, it receives the lists
 * without a fault: a faulty list of attackers must not disable a list of trusted carriers. */
static void read_files(struct daemon *daemon)
{
	struct guard_lists *lists = daemon->guard_lists;
	struct faults faults = {0};
	struct guard_files *files;

	files = guard_lists_read(daemon, daemon->farm->config, &faults);
	lists->must_read = false;
	daemon_log_faults(daemon, &faults);
	guard_lists_note_faults(daemon, &faults);
	guard_files_free(lists->files);
	lists->files = files;
	lists->must_load = !files->faulty || !maps_have_trie(daemon->maps);
	if (files->faulty)
		log_error("guard: %s, until 'sipxdp-ctl guard reload' finds no fault",
			lists->must_load ? "the lists with faults are empty" : "the previous lists stay in use");
	faults_free(&faults);
}

/* --- the trie */

/* The ids of the lists in the running maps; NULL: the maps do not have all of them yet. The caller frees them. */
static uint32_t *find_ids(const struct daemon *daemon)
{
	const struct guard_files *files = daemon->guard_lists->files;
	uint32_t *ids = allocate(files->count, sizeof(*ids));

	for (size_t i = 0; i < files->count; i++) {
		for (uint32_t id = GUARD_LIST_FIRST; id < GUARD_LISTS && !ids[i]; id++)
			if (!strcmp(daemon->running->guard_list_names[id].name, files->lists[i].name))
				ids[i] = id;
		if (!ids[i]) {
			free(ids);
			return NULL;
		}
	}
	return ids;
}

/* Builds a trie of those lists of `files` that are true in `wanted` (NULL: of all). No other job replaces `files`
 * meanwhile. Returns a descriptor, or -errno. */
static int build(struct daemon *daemon, const uint32_t *ids, const bool *wanted)
{
	const struct prefix_lists *prefixes = &daemon->guard_lists->files->prefixes;
	const struct prefix_key ipv4 = prefix_all_ipv4();
	int trie = maps_new_trie(), error = trie;

	/* Both families share one trie. Without this entry, ::/8 on a list would also apply to all IPv4 sources. */
	if (trie >= 0)
		error = maps_add_to_trie(trie, &ipv4, GUARD_LIST_NONE);
	for (size_t i = 0; i < prefixes->count && !error;) {
		size_t end = i + SLICE < prefixes->count ? i + SLICE : prefixes->count;

		worker_unlock(daemon->worker);
		for (; i < end && !error; i++) {
			uint32_t list = prefixes->entries[i].list;

			if (!wanted || wanted[list])
				error = maps_add_to_trie(trie, &prefixes->entries[i].prefix, ids[list]);
		}
		worker_lock(daemon->worker);
		if (!error && !worker_run_urgent(daemon->worker))
			error = -ECANCELED;
	}
	if (error && trie >= 0)
		close(trie);
	return error ? error : trie;
}

/* Replacing the trie waits until no packet uses the old one, which takes several ms. `trie` is -1 for none. */
static int put_in_place(struct daemon *daemon, int trie)
{
	int error;

	worker_unlock(daemon->worker);
	error = trie >= 0 ? maps_set_trie(daemon->maps, trie) : maps_remove_trie(daemon->maps);
	worker_lock(daemon->worker);
	return error;
}

/* The limits of the lists in the kernel apply from now on. */
static void apply(struct daemon *daemon)
{
	daemon->farm->lists_pending = false;
	generation_raise(daemon);
	daemon_reconcile(daemon);
}

/* Does each guard drop all packets of this list? */
static bool is_denied(const struct image *running, uint32_t list)
{
	for (uint32_t id = 1; id < GUARDS; id++) {
		uint32_t at = running->guards[id].first_class + list;
		const struct guard_class *class = &running->guard_classes[at % GUARD_CLASSES];

		if (!*running->guard_names[id].name)
			continue;
		if (class->list != list || class->action != GUARD_DENY || !(class->enforced & 1u << GUARD_RULE_DENIED))
			return false;
	}
	return true;
}

/* Without lists in the kernel, services wait for their guards. A long list of attackers must not delay them. Until it
 * is loaded, its sources are on no list. A packet of them that is dropped then would be dropped with the list, too. So
 * the first trie has all other lists. */
static int load_first(struct daemon *daemon, const uint32_t *ids)
{
	const struct guard_files *files = daemon->guard_lists->files;
	bool *wanted = allocate(files->count, sizeof(*wanted));
	uint32_t maps = maps_id(daemon->maps);
	int trie, error;

	for (size_t i = 0; i < files->count; i++)
		wanted[i] = !is_denied(daemon->running, ids[i]);
	trie = build(daemon, ids, wanted);
	free(wanted);
	if (trie < 0)
		return trie;
	error = maps_id(daemon->maps) == maps ? put_in_place(daemon, trie) : -EAGAIN;
	close(trie);
	if (error)
		return error;
	apply(daemon);
	log_event(LOG_INFO, LOG_FIELDS({"event", "guard_lists"}),
		"guard: the limits are in use; the lists whose sources are dropped follow");
	return 0;
}

static bool has_same_ids(const struct guard_lists *lists, const uint32_t *ids)
{
	return lists->ids && !memcmp(lists->ids, ids, lists->files->count * sizeof(*ids));
}

static int load(struct daemon *daemon)
{
	struct guard_lists *lists = daemon->guard_lists;
	uint32_t maps = maps_id(daemon->maps), *ids = find_ids(daemon);
	int trie;

	if (!ids)
		return -EAGAIN; /* the maps still lack the names of new lists */
	if (has_same_ids(lists, ids)) {
		free(ids);
		return put_in_place(daemon, lists->trie);
	}
	if (!lists->files->prefixes.count) {
		drop_trie(lists);
		lists->ids = ids;
		return put_in_place(daemon, lists->trie);
	}
	trie = maps_have_trie(daemon->maps) ? 0 : load_first(daemon, ids);
	if (!trie)
		trie = build(daemon, ids, NULL);
	if (trie >= 0 && maps_id(daemon->maps) != maps) {
		close(trie);
		trie = -EAGAIN; /* the ids may be different in the new maps */
	}
	if (trie < 0) {
		free(ids);
		return trie;
	}
	drop_trie(lists);
	lists->trie = trie;
	lists->ids = ids;
	return put_in_place(daemon, trie);
}

static void finish(struct daemon *daemon)
{
	const struct guard_files *files = daemon->guard_lists->files;

	daemon->guard_lists->must_load = false;
	apply(daemon);
	if (files->count)
		log_event(LOG_INFO, LOG_FIELDS({"event", "guard_lists"}), "guard: %zu prefixes on %zu lists are in use",
			files->prefixes.count, files->count);
}

int guard_lists_update(struct daemon *daemon)
{
	struct guard_lists *lists = daemon->guard_lists;
	int error;

	if (lists->is_loading)
		return 0;
	lists->is_loading = true;
	if (lists->must_read)
		read_files(daemon);
	error = lists->must_load ? load(daemon) : -EALREADY;
	lists->is_loading = false;
	if (error == -EALREADY)
		return 0;
	if (!error)
		finish(daemon);
	else if (error != lists->error && error != -EAGAIN && error != -ECANCELED)
		log_error("cannot load the lists of the guard: %s; the previous lists stay in use; trying again every "
			  "second",
			strerror(-error));
	lists->error = error;
	return error;
}

/* --- queries */

const char *guard_lists_fault(const struct daemon *daemon)
{
	return *daemon->guard_lists->fault ? daemon->guard_lists->fault : NULL;
}

bool guard_lists_are_ready(const struct daemon *daemon)
{
	return !daemon->guard_lists->must_read && !daemon->guard_lists->must_load;
}

bool guard_lists_are_known(const struct daemon *daemon)
{
	return guard_lists_are_ready(daemon) && daemon->guard_lists->ids;
}

bool guard_lists_can_move(const struct daemon *daemon)
{
	return daemon->guard_lists->ids || daemon->guard_lists->must_load;
}

const struct guard_files *guard_lists_files(const struct daemon *daemon)
{
	return daemon->guard_lists->files;
}

const char *guard_lists_unknown_trust(const struct daemon *daemon)
{
	const struct guard_files *files = daemon->guard_lists->files;
	const struct config_guard *guard = &daemon->farm->config->guard;

	for (size_t i = 0; i < guard->list_count; i++)
		if (guard->lists[i].action == GUARD_TRUST && (!files || i >= files->count || files->lists[i].is_faulty))
			return guard->lists[i].name;
	return NULL;
}

const char *guard_lists_trusting(
	const struct daemon *daemon, const struct prefix_key *prefix, char text[PREFIX_TEXT_SIZE])
{
	const struct guard_files *files = daemon->guard_lists->files;
	const struct list_entry *found = NULL;
	bool *trusting;

	if (!files)
		return NULL;
	trusting = allocate(files->count, sizeof(*trusting));
	for (size_t i = 0; i < files->count; i++)
		trusting[i] = files->lists[i].action == GUARD_TRUST;
	found = prefix_lists_overlap(&files->prefixes, prefix, trusting);
	free(trusting);
	if (!found)
		return NULL;
	prefix_format(&found->prefix, text);
	return files->lists[found->list].name;
}

bool guard_lists_find(
	const struct daemon *daemon, const struct address *address, struct prefix_key *prefix, uint32_t *list)
{
	const struct guard_lists *lists = daemon->guard_lists;
	const struct list_entry *found = lists->ids ? prefix_lists_match(&lists->files->prefixes, address) : NULL;

	if (!found)
		return false;
	*prefix = found->prefix;
	*list = lists->ids[found->list];
	return true;
}
