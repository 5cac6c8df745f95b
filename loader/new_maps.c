// SPDX-License-Identifier: GPL-2.0
/* Upgrade to new maps with a different contract or different limits. The loader pins the new maps beside the
 * current ones, and sipxdpd fills them. Then the loader updates each link to the program that uses the new
 * maps. Each packet is processed with either the old maps or the new maps, and both have the same contents. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "carry.h"
#include "core/base/memory.h"
#include "ctl/maps/old_map.h"
#include "new_maps.h"
#include "companions.h"
#include "output.h"

#define POLL_MSEC 20

static int refuse_dispatched(const struct attachments *attachments)
{
	size_t i;

	for (i = 0; i < attachments->count; i++) {
		if (!attachments->list[i].dispatched || attachments->list[i].state == ATTACHMENT_GONE)
			continue;
		output_error("%s: libxdp's dispatcher cannot replace a program atomically: to use new maps, run "
			     "'sipxdp-loader detach' and then 'attach' for this interface",
			attachments->list[i].name);
		return -1;
	}
	return 0;
}

/* Stores the BTF of the old maps in a separate pinned map, because sipxdpd cannot read the BTF from the kernel. */
static int pin_old_btf(struct pins *pins)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info), first = 0;
	int old = pins_get(pins, PINS_TOP, "contract"), map = -1, result = -1;
	struct btf *btf = NULL;
	struct old_btf *value;
	const void *data;

	if (old >= 0 && !bpf_obj_get_info_by_fd(old, &info, &length))
		btf = btf__load_from_kernel_by_id(info.btf_id);
	if (btf) {
		data = btf__raw_data(btf, &length);
		value = allocate(1, sizeof(*value) + length);
		value->id = info.btf_id;
		memcpy(value->data, data, length);
		map = bpf_map_create(BPF_MAP_TYPE_ARRAY, PIN_OLD_BTF, sizeof(first), sizeof(*value) + length, 1, NULL);
		if (map >= 0 && !bpf_map_update_elem(map, &first, value, BPF_ANY))
			result = pins_put(pins, PINS_NEXT, PIN_OLD_BTF, map);
		free(value);
	}
	if (result)
		output_error("cannot describe the maps in %s: %s", pins->dir, output_errno(errno));
	btf__free(btf);
	if (map >= 0)
		close(map);
	if (old >= 0)
		close(old);
	return result;
}

/* Pins the program first, because its pin marks the directory as one of sipxdp. */
static int pin(struct pins *pins, const struct program *program)
{
	if (pins_put(pins, PINS_NEXT, program_name(pins->kind), program_fd(program)))
		return -1;
	if (companions_put(pins, PINS_NEXT, program) || pin_old_btf(pins))
		return -1;
	return pins_put_maps(pins, PINS_NEXT, program);
}

static int wait_until_filled(const struct pins *pins, unsigned int seconds)
{
	const struct timespec pause = {.tv_nsec = POLL_MSEC * 1000000};
	unsigned int left = seconds * 1000 / POLL_MSEC;
	struct contract contract;

	output_info("new maps are in %s/" PIN_NEXT ": waiting for sipxdpd to fill them", pins->dir);
	for (;;) {
		int err = pins_contract(pins, PINS_NEXT, &contract);

		if (err) {
			output_error("cannot read the map %s/" PIN_NEXT "/contract: %s", pins->dir, output_errno(err));
			return -1;
		}
		if (contract.filled != CONTRACT_EMPTY)
			return 0;
		if (pins_interrupted()) {
			output_error("interrupted: nothing was changed");
			return -1;
		}
		if (!left--)
			break;
		nanosleep(&pause, NULL);
	}
	output_error("no sipxdpd of this release has filled the new maps within %u s, and nothing was changed: is it "
		     "running? Its log shows the reason (if slots are migrating, run 'sipxdp-ctl pool finish')",
		seconds);
	return -1;
}

/* Has the daemon returned to the old maps, so that the new maps are no longer current? */
static bool are_given_up(const struct pins *pins)
{
	struct contract contract;

	if (!pins_contract(pins, PINS_NEXT, &contract) && contract.filled == CONTRACT_FILLED)
		return false;
	output_error(
		"sipxdpd has returned to the old maps (it was restarted, or waited more than 5 s for the loader), and "
		"nothing was changed: run 'sipxdp-loader upgrade' again");
	return true;
}

static int replace(const struct attachment *attachment, int program)
{
	return attachment->state == ATTACHMENT_GONE ? 0 : attachment_replace(attachment, program);
}

/* Replaces the program of all links. If this fails for a link, restores the program of all earlier links, because the
 * daemon can maintain only one set of maps. */
static int replace_all(const struct attachments *attachments, int program, int before)
{
	size_t i, done = 0;

	while (done < attachments->count && !replace(&attachments->list[done], program))
		done++;
	for (i = 0; done < attachments->count && i < done; i++)
		replace(&attachments->list[i], before);
	return done < attachments->count ? -1 : 0;
}

/* Removes the contract first. If the loader is killed afterwards, the next upgrade finds no contract and completes the
 * move.
 * The daemon may give up the new maps at any time until the contract is removed. Therefore the function checks this
 * again after the removal (give_up_next_maps() in ctl/daemon/active_maps.c). The first check prevents that an upgrade
 * which is already given up removes the contract, because a loader that is killed then would leave no contract. */
static int put_in_place(struct pins *pins, const struct program *program, const struct attachments *attachments)
{
	int contract = pins_get(pins, PINS_TOP, "contract"), result = -1;
	int before = pins_get(pins, PINS_TOP, program_name(pins->kind));
	struct carry *carry = carry_begin(pins, true);

	if (contract < 0 || before < 0)
		output_error(
			"cannot open the pins in %s: %s", pins->dir, output_errno(contract < 0 ? contract : before));
	carry_run(carry);
	if (contract >= 0 && before >= 0 && !are_given_up(pins) && !pins_remove(pins, PINS_TOP, "contract") &&
		!are_given_up(pins))
		result = replace_all(attachments, program_fd(program), before);
	if (!result)
		carry_run(carry);
	carry_end(carry);
	if (result && contract >= 0)
		pins_replace(pins, PINS_TOP, "contract", contract);
	if (contract >= 0)
		close(contract);
	if (before >= 0)
		close(before);
	return result;
}

static int renew(
	struct pins *pins, const struct program *program, const struct attachments *attachments, unsigned int seconds)
{
	if (pin(pins, program) || wait_until_filled(pins, seconds))
		return -1;
	return put_in_place(pins, program, attachments);
}

int new_maps_upgrade(
	struct pins *pins, const struct contract *sizes, const struct attachments *attachments, unsigned int seconds)
{
	struct program program = {0};
	bool left_over;
	int result = -1;

	/* Remove pins that a killed loader may have left. */
	if (refuse_dispatched(attachments) || pins_remove_shared(pins, PINS_NEXT, &left_over))
		return -1;
	if (!program_open(&program, pins->kind, sizes) && !program_load(&program, sizes)) {
		pins_begin(pins);
		result = renew(pins, &program, attachments, seconds);
		if (result) {
			pins_end(pins, true);
		} else {
			result = pins_move_next(pins);
			pins_end(pins, false);
		}
	}
	program_close(&program);
	if (!result)
		output_info("the new maps have replaced the old ones");
	return result;
}
