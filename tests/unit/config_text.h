/* SPDX-License-Identifier: GPL-2.0 */
/* Helpers for tests of the YAML file: texts, and the expected configuration or errors. */
#pragma once

#include "core/config/config.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Lines 1 and 2 of a file, four lines of pools, and five of services. */
#define HEAD "interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"
#define POOLS "pools:\n  - name: proxies\n    backends:\n      - {name: px1, address: 10.0.0.11}\n"
#define SERVICES "services:\n  - name: sip\n    vip: 192.0.2.10\n    port: 5060\n    pool: proxies\n"

/* Line 3 of a file: a pool with additional keys, or with backends. Line 4: a service of this pool. */
#define POOL(more) HEAD "pools: [{name: p, " more "}]\n"
#define EMPTY(more) POOL("backends: [], " more)
#define BACKENDS(list) POOL("backends: [" list "]")
#define SERVICE(more) "services: [{name: s, vip: 192.0.2.10, pool: p, " more "}]\n"

/* Like config_parse(), on a copy of exactly this length: ASan reports any read beyond it. */
struct config *parse(const char *text, size_t length, struct faults *faults);

/* Returns the configuration of a valid text. If the text contains an error, the test fails. */
struct config *parse_good(const char *text);

/* Returns the text of config_write(). The caller must free it. */
char *write_text(const struct config *config);

/* A text and the expected errors in this order: "line:column: part of the message". A valid text has no errors. */
struct row {
	const char *name;
	const char *text;
	const char *faults[16];
};

bool fault_is(const struct fault *fault, const char *expected);
void check_row(const struct row *row);
void check_rows(const struct row *rows, size_t count);

/* A valid text, and a part of the expected output of config_write(). */
struct reading {
	const char *name;
	const char *text;
	const char *written;
};

void check_readings(const struct reading *rows, size_t count);
