// SPDX-License-Identifier: GPL-2.0
/* Arbitrary bytes as a join request, in JSON and in SIP, with a valid signature. The farm always stays
 * valid, and each SIP request gets a valid response. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/join/join_sip.h"
#include "core/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file[] = "interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"
			   "limits: {slots: 256, pools: 2, services: 2, backends: 4}\n"
			   "join: {listen: '10.0.0.2:7946', secret: 0123456789abcdef}\n"
			   "services: [{name: sip, vip: 192.0.2.10, port: 5060, pool: proxies}]\n"
			   "pools: [{name: proxies, backends: [{name: px1, address: 10.0.0.11}]}]\n";

static const struct contract contract = {
	.version = ABI_VERSION, .slots = 256, .pools = 2, .services = 2, .backends = 4};

static void check_farm(const struct farm *farm)
{
	for (size_t i = 0; i < farm->pools[0].count; i++) {
		const struct backend_record *record = &farm->pools[0].backends[i].record;

		assert(config_name_is_valid(record->name) && address_is_host(&record->address));
		assert(record->weight <= MAX_WEIGHT);
	}
	assert(farm_find_backend(&farm->pools[0], "px1"));
}

static struct span text_of(const char *text)
{
	return (struct span){text, text + strlen(text)};
}

static struct join_answer take(struct join_request *request)
{
	static const uint8_t signature[JOIN_SIGNATURE_SIZE];
	struct faults faults = {0};
	struct image *running = image_new(&contract);
	struct farm *farm = farm_new(config_parse(file, strlen(file), &faults), running, FARM_RESTART, &faults);
	struct join *join = join_new();
	char signed_text[JOIN_SIGNED_MAX];
	struct join_answer answer;

	assert(farm && join_signed(request, signed_text) <= sizeof(signed_text));
	request->time = text_of("100");
	request->signature = text_of("0000000000000000000000000000000000000000000000000000000000000000");
	answer = join_handle_request(
		join, farm, running, request, signature, (struct join_clocks){.seconds = 100, .ms = 1});
	check_farm(farm);
	join_update_silence(join, farm, 1000000);
	join_free(join);
	farm_free(farm);
	image_free(running);
	assert(answer.status >= 200 && strlen(answer.text) < sizeof(answer.text));
	return answer;
}

static void try_sip(struct span message)
{
	struct join_request request;
	struct join_answer answer = {0};
	struct endpoint peer = {.address.word[3] = 1, .port = 1};
	char out[JOIN_SIP_ANSWER_SIZE];
	const char *text = "";
	size_t length;

	answer.status = join_sip_read(message, &request, &text);
	if (!answer.status)
		return;
	if (answer.status == 200)
		answer = take(&request);
	length = join_sip_answer(message, &answer, 1, &peer, out);
	assert(length < sizeof(out) - 1 && !memcmp(out, "SIP/2.0 ", 8) && !memcmp(out + length - 4, "\r\n\r\n", 4));
	assert(peer.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = memcpy(malloc(size + !size), data, size);
	struct span message = {copy, copy + size};
	struct join_request request = {.text = message, .is_json = true};

	if (size <= JOIN_REQUEST_MAX) {
		take(&request);
		request.is_json = false;
		request.text = message;
		take(&request);
		try_sip(message);
	}
	free(copy);
	return 0;
}
