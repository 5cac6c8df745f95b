// SPDX-License-Identifier: GPL-2.0
/* See endpoint.h. */
#include <stdio.h>
#include "endpoint.h"

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && address_equal(&a->address, &b->address);
}

const char *endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];

	address_format(&endpoint->address, address);
	snprintf(text, ENDPOINT_TEXT_SIZE, address_is_ipv4(&endpoint->address) ? "%s:%u" : "[%s]:%u", address,
		endpoint->port);
	return text;
}
