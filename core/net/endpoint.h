/* SPDX-License-Identifier: GPL-2.0 */
/* An IP address with a port. No I/O. */
#pragma once

#include "address.h"

#define ENDPOINT_TEXT_SIZE (ADDRESS_TEXT_SIZE + 8)

struct endpoint {
	struct address address;
	uint16_t port; /* host order; 0: none */
};

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* Writes "10.0.0.2:7946" or "[2001:db8::2]:7946". Returns `text`. */
const char *endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE]);
