// SPDX-License-Identifier: GPL-2.0
/* The YAML file: valid files and their values, damaged and large files, the examples. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include "config_text.h"

Test(config, valid_files_are_read)
{
	static const struct row rows[] = {
		{"the smallest file", HEAD POOLS, {}},
		{"services before pools", HEAD SERVICES POOLS, {}},
		{"pools before services", HEAD POOLS SERVICES, {}},
		{"a start marker and an end marker of the document", "---\n" HEAD POOLS "...\n", {}},
		{"a byte order mark", "\xef\xbb\xbf" HEAD POOLS, {}},
		{"lines that end with CR LF",
			"interfaces: [eth0]\r\nhash_key: 000102030405060708090A0B0C0D0E0F\r\npools:\r\n- name: p\r\n"
			"  backends: []\r\n",
			{}},
		{"comments in any language", "# Grüße, 你好\n" HEAD POOLS, {}},
		{"JSON is YAML",
			"{\"interfaces\": [\"eth0\"], \"hash_key\": \"000102030405060708090a0b0c0d0e0f\","
			" \"services\": [], \"pools\": [{\"name\": \"p\", \"backends\": []}]}",
			{}},
		{"limits, services and pools in flow style",
			HEAD "limits: {slots: 256, pools: 1, services: 2, backends: 65535, tracked_calls: 16777216,\n"
			     "  guarded_sources: 16777216}\n"
			     "services:\n  - {name: sip, vip: [192.0.2.10, 2001:db8::10], port: 0, protocol: udp,\n"
			     "     affinity: call-id, pool: a, ping: true, methods: {INVITE: a}}\n"
			     "pools:\n  - {name: a, forward: ipip, min_alive: 100, backends: [{name: b, weight: 1000,\n"
			     "      address: 2001:db8::1, mac: '02:00:00:00:00:01'}]}\n",
			{}},
		{"interface names that the kernel accepts",
			"interfaces: [eth0.100, wlp0s20f3, br-0, a@b, abcdefghijklmno]\n"
			"hash_key: 000102030405060708090a0b0c0d0e0f\n" POOLS,
			{}},
		{"one VIP, two ports",
			HEAD POOLS SERVICES "  - {name: b, vip: 192.0.2.10, port: 5080, pool: proxies}\n", {}},
		{"one VIP, one port and port 0 for all others",
			HEAD POOLS SERVICES "  - {name: b, vip: 192.0.2.10, port: 0, pool: proxies}\n", {}},
		{"one port, two VIPs",
			HEAD POOLS SERVICES "  - {name: b, vip: 192.0.2.11, port: 5060, pool: proxies}\n", {}},
		{"two pools with the same backend",
			HEAD POOLS "  - {name: other, backends: [{name: px1, address: 10.0.0.11}]}\n", {}},
		{"a service and a pool with the same name",
			HEAD POOLS "services:\n- {name: proxies, vip: 192.0.2.1, port: 1, pool: proxies}\n", {}},
		{"the longest name",
			HEAD "pools: [{name: a23456789012345678901234567890123456789012345678901234567890123, "
			     "backends: []}]\n",
			{}},
	};

	check_rows(rows, COUNT(rows));
}

static const char full_text[] =
	HEAD "limits: {slots: 1024, pools: 3, services: 4, backends: 5}\n"
	     "services:\n"
	     "  - name: sip # a comment\n"
	     "    vip: [192.0.2.10, 2001:db8::10]\n"
	     "    port: 5060\n"
	     "    protocol: udp\n"
	     "    affinity: call-id\n"
	     "    pool: sbcs\n"
	     "  - {name: every, vip: 192.0.2.11, port: 0, pool: proxies}\n"
	     "pools:\n"
	     "  - name: proxies\n"
	     "    backends: []\n"
	     "  - name: \"sbcs\"\n"
	     "    forward: ipip\n"
	     "    min_alive: 25\n"
	     "    backends:\n"
	     "      - {name: sbc1, address: 10.0.0.11}\n"
	     "      - {name: sbc2, address: '2001:db8:1::12', weight: 0, mac: '02:00:5E:10:00:01'}\n";

static bool address_is(const struct address *address, const char *expected)
{
	char text[ADDRESS_TEXT_SIZE];

	return strcmp(address_format(address, text), expected) == 0;
}

Test(config, every_value_is_read)
{
	struct faults faults;
	struct config *config = parse(full_text, strlen(full_text), &faults);
	const struct config_service *sip, *every;
	const struct config_pool *sbcs;

	cr_assert(config);
	cr_assert_eq(config->interface_count, 1);
	cr_expect_str_eq(config->interfaces[0], "eth0");
	cr_expect_eq(config->hash_key[0], 0x0001020304050607);
	cr_expect_eq(config->hash_key[1], 0x08090a0b0c0d0e0f);
	cr_expect(config->limits.slots == 1024 && config->limits.pools == 3);
	cr_expect(config->limits.services == 4 && config->limits.backends == 5);

	cr_assert_eq(config->service_count, 2);
	sip = &config->services[0], every = &config->services[1];
	cr_expect_str_eq(sip->name, "sip");
	cr_assert_eq(sip->vip_count, 2);
	cr_expect(address_is(&sip->vips[0], "192.0.2.10") && address_is(&sip->vips[1], "2001:db8::10"));
	cr_expect(sip->port == 5060 && sip->protocol == IPPROTO_UDP && sip->affinity == AFFINITY_CALL_ID);
	cr_expect(sip->pool == 1 && sip->position.line == 5 && sip->position.column == 5);
	cr_expect(every->vip_count == 1 && every->port == 0 && every->protocol == IPPROTO_UDP && every->pool == 0);

	cr_assert_eq(config->pool_count, 2);
	cr_expect(config->pools[0].forward == FORWARD_DSR && config->pools[0].min_alive == 10);
	cr_expect_eq(config->pools[0].backend_count, 0);
	sbcs = config_find_pool(config, "sbcs");
	cr_assert_eq(sbcs, &config->pools[1]);
	cr_expect(sbcs->forward == FORWARD_IPIP && sbcs->min_alive == 25 && sbcs->position.line == 15);
	cr_assert_eq(sbcs->backend_count, 2);
	cr_expect(address_is(&sbcs->backends[0].address, "10.0.0.11") && sbcs->backends[0].weight == 1);
	cr_expect(mac_is_zero(&sbcs->backends[0].mac));
	cr_expect_eq(config_find_backend(sbcs, "sbc2"), &sbcs->backends[1]);
	cr_expect(address_is(&sbcs->backends[1].address, "2001:db8:1::12") && sbcs->backends[1].weight == 0);
	cr_expect_arr_eq(sbcs->backends[1].mac.byte, ((__u8[]){2, 0, 0x5e, 0x10, 0, 1}), 6);
	cr_expect(sbcs->backends[1].position.line == 20 && sbcs->backends[1].position.column == 9);

	cr_expect_null(config_find_pool(config, "sbc"));
	cr_expect_null(config_find_backend(sbcs, "sbc3"));
	config_free(config);
}

Test(config, limits_have_the_defaults_of_the_map_contract)
{
	struct faults faults;
	struct config *config = parse(HEAD POOLS, strlen(HEAD POOLS), &faults);

	cr_assert(config);
	cr_expect(config->limits.slots == DEFAULT_SLOTS && config->limits.pools == DEFAULT_POOLS);
	cr_expect(config->limits.services == DEFAULT_SERVICES && config->limits.backends == DEFAULT_BACKENDS);
	cr_expect(config->limits.tracked_calls == DEFAULT_TRACKED_CALLS);
	cr_expect(config->limits.counted_calls == DEFAULT_COUNTED_CALLS);
	cr_expect(config->limits.guarded_sources == DEFAULT_GUARDED_SOURCES);
	config_free(config);
}

Test(config, a_file_truncated_at_any_byte_is_read_or_refused)
{
	struct faults faults;
	size_t length, accepted = 0;

	for (length = 0; length < strlen(full_text); length++) {
		struct config *config = parse(full_text, length, &faults);

		accepted += config != NULL;
		config_free(config);
		faults_free(&faults);
	}
	cr_expect_eq(accepted, 9, "valid lengths: between the last two backends, and before the last newline; %zu",
		accepted);
}

Test(config, a_file_with_any_byte_changed_is_read_or_refused)
{
	static const char bytes[] = "\0\t\n !\"#&'*,-0:?[]{}|~\x80\xff";
	char text[sizeof(full_text)];
	struct faults faults;
	size_t i, j;

	for (i = 0; i < strlen(full_text); i++) {
		for (j = 0; j < sizeof(bytes) - 1; j++) {
			memcpy(text, full_text, sizeof(text));
			text[i] = bytes[j];
			config_free(parse(text, sizeof(text) - 1, &faults));
			faults_free(&faults);
		}
	}
}

Test(config, binary_and_oversize_files_are_refused)
{
	size_t size = (16 << 20) + 1;
	char *text = malloc(size);
	struct faults faults;

	memset(text, ' ', size);
	cr_expect_null(parse(text, size, &faults));
	cr_assert_eq(faults.count, 1);
	cr_expect_eq(faults.list[0].position.line, 0, "without a position");
	cr_expect(strstr(faults.list[0].message, "the file is larger than 16777216 bytes"));
	faults_free(&faults);

	cr_expect_null(parse(text, size - 1, &faults));
	cr_expect(strstr(faults.list[0].message, "the file is empty"));
	faults_free(&faults);

	cr_expect_null(parse("interfaces: [e\0]", 17, &faults));
	cr_expect(fault_is(&faults.list[0], "1:15: control characters are not allowed (byte 0x00)"));
	faults_free(&faults);

	cr_expect_null(parse("\x7f"
			     "ELF\2\1\1",
		7, &faults));
	cr_expect(fault_is(&faults.list[0], "1:1: control characters are not allowed (byte 0x7f)"));
	faults_free(&faults);
	free(text);
}

/* --- many backends */

