// SPDX-License-Identifier: GPL-2.0
/* The key `listen:` of `join:` and of `metrics:`, and the other keys of `metrics:`. A loopback address is valid:
 * clients may connect through a tunnel or a proxy on this machine. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include "config_private.h"

bool config_is_host_or_loopback(const struct address *address)
{
	const struct in6_addr *ipv6 = (const struct in6_addr *)address;

	if (address_is_ipv4(address) && ntohl(address->word[3]) >> 24 == IN_LOOPBACKNET)
		return true;
	return address_is_host(address) || IN6_IS_ADDR_LOOPBACK(ipv6);
}

void config_read_listen(struct reader *reader, const struct node *value, void *object)
{
	struct endpoint *listen = (struct endpoint *)((char *)object + reader->key->member);
	struct parse *parse = reader->context;
	const char *text = reader_text(reader, value);
	struct claim claim = {.kind = CLAIM_ROLE_LISTEN,
		.key = &listen->address,
		.length = sizeof(listen->address),
		.sharing = SHARING_OTHERS,
		.owner = object == &parse->config->join ? "join" : "metrics",
		.position = value->position};
	char host[HOST_SIZE];
	uint16_t port;

	if (!text)
		return;
	if (host_parse(text, host, &port) || port == 0 || address_parse(host, &listen->address) ||
		!config_is_host_or_loopback(&listen->address)) {
		reader_refuse(reader, value, NULL);
		return;
	}
	listen->port = port;
	claims_add(&parse->claims, claim);
}

void config_write_listen(const struct writer *writer, const struct key *key, const void *object)
{
	const struct endpoint *listen = (const struct endpoint *)((const char *)object + key->member);
	char text[ADDRESS_TEXT_SIZE];

	if (listen->port)
		config_write_host(writer->out, address_format(&listen->address, text), listen->port);
}

/* --- metrics */

const struct key config_metrics_keys[] = {
	{.name = "listen",
		.required = true,
		.read = config_read_listen,
		.write = config_write_listen,
		.member = offsetof(struct config_metrics, listen),
		.expected = "an address of this machine and a port, such as 127.0.0.1:9464 or [2001:db8::2]:9464",
		.help = "Address and TCP port at which the daemon answers HTTP requests of monitoring. It must not be "
			"a "
			"VIP. All clients that reach it can read the state of the balancer."},
	{},
};

void config_read_metrics(struct reader *reader, const struct node *value, void *object)
{
	struct config *config = object;
	char text[ENDPOINT_TEXT_SIZE];

	reader_mapping(reader, value, "metrics", config_metrics_keys, &config->metrics);
	if (config->metrics.listen.port && endpoint_equal(&config->metrics.listen, &config->join.listen))
		faults_add(reader->faults, value->position,
			"'listen' of metrics cannot be %s: it is 'listen' of join; use a different port",
			endpoint_format(&config->metrics.listen, text));
}
