// SPDX-License-Identifier: GPL-2.0
/* See health.h. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "core/view/readiness.h"
#include "ctl/maps/maps.h"
#include "health.h"

#define SWITCH_POLLS 50 /* with pauses of 20 ms: the time that the loader needs to activate new maps */
#define SWITCH_PAUSE_NSEC 20000000

struct health_check {
	const char *pin_directory;
	const char *service; /* NULL: all services */
	bool forwarding;     /* check only whether the balancer forwards */
	struct maps *maps;
	char error[MAPS_ERROR_SIZE];
};

static struct readiness_link link_of(const char *interface, void *data)
{
	const struct health_check *health = data;
	char name[INTERFACE_SIZE];

	return (struct readiness_link){
		.is_attached = strcmp(maps_attach_mode(health->maps, health->pin_directory, interface), "none"),
		.fault = maps_link_fault(maps_current_name(health->pin_directory, interface, name))};
}

/* While the loader replaces the maps, the pin of the contract is missing for a few ms, and the kernel forwards. */
static bool is_switching(const struct health_check *health)
{
	int program = maps_open_pin(health->pin_directory, PIN_PROGRAM);

	if (program >= 0)
		close(program);
	return program >= 0;
}

/* 0 or -errno with the reason in health->error. */
static int check_maps(struct health_check *health, struct messages *reasons)
{
	struct image *image;
	int error;

	if (!maps_are_filled(health->maps)) {
		messages_add(reasons, "sipxdpd has not filled the maps yet: wait if it is running, otherwise start it");
		return 0;
	}
	error = maps_read_readiness(health->maps, &image);
	if (error) {
		snprintf(health->error, sizeof(health->error), "cannot read the maps in %s: %s", health->pin_directory,
			strerror(-error));
		return error;
	}
	if (health->forwarding) {
		readiness_check_forwarding(image, link_of, health, reasons);
	} else {
		readiness_check_joining(image, time(NULL), reasons);
		error = readiness_check(image, health->service, link_of, health, reasons);
	}
	if (error)
		snprintf(health->error, sizeof(health->error),
			"no service '%s' in the maps (see 'sipxdp-ctl service list')", health->service);
	image_free(image);
	return error;
}

/* Needs root: otherwise no program is found. */
static bool runs_balancer(uint32_t ifindex)
{
	struct bpf_prog_info info = {0};
	uint32_t program = 0, size = sizeof(info);
	int fd = bpf_xdp_query_id(ifindex, 0, &program) || !program ? -1 : bpf_prog_get_fd_by_id(program);
	bool known = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size);

	if (fd >= 0)
		close(fd);
	return known && (!strcmp(info.name, PIN_PROGRAM) || !strcmp(info.name, PIN_OBSERVER));
}

/* A process that has the pin directory open keeps the links of an unmounted bpffs: normally sipxdpd. */
static void explain_missing(const struct health_check *health, struct messages *reasons)
{
	struct if_nameindex *interfaces = if_nameindex(), *running = interfaces;

	while (running && running->if_index && !runs_balancer(running->if_index))
		running++;
	if (running && running->if_index)
		messages_add(reasons,
			"nothing is pinned in %s, but interface %s runs a balancer (was bpffs unmounted?): do not stop "
			"sipxdpd, because forwarding may end with it",
			health->pin_directory, running->if_name);
	else
		messages_add(reasons,
			"the balancer is detached and forwards no packets ('sipxdp-loader attach' attaches it)");
	if (interfaces)
		if_freenameindex(interfaces);
}

/* As check_maps(). -EAGAIN: the loader replaced the maps at the same time. */
static int check_once(struct health_check *health, struct messages *reasons)
{
	int error = maps_open(&health->maps, health->pin_directory, health->error);

	if (error == -ENOENT) {
		if (is_switching(health))
			return -EAGAIN;
		explain_missing(health, reasons);
		return 0;
	}
	if (!error)
		error = check_maps(health, reasons);
	if (health->maps && maps_are_pinned(health->maps, health->pin_directory) == 0)
		error = -EAGAIN;
	maps_close(health->maps);
	return error;
}

/* 0 or -errno with the reason in health->error. */
static int check(struct health_check *health, struct messages *reasons)
{
	const struct timespec pause = {.tv_nsec = SWITCH_PAUSE_NSEC};
	int error = check_once(health, reasons);

	for (int i = 0; i < SWITCH_POLLS && error == -EAGAIN; i++) {
		nanosleep(&pause, NULL);
		messages_free(reasons);
		error = check_once(health, reasons);
	}
	if (error != -EAGAIN)
		return error;
	if (!health->forwarding)
		messages_add(reasons, READINESS_INTERRUPTED);
	return 0;
}

static void print(struct output *output, const struct messages *reasons)
{
	json_t *list = json_array();

	for (size_t i = 0; i < reasons->count; i++)
		json_array_append_new(list, protocol_text(reasons->list[i]));
	list = json_pack("{s:b, s:o}", "healthy", reasons->count == 0, "reasons", list);
	output_result(output, COMMAND_HEALTH, list);
	json_decref(list);
}

enum health_result health_run(struct output *output, const char *pin_directory, const json_t *arguments)
{
	struct health_check health = {
		.pin_directory = pin_directory,
		.service = json_string_value(json_object_get(arguments, "service")),
		.forwarding = json_is_true(json_object_get(arguments, "forwarding")),
	};
	enum health_result result = HEALTH_UNDETERMINED;
	struct messages reasons = {0};

	if (health.service && health.forwarding) {
		output_error(output, "--forwarding checks no service: omit --service");
	} else if (check(&health, &reasons)) {
		output_error(output, "%s", health.error);
	} else {
		messages_cut(&reasons, MESSAGES_SHOWN);
		print(output, &reasons);
		result = reasons.count ? HEALTH_NOT_READY : HEALTH_READY;
	}
	messages_free(&reasons);
	return result;
}