static char *big_file(size_t backends, const char *name, unsigned int different)
{
	char *text = NULL;
	size_t length, i;
	FILE *out = open_memstream(&text, &length);

	fputs(HEAD "limits: {backends: 65535}\npools:\n- name: p\n  backends:\n", out);
	for (i = 0; i < backends; i++)
		fprintf(out, "  - {name: %s%zu, address: 10.1.%zu.%zu, weight: 2}\n", name, i % different,
			i % different / 256, i % different % 256);
	fclose(out);
	return text;
}

Test(config, ten_thousand_backends_are_read_and_each_fault_is_counted)
{
	static const struct {
		unsigned int different;
		size_t faults;
	} rows[] = {{10000, 0}, {1, 2 * 9999}, {100, 2 * 9900}};
	struct faults faults;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		char *text = big_file(10000, "px", rows[i].different);
		struct config *config = parse(text, strlen(text), &faults);

		cr_expect_eq(faults.count, rows[i].faults, "%zu faults", faults.count);
		cr_expect(!config || config->pools[0].backend_count == 10000);
		config_free(config);
		faults_free(&faults);
		free(text);
	}
}

/* --- examples and names */

static char *read_file(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	cr_assert(in, "%s", path);
	cr_assert_gt(getdelim(&text, &size, '\0', in), 0, "%s", path);
	fclose(in);
	return text;
}

