// SPDX-License-Identifier: GPL-2.0
/* A configuration as YAML: what config_parse reads back as equal. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include "config.h"

/* Quotes what YAML, or a reader of it that guesses types, could take for something else:
 * a colon ends a key, "on" is a truth and 1234 a number. */
static void write_text(FILE *out, const char *text)
{
	static const char *const truths[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
	bool plain = isalpha((unsigned char)text[0]);
	const char *c;
	size_t i;

	for (i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
		plain = plain && strcasecmp(text, truths[i]) != 0;
	for (c = text; *c; c++)
		plain = plain && (isalnum((unsigned char)*c) || strchr("._-", *c));
	if (plain) {
		fputs(text, out);
		return;
	}
	fputc('\'', out);
	for (c = text; *c; c++)
		fputs(*c == '\'' ? "''" : (char[]){*c, '\0'}, out);
	fputc('\'', out);
}

static void write_address(FILE *out, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_format(address, text);
	if (address_is_ipv4(address))
		fputs(text, out);
	else
		write_text(out, text);
}

static void write_methods(FILE *out, const struct config_service *service, const struct config_pool *pools)
{
	const char *before = "    methods: {";

	for (int method = 0; method < METHOD_COUNT; method++) {
		if (service->methods[method] == CONFIG_NO_POOL)
			continue;
		fprintf(out, "%s'%s': ", before, config_method_name(method));
		write_text(out, pools[service->methods[method]].name);
		before = ", ";
	}
	if (*before == ',')
		fputs("}\n", out);
}

static void write_service(FILE *out, const struct config_service *service, const struct config_pool *pools)
{
	size_t i;

	fputs("  - name: ", out);
	write_text(out, service->name);
	fputs("\n    vip: [", out);
	for (i = 0; i < service->vip_count; i++) {
		fputs(i ? ", " : "", out);
		write_address(out, &service->vips[i]);
	}
	fprintf(out, "]\n    port: %u\n    protocol: %s\n    affinity: %s\n    pool: ", service->port,
		config_protocol_name(service->protocol), config_affinity_name(service->affinity));
	write_text(out, pools[service->pool].name);
	fputc('\n', out);
	write_methods(out, service, pools);
}

static void write_backend(FILE *out, const struct config_backend *backend)
{
	char mac[MAC_TEXT_SIZE];

	fputs("      - {name: ", out);
	write_text(out, backend->name);
	fputs(", address: ", out);
	write_address(out, &backend->address);
	fprintf(out, ", weight: %u", backend->weight);
	if (!mac_is_zero(&backend->mac))
		fprintf(out, ", mac: '%s'", mac_format(&backend->mac, mac));
	fputs("}\n", out);
}

static void write_pool(FILE *out, const struct config_pool *pool)
{
	size_t i;

	fputs("  - name: ", out);
	write_text(out, pool->name);
	fprintf(out, "\n    forward: %s\n    min_alive: %u\n", pool->forward == FORWARD_IPIP ? "ipip" : "dsr",
		pool->min_alive);
	fputs(pool->backend_count ? "    backends:\n" : "    backends: []\n", out);
	for (i = 0; i < pool->backend_count; i++)
		write_backend(out, &pool->backends[i]);
}

void config_write(const struct config *config, FILE *out)
{
	const struct config_limits *limits = &config->limits;
	size_t i;

	fputs("interfaces: [", out);
	for (i = 0; i < config->interface_count; i++) {
		fputs(i ? ", " : "", out);
		write_text(out, config->interfaces[i]);
	}
	fprintf(out, "]\nhash_key: '%016" PRIx64 "%016" PRIx64 "'\n", config->hash_key[0], config->hash_key[1]);
	fprintf(out, "limits: {slots: %u, pools: %u, services: %u, backends: %u}\n", limits->slots, limits->pools,
		limits->services, limits->backends);
	fputs(config->service_count ? "services:\n" : "services: []\n", out);
	for (i = 0; i < config->service_count; i++)
		write_service(out, &config->services[i], config->pools);
	fputs("pools:\n", out);
	for (i = 0; i < config->pool_count; i++)
		write_pool(out, &config->pools[i]);
}
