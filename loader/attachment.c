// SPDX-License-Identifier: GPL-2.0
/* See attachment.h. Reads the pinned links and the programs that the dispatcher calls. Compares them with the
 * current state of the interfaces. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "attachment.h"
#include "dispatcher.h"
#include "output.h"

#define EXAMINATIONS 3 /* attempts: sipxdpd may replace the program between the two queries */

/* The link contains an ifindex, and an ifindex is valid in one network namespace only. The link belongs to this
 * namespace only if the interface with this index runs the same program. */
static int examine_link_once(struct attachment *attachment)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	struct xdp_state xdp;

	if (bpf_obj_get_info_by_fd(attachment->fd, &info, &size))
		return -errno;
	if (info.type != BPF_LINK_TYPE_XDP)
		return -EMEDIUMTYPE;
	attachment->link_id = info.id;
	attachment->program_id = info.prog_id;
	attachment->ifindex = info.xdp.ifindex;
	if (!info.xdp.ifindex)
		return 0;
	attachment->state = ATTACHMENT_ELSEWHERE;
	if (interface_query(info.xdp.ifindex, &xdp) || xdp.program_id != info.prog_id)
		return 0;
	if (if_indextoname(info.xdp.ifindex, attachment->name)) {
		attachment->state = ATTACHMENT_LIVE;
		attachment->mode = xdp.mode;
	}
	return 0;
}

static int examine_link(struct attachment *attachment)
{
	int err = examine_link_once(attachment);

	for (int i = 1; i < EXAMINATIONS && !err && attachment->state == ATTACHMENT_ELSEWHERE; i++)
		err = examine_link_once(attachment);
	return err;
}

static int examine_dispatched(struct attachment *attachment)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int ifindex = if_nametoindex(attachment->pin);

	if (bpf_obj_get_info_by_fd(attachment->fd, &info, &size))
		return -errno;
	attachment->program_id = info.id;
	if (ifindex && dispatcher_calls(ifindex, info.id, &attachment->mode)) {
		attachment->state = ATTACHMENT_LIVE;
		attachment->ifindex = ifindex;
	}
	return 0;
}

static int read_one(const struct pins *pins, enum pins_place place, const char *name, struct attachment *out)
{
	char path[PATH_MAX];
	int err;

	*out = (struct attachment){.state = ATTACHMENT_GONE, .dispatched = place == PINS_DISPATCHED};
	strcpy(out->pin, name);
	strcpy(out->name, name);
	out->fd = pins_get(pins, place, name);
	if (out->fd < 0)
		err = out->fd;
	else
		err = out->dispatched ? examine_dispatched(out) : examine_link(out);
	if (!err)
		return 0;
	pins_path(pins, place, name, path);
	output_error("cannot read the pin %s: %s", path, output_errno(err));
	if (out->fd >= 0)
		close(out->fd);
	return -1;
}

static int read_place(const struct pins *pins, enum pins_place place, struct attachments *attachments)
{
	struct attachment *list;
	char(*names)[IFNAMSIZ];
	int result = -1;
	size_t count, i;

	if (pins_interfaces(pins, place, &names, &count))
		goto out;
	list = reallocarray(attachments->list, attachments->count + count + 1, sizeof(*list));
	if (!list)
		goto out;
	attachments->list = list;
	for (i = 0; i < count; i++) {
		if (read_one(pins, place, names[i], &list[attachments->count]))
			goto out;
		attachments->count++;
	}
	result = 0;
out:
	free(names);
	return result;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct attachment *)a)->name, ((const struct attachment *)b)->name);
}

int attachments_read(const struct pins *pins, struct attachments *out)
{
	*out = (struct attachments){0};
	if (read_place(pins, PINS_LINKS, out) || read_place(pins, PINS_DISPATCHED, out)) {
		attachments_free(out);
		return -1;
	}
	qsort(out->list, out->count, sizeof(*out->list), compare);
	return 0;
}

struct attachment *attachments_find(const struct attachments *attachments, const char *name)
{
	struct attachment *found = NULL;
	size_t i;

	for (i = 0; i < attachments->count; i++) {
		struct attachment *attachment = &attachments->list[i];

		if (!strcmp(attachment->name, name))
			return attachment;
		if (!strcmp(attachment->pin, name))
			found = attachment;
	}
	return found;
}

size_t attachments_running(const struct attachments *attachments)
{
	size_t i, running = 0;

	for (i = 0; i < attachments->count; i++)
		running += attachments->list[i].state != ATTACHMENT_GONE;
	return running;
}

int attachment_replace(const struct attachment *attachment, int program)
{
	if (!bpf_link_update(attachment->fd, program, NULL))
		return 0;
	output_error("cannot replace the program on %s: %s", attachment->name, output_errno(errno));
	return -1;
}

int attachment_remove(struct pins *pins, struct attachment *attachment)
{
	enum pins_place place = attachment->dispatched ? PINS_DISPATCHED : PINS_LINKS;

	if (attachment->dispatched && attachment->state == ATTACHMENT_LIVE) {
		if (dispatcher_detach(attachment->ifindex, attachment->program_id))
			return -1;
	} else if (!attachment->dispatched && bpf_link_detach(attachment->fd) && attachment->ifindex) {
		/* Detaches explicitly, because another process may still have the link open. */
		output_error("cannot detach from %s: %s", attachment->name, output_errno(errno));
		return -1;
	}
	return pins_remove(pins, place, attachment->pin);
}

void attachments_free(struct attachments *attachments)
{
	while (attachments->count)
		close(attachments->list[--attachments->count].fd);
	free(attachments->list);
	attachments->list = NULL;
}