Test(config, every_example_is_valid)
{
	struct faults faults;
	glob_t files;
	size_t i;

	cr_assert_eq(glob("yaml-examples/*.yaml", 0, NULL, &files), 0, "run from the top of the tree");
	cr_expect_geq(files.gl_pathc, 4);
	for (i = 0; i < files.gl_pathc; i++) {
		char *text = read_file(files.gl_pathv[i]);

		config_free(parse(text, strlen(text), &faults));
		cr_expect_eq(faults.count, 0, "%s:%d:%d: %s", files.gl_pathv[i], faults.list[0].position.line,
			faults.list[0].position.column, faults.list[0].message);
		faults_free(&faults);
		free(text);
	}
	globfree(&files);
}

Test(config, valid_names)
{
	char name[NAME_SIZE + 1] = {};
	int c;

	cr_expect(config_name_is_valid("px-1.example_net"));
	cr_expect_not(config_name_is_valid(""));
	for (c = 1; c < 256; c++) {
		bool valid = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", c);

		cr_expect_eq(config_name_is_valid((char[]){'a', c, '\0'}), valid, "%d", c);
	}
	memset(name, 'a', NAME_SIZE - 1);
	cr_expect(config_name_is_valid(name));
	memset(name, 'a', NAME_SIZE);
	cr_expect_not(config_name_is_valid(name));
}
