/* SPDX-License-Identifier: GPL-2.0 */
/* Texts of files, and what must come of them. */
#pragma once

#include "core/config/config.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Lines 1 and 2 of a file, four lines of pools, and five of services. */
#define HEAD "interfaces: [eth0]\nhash_key: 000102030405060708090a0b0c0d0e0f\n"
#define POOLS "pools:\n  - name: proxies\n    backends:\n      - {name: px1, address: 10.0.0.11}\n"
#define SERVICES "services:\n  - name: sip\n    vip: 192.0.2.10\n    port: 5060\n    pool: proxies\n"

/* config_parse, told of any byte that is read behind the text. */
struct config *parse(const char *text, size_t length, struct faults *faults);

/* The configuration of a text that has no faults; fails the test at the first that it has. */
struct config *parse_good(const char *text);

/* To be freed. */
char *write_text(const struct config *config);

/* A text, and the faults that it must give in this order, none for a good one: "line:column: part of the message". */
struct row {
	const char *name;
	const char *text;
	const char *faults[16];
};

bool fault_is(const struct fault *fault, const char *expected);
void check_row(const struct row *row);
void check_rows(const struct row *rows, size_t count);
