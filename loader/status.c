// SPDX-License-Identifier: GPL-2.0
/* The command `status`: shows the attachments. It first builds JSON, then prints text from the JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <jansson.h>
#include "attachment.h"
#include "dispatcher.h"
#include "allowlist.h"
#include "options.h"
#include "output.h"

struct status {
	struct pins pins;
	json_t *programs;
	json_t *warnings;
};

/* --- collecting */

static void warn(struct status *status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct status *status, const char *format, ...)
{
	char text[512];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	json_array_append_new(status->warnings, json_string(text));
}

/* The kernel counts from boot, including the time in suspend. */
static json_t *loaded_at(uint64_t load_time)
{
	const int64_t second = 1000000000;
	struct timespec now, boot;
	char text[32];
	time_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	seconds = ((now.tv_sec - boot.tv_sec) * second + now.tv_nsec - boot.tv_nsec + (int64_t)load_time) / second;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
	return json_string(text);
}

/* Finds the program by its id, because the program of the link may differ from the pinned program. */
static json_t *describe_program(uint32_t id)
{
	int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	char tag[2 * BPF_TAG_SIZE + 1];
	json_t *program = json_pack("{s:I}", "id", (json_int_t)id);
	int err, i;

	if (fd < 0)
		return program; /* not root: only the id is available */
	err = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	if (err)
		return program;
	for (i = 0; i < BPF_TAG_SIZE; i++)
		sprintf(tag + 2 * i, "%02x", info.tag[i]);
	json_object_set_new(program, "name", json_string(info.name));
	json_object_set_new(program, "tag", json_string(tag));
	json_object_set_new(program, "loaded", loaded_at(info.load_time));
	return program;
}

static const char *state_name(enum attachment_state state)
{
	switch (state) {
	case ATTACHMENT_LIVE:
		return "attached";
	case ATTACHMENT_GONE:
		return "gone";
	case ATTACHMENT_ELSEWHERE:
		break;
	}
	return "elsewhere";
}

/* The id of a pinned program; 0: none, or not root. */
static uint32_t pinned_program(const struct status *status, const char *name)
{
	int fd = pins_get(&status->pins, PINS_TOP, name);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		info.id = 0;
	close(fd);
	return info.id;
}

/* Returns true if sipxdpd has replaced the balancer with the observer. */
static bool is_observed(const struct status *status, const struct attachment *attachment)
{
	uint32_t observer = pinned_program(status, PIN_OBSERVER);

	return status->pins.kind == PROGRAM_BALANCER && observer && observer == attachment->program_id;
}

/* A loader that is killed during an upgrade leaves such a program. The dispatcher calls copies of the pinned program.
 */
static bool is_unpinned(const struct status *status, const struct attachment *attachment)
{
	uint32_t pinned = pinned_program(status, program_name(status->pins.kind));

	return pinned && pinned != attachment->program_id && attachment->state != ATTACHMENT_GONE &&
	       !attachment->dispatched && !is_observed(status, attachment);
}

static json_t *describe_attachment(const struct status *status, const struct attachment *attachment)
{
	char pin[PATH_MAX];
	json_t *object;

	pins_path(&status->pins, attachment->dispatched ? PINS_DISPATCHED : PINS_LINKS, attachment->pin, pin);
	object = json_pack("{s:s, s:s, s:b, s:s}", "name", attachment->name, "state", state_name(attachment->state),
		"dispatcher", attachment->dispatched, "pin", pin);
	if (attachment->state == ATTACHMENT_LIVE)
		json_object_set_new(object, "mode", json_string(mode_name(attachment->mode)));
	if (attachment->state != ATTACHMENT_GONE) {
		json_object_set_new(object, "ifindex", json_integer(attachment->ifindex));
		json_object_set_new(object, "program", describe_program(attachment->program_id));
	}
	if (attachment->state != ATTACHMENT_GONE && is_observed(status, attachment))
		json_object_set_new(object, "observed", json_true());
	if (attachment->link_id)
		json_object_set_new(object, "link", json_integer(attachment->link_id));
	return object;
}

