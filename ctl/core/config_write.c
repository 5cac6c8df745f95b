// SPDX-License-Identifier: GPL-2.0
/* A configuration as YAML: what config_parse reads back as equal. Keys that came with the
 * basic ones are always written, the others where they differ from their defaults. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include "config_parse.h"

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

/* "5060", or "5060-5080". */
static void write_range(FILE *out, unsigned int first, unsigned int last)
{
	fprintf(out, "%u", first);
	if (last != first)
		fprintf(out, "-%u", last);
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
	fputs("]\n    port: ", out);
	write_range(out, service->port, service->last_port);
	fprintf(out, "\n    protocol: %s\n    affinity: %s\n    pool: ", config_protocol_name(service->protocol),
		config_affinity_name(service->affinity));
	write_text(out, pools[service->pool].name);
	fputc('\n', out);
	write_methods(out, service, pools);
	if (service->ping)
		fputs("    ping: true\n", out);
}

static void write_host(FILE *out, const char *host, uint16_t port)
{
	char text[HOST_SIZE + sizeof("[]:65535")];
	bool brackets = strchr(host, ':');
	int length = snprintf(text, sizeof(text), "%s%s%s", brackets ? "[" : "", host, brackets ? "]" : "");

	if (port)
		snprintf(text + length, sizeof(text) - length, ":%u", port);
	write_text(out, text);
}

static void write_backend(FILE *out, const struct config_backend *backend)
{
	char mac[MAC_TEXT_SIZE];
	size_t i;

	fputs("      - {name: ", out);
	write_text(out, backend->name);
	fputs(", address: ", out);
	write_address(out, &backend->address);
	fprintf(out, ", weight: %u", backend->weight);
	if (backend->priority != 1)
		fprintf(out, ", priority: %u", backend->priority);
	if (!mac_is_zero(&backend->mac))
		fprintf(out, ", mac: '%s'", mac_format(&backend->mac, mac));
	for (i = 0; i < backend->hint_count; i++) {
		fputs(i ? ", " : ", hints: [", out);
		write_host(out, backend->hints[i].host, backend->hints[i].port);
	}
	fputs(i ? "]" : "", out);
	if (backend->ports.first) {
		fputs(", ports: ", out);
		write_range(out, backend->ports.first, backend->ports.last);
	}
	fputs("}\n", out);
}

/* The keys that follow write what differs from the default. */

static void write_key_time(FILE *out, const char *key, uint32_t time, uint32_t usual)
{
	char text[DURATION_TEXT_SIZE];

	if (time != usual)
		fprintf(out, "%s: %s\n", key, duration_format(time, text));
}

static void write_key_number(FILE *out, const char *key, unsigned int number, unsigned int usual)
{
	if (number != usual)
		fprintf(out, "%s: %u\n", key, number);
}

static void write_key_text(FILE *out, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(out, "%s: ", key);
	write_text(out, text);
	fputc('\n', out);
}

static bool class_is_ok(const struct config_probe *probe, unsigned int class)
{
	unsigned int code = class * 100;

	while (code < (class + 1) * 100 && config_code_is_ok(probe, code))
		code++;
	return code == (class + 1) * 100;
}

static void write_codes(FILE *out, const struct config_probe *probe)
{
	const char *before = "      ok_codes: [";
	unsigned int code;

	for (code = 100; code < STATUS_CODE_END; code++) {
		if (!config_code_is_ok(probe, code))
			continue;
		if (code % 100 == 0 && class_is_ok(probe, code / 100)) {
			fprintf(out, "%s%uxx", before, code / 100);
			code += 99;
		} else {
			fprintf(out, "%s%u", before, code);
		}
		before = ", ";
	}
	fputs("]\n", out);
}

static void write_probe(FILE *out, const struct config_probe *probe)
{
	bool is_sip = probe->type == PROBE_OPTIONS || probe->type == PROBE_REGISTER;
	struct config_probe usual;

	if (probe->type == PROBE_NONE)
		return;
	config_default_probe(&usual, probe->type);
	if (probe->interval < usual.timeout)
		usual.timeout = probe->interval;
	fprintf(out, "    probe:\n      type: %s\n", config_probe_name(probe->type));
	if (is_sip) /* its default is another service's affair */
		fprintf(out, "      transport: %s\n", config_transport_name(probe->transport));
	if (probe->to_address)
		fputs("      via: address\n", out);
	write_key_number(out, "      port", probe->port, 0);
	write_key_time(out, "      interval", probe->interval, usual.interval);
	write_key_time(out, "      timeout", probe->timeout, usual.timeout);
	write_key_number(out, "      fall", probe->fall, usual.fall);
	write_key_number(out, "      rise", probe->rise, usual.rise);
	if (memcmp(probe->ok_codes, usual.ok_codes, sizeof(usual.ok_codes)) != 0)
		write_codes(out, probe);
	write_key_text(out, "      from", probe->from);
	write_key_text(out, "      request_uri", probe->request_uri);
	write_key_text(out, "      user", probe->user);
	write_key_text(out, "      ca", probe->ca);
	write_key_text(out, "      sni", probe->sni);
	if (!probe->verify)
		fputs("      verify: false\n", out);
}

static void write_group(FILE *out, const struct config_pool *pool, size_t group)
{
	const char *separator = "";
	size_t i;

	fputs("      - {name: ", out);
	write_text(out, pool->groups[group]);
	fputs(", backends: [", out);
	for (i = 0; i < pool->backend_count; i++) {
		if (pool->backends[i].group != group + 1)
			continue;
		fputs(separator, out);
		write_text(out, pool->backends[i].name);
		separator = ", ";
	}
	fputs("]}\n", out);
}

static void write_pool(FILE *out, const struct config_pool *pool)
{
	struct config_pool usual = {};
	size_t i;

	config_default_pool(&usual);
	fputs("  - name: ", out);
	write_text(out, pool->name);
	fprintf(out, "\n    forward: %s\n    min_alive: %u\n", pool->forward == FORWARD_IPIP ? "ipip" : "dsr",
		pool->min_alive);
	write_probe(out, &pool->probe);
	write_key_time(out, "    record_time", pool->record_time, usual.record_time);
	write_key_time(out, "    drain_timeout", pool->drain_timeout, usual.drain_timeout);
	write_key_time(out, "    slow_start", pool->slow_start, usual.slow_start);
	fputs(pool->backend_count ? "    backends:\n" : "    backends: []\n", out);
	for (i = 0; i < pool->backend_count; i++)
		write_backend(out, &pool->backends[i]);
	fputs(pool->group_count ? "    groups:\n" : "", out);
	for (i = 0; i < pool->group_count; i++)
		write_group(out, pool, i);
}

static void write_join(FILE *out, const struct config_join *join)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!join->port)
		return;
	fputs("join:\n  listen: ", out);
	write_host(out, address_format(&join->address, text), join->port);
	fputs("\n  secret: ", out);
	write_text(out, join->secret);
	fprintf(out, "\n  node_timeout: %s\n", duration_format(join->node_timeout, text));
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
	fprintf(out, "limits: {slots: %u, pools: %u, services: %u, backends: %u, notes: %u}\n", limits->slots,
		limits->pools, limits->services, limits->backends, limits->notes);
	write_join(out, &config->join);
	fputs(config->service_count ? "services:\n" : "services: []\n", out);
	for (i = 0; i < config->service_count; i++)
		write_service(out, &config->services[i], config->pools);
	fputs("pools:\n", out);
	for (i = 0; i < config->pool_count; i++)
		write_pool(out, &config->pools[i]);
}