/* --- warnings */

static void warn_of_gone(struct status *status, const struct attachment *attachment)
{
	int ifindex = if_nametoindex(attachment->name);
	char text[PROGRAM_TEXT_SIZE];
	struct xdp_state xdp;

	if (!ifindex)
		warn(status, "%s: the interface no longer exists ('sipxdp-loader detach %s' removes its pin)",
			attachment->name, attachment->name);
	else if (!interface_query(ifindex, &xdp) && xdp.program_id)
		warn(status, "%s: %s has replaced the program of sipxdp (see 'ip link show %s')", attachment->name,
			interface_program_text(xdp.program_id, text), attachment->name);
	else
		warn(status, "%s: nothing is attached any more ('sipxdp-loader attach' attaches it again)",
			attachment->name);
}

static void warn_of_attachment(struct status *status, const struct attachment *attachment)
{
	if (attachment->state == ATTACHMENT_GONE)
		warn_of_gone(status, attachment);
	else if (attachment->state == ATTACHMENT_ELSEWHERE)
		warn(status, "%s: this is an interface of a different network namespace", attachment->name);
	else if (attachment->mode == MODE_GENERIC)
		warn(status, "%s: the program runs in generic mode, which is many times slower than native mode",
			attachment->name);
	if (strcmp(attachment->name, attachment->pin))
		warn(status,
			"%s: the interface was called %s when it was attached ('sipxdp-loader attach' with the "
			"current name renames its pin)",
			attachment->name, attachment->pin);
}

/* The dispatcher calls copies of the program, and the link of a removed interface keeps its last program. */
static bool has_program_of_link(const struct attachment *attachment)
{
	return !attachment->dispatched && attachment->state != ATTACHMENT_GONE && attachment->program_id;
}

static bool run_different_programs(const struct attachments *attachments)
{
	uint32_t first = 0;
	size_t i;

	for (i = 0; i < attachments->count; i++) {
		const struct attachment *attachment = &attachments->list[i];

		if (!has_program_of_link(attachment))
			continue;
		if (first && attachment->program_id != first)
			return true;
		first = attachment->program_id;
	}
	return false;
}

static void warn_of_faults(
	struct status *status, const struct attachments *attachments, const struct contract *contract)
{
	const char *name = program_name(status->pins.kind);
	const struct attachment *list = attachments->list;
	bool unpinned = false;
	size_t i;

	for (i = 0; i < attachments->count; i++) {
		warn_of_attachment(status, &list[i]);
		unpinned = unpinned || is_unpinned(status, &list[i]);
	}
	if (!attachments->count && pins_have_maps(&status->pins))
		warn(status,
			"%s: maps are pinned, but no interface is attached ('sipxdp-loader detach' removes the maps)",
			name);
	else if (!attachments->count)
		warn(status,
			"%s: a loader was interrupted before it attached the program ('sipxdp-loader detach' removes "
			"its pins)",
			name);
	if (run_different_programs(attachments))
		warn(status, "%s: not all interfaces run the same program (run 'sipxdp-loader upgrade' again)", name);
	else if (unpinned)
		warn(status,
			"%s: a loader was interrupted: the interfaces run a program that is not the pinned one, and "
			"may use maps that sipxdpd does not maintain (run 'sipxdp-loader upgrade' again)",
			name);
	if (contract && contract->version != ABI_VERSION)
		warn(status, "%s: the maps pinned in %s have contract version %u, but this program needs version %u",
			name, status->pins.dir, contract->version, ABI_VERSION);
}

/* --- allowlists and counters of decap */

/* The counters of each CPU, which the caller frees; NULL if the map has the layout of a different release. */
static struct decap_verdict_counters *read_decap_verdicts(const struct pins *pins, int cpus)
{
	struct decap_verdict_counters *counters = calloc(cpus > 0 ? cpus : 1, sizeof(*counters));
	int map = pins_get(pins, PINS_TOP, "decap_verdicts");
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (!counters || map < 0 || bpf_obj_get_info_by_fd(map, &info, &size) || info.value_size != sizeof(*counters) ||
		bpf_map_lookup_elem(map, &(uint32_t){0}, counters)) {
		free(counters);
		counters = NULL;
	}
	if (map >= 0)
		close(map);
	return counters;
}

/* Warns of each anomaly counter that is not 0. */
static void warn_of_decap_anomalies(struct status *status)
{
	static const struct {
		const char *name, *text;
		bool normal;
	} verdicts[] = {
#define NORMAL true
#define ANOMALY false
#define ROW(name, action, normal, text) [VERDICT_##name] = {#name, text, normal},
		DECAP_VERDICTS(ROW)
#undef ROW
#undef ANOMALY
#undef NORMAL
	};
	int cpus = libbpf_num_possible_cpus(), i, cpu;
	struct decap_verdict_counters *counters = read_decap_verdicts(&status->pins, cpus);
	uint64_t sum;

	for (i = 0; counters && i < DECAP_VERDICT_COUNT; i++) {
		for (sum = 0, cpu = 0; cpu < cpus; cpu++)
			sum += ((uint64_t *)&counters[cpu])[i];
		if (sum && !verdicts[i].normal)
			warn(status, "decap: %llu packets: %s: %s", (unsigned long long)sum, verdicts[i].name,
				verdicts[i].text);
	}
	free(counters);
}

/* Returns NULL if the maps belong to a different release. */
static json_t *describe_decap(struct status *status)
{
	struct allowlists lists;
	json_t *object = NULL;

	if (!allowlists_open(&lists, &status->pins)) {
		object = allowlists_describe(&lists, status->warnings);
		warn_of_decap_anomalies(status);
	}
	allowlists_close(&lists);
	return object;
}

/* --- one program */

static json_t *describe_contract(const struct contract *contract)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "version", (json_int_t)contract->version, "slots",
		(json_int_t)contract->slots, "pools", (json_int_t)contract->pools, "services",
		(json_int_t)contract->services, "backends", (json_int_t)contract->backends, "tracked_calls",
		(json_int_t)contract->tracked_calls, "counted_calls", (json_int_t)contract->counted_calls,
		"guarded_sources", (json_int_t)contract->guarded_sources);
}

static int collect(struct status *status, const char *dir, enum program_kind kind)
{
	struct attachments attachments = {0};
	struct contract contract;
	json_t *program, *interfaces;
	int no_contract = -ENOTSUP; /* decap has none */
	bool next;
	size_t i;

	if (pins_open(&status->pins, dir, kind, PINS_READ) || attachments_read(&status->pins, &attachments))
		return -1;
	next = pins_have_program(&status->pins, PINS_NEXT);
	if (!attachments.count && !next && !pins_have_program(&status->pins, PINS_TOP)) {
		attachments_free(&attachments);
		return 0;
	}
	program = json_pack("{s:s}", "name", program_name(kind));
	if (kind == PROGRAM_BALANCER)
		no_contract = pins_contract(&status->pins, PINS_TOP, &contract);
	if (!no_contract)
		json_object_set_new(program, "contract", describe_contract(&contract));
	interfaces = json_array();
	for (i = 0; i < attachments.count; i++)
		json_array_append_new(interfaces, describe_attachment(status, &attachments.list[i]));
	json_object_set_new(program, "interfaces", interfaces);
	json_array_append_new(status->programs, program);
	if (kind == PROGRAM_DECAP)
		json_object_set_new(program, "accepts", describe_decap(status));
	warn_of_faults(status, &attachments, no_contract ? NULL : &contract);
	if (no_contract == -ENOENT && attachments.count)
		warn(status, "balancer: a loader was interrupted while it put new maps in place ('sipxdp-loader "
			     "upgrade' completes the work)");
	else if (next)
		warn(status,
			"%s: %s/next contains new maps: an upgrade is running, or was interrupted "
			"('sipxdp-loader upgrade' removes these maps)",
			program_name(kind), dir);
	attachments_free(&attachments);
	return 0;
}

/* --- text */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void print_interface(const json_t *interface)
{
	const json_t *program = json_object_get(interface, "program");
	char id[16] = "-", link[16] = "-";

	if (program)
		snprintf(id, sizeof(id), "%lld", json_integer_value(json_object_get(program, "id")));
	if (json_object_get(interface, "link"))
		snprintf(link, sizeof(link), "%lld", json_integer_value(json_object_get(interface, "link")));
	printf("%-15s %-9s %-8s %-10s %-12s %-7s %-16s  %-20s %s\n", text_of(interface, "name"),
		text_of(interface, "state"), text_of(interface, "mode"),
		json_is_true(json_object_get(interface, "dispatcher")) ? "dispatcher" : "link",
		text_of(program, "name"), id, text_of(program, "tag"), text_of(program, "loaded"), link);
}

/* The items are prefixes or port numbers. */
static void print_accepted(const char *title, const json_t *array)
{
	const json_t *item;
	size_t i;

	printf("%s", title);
	json_array_foreach(array, i, item)
	{
		if (json_is_integer(item))
			printf("%s %lld", i ? "," : "", json_integer_value(item));
		else
			printf("%s %s", i ? "," : "", json_string_value(item));
	}
	putchar('\n');
}

static void print_program(const json_t *program)
{
	const json_t *accepts = json_object_get(program, "accepts");
	const json_t *contract = json_object_get(program, "contract"), *value, *interface;
	const char *key;
	size_t i;

	printf("%s:", text_of(program, "name"));
	json_object_foreach((json_t *)contract, key, value) printf("%s %s %lld",
		value == json_object_get(contract, "version") ? " contract" : ",", key, json_integer_value(value));
	printf("\n%-15s %-9s %-8s %-10s %-12s %-7s %-16s  %-20s %s\n", "INTERFACE", "STATE", "MODE", "BY", "PROGRAM",
		"ID", "TAG", "LOADED", "LINK");
	json_array_foreach(json_object_get(program, "interfaces"), i, interface) print_interface(interface);
	json_array_foreach(json_object_get(program, "interfaces"), i, interface)
	{
		if (json_object_get(interface, "observed"))
			printf("%s: the program 'observer' runs while packets are observed (for example 'sipxdp-ctl "
			       "trace'); "
			       "the program 'balancer' replaces it afterwards\n",
				text_of(interface, "name"));
	}
	if (accepts) {
		print_accepted("tunnels from:", json_object_get(accepts, "from"));
		print_accepted("inner packets for:", json_object_get(accepts, "vips"));
		print_accepted("GUE on UDP ports:", json_object_get(accepts, "gue_ports"));
	}
}

static void print_text(const json_t *root)
{
	const json_t *item;
	size_t i;

	printf("pinned in: %s\n", text_of(root, "pin_dir"));
	if (!json_array_size(json_object_get(root, "programs")))
		puts("nothing is attached");
	json_array_foreach(json_object_get(root, "programs"), i, item)
	{
		putchar('\n');
		print_program(item);
	}
	json_array_foreach(json_object_get(root, "warnings"), i, item)
		printf("%swarning: %s\n", i ? "" : "\n", json_string_value(item));
}

int status_run(const struct options *options)
{
	struct status status = {.programs = json_array(), .warnings = json_array()};
	enum program_kind kind;
	int result = 0;
	json_t *root;

	for (kind = 0; !result && kind < PROGRAM_KINDS; kind++) {
		if (!options->program_given || options->program == kind)
			result = collect(&status, options->pin_dir, kind);
	}
	root = json_pack("{s:s, s:s, s:i, s:o, s:o}", "version", SIPXDP_VERSION, "pin_dir", options->pin_dir,
		"abi_version", ABI_VERSION, "programs", status.programs, "warnings", status.warnings);
	if (!result && options->json) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!result) {
		print_text(root);
	}
	json_decref(root);
	return result ? result : output_finish();
}
