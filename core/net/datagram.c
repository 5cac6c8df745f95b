// SPDX-License-Identifier: GPL-2.0
/* See datagram.h. Headers: RFC 791, RFC 8200, RFC 768. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include "datagram.h"

#define ETHERNET 14
#define IPV4 20
#define IPV6 40
#define FRAGMENT 8
#define UDP 8

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	*at++ = value >> 8;
	*at++ = value;
	return at;
}

/* `length`: number of bytes after the fixed header. */
static uint8_t *put_ipv6(const struct datagram *datagram, size_t length, bool fragmented, uint8_t *at)
{
	memset(at, 0, IPV6 + FRAGMENT);
	at[0] = 0x60;
	put16(at + 4, length + (fragmented ? FRAGMENT : 0));
	at[6] = fragmented ? IPPROTO_FRAGMENT : IPPROTO_UDP;
	at[7] = 64;
	memcpy(at + 8, &datagram->source.address, 16);
	memcpy(at + 24, &datagram->destination.address, 16);
	at += IPV6;
	if (!fragmented)
		return at;
	at[0] = IPPROTO_UDP;
	at[3] = 1; /* more fragments follow */
	return at + FRAGMENT;
}

static uint8_t *put_ipv4(const struct datagram *datagram, size_t length, bool fragmented, uint8_t *at)
{
	memset(at, 0, IPV4);
	at[0] = 0x45;
	put16(at + 2, IPV4 + length);
	at[6] = fragmented ? 0x20 : 0; /* more fragments follow */
	at[8] = 64;
	at[9] = IPPROTO_UDP;
	memcpy(at + 12, &datagram->source.address.word[3], 4);
	memcpy(at + 16, &datagram->destination.address.word[3], 4);
	return at + IPV4;
}

static uint8_t *put_ethernet(const struct mac *mac, bool ipv4, uint8_t *at)
{
	memcpy(at, mac, 6);
	memcpy(at + 6, (const uint8_t[]){2, 0, 0, 0, 0, 0}, 6);
	return put16(at + 12, ipv4 ? 0x0800 : 0x86dd);
}

size_t datagram_build(const struct datagram *datagram, uint8_t *out)
{
	bool ipv4 = address_is_ipv4(&datagram->destination.address), fragmented;
	size_t header = ipv4 ? IPV4 : IPV6, length = UDP + datagram->length, sent = length;
	uint8_t udp[UDP] = {0}, *at = put_ethernet(&datagram->mac, ipv4, out);

	fragmented = header + length > datagram->mtu;
	if (fragmented)
		sent = (datagram->mtu - header - (ipv4 ? 0 : FRAGMENT)) & ~(size_t)7;
	at = ipv4 ? put_ipv4(datagram, sent, fragmented, at) : put_ipv6(datagram, sent, fragmented, at);
	put16(udp, datagram->source.port);
	put16(udp + 2, datagram->destination.port);
	put16(udp + 4, length);
	memcpy(at, udp, UDP);
	memcpy(at + UDP, datagram->payload, sent - UDP);
	return at + sent - out;
}

size_t datagram_ethernet(const struct mac *mac, const uint8_t *packet, size_t length, uint8_t *out)
{
	uint8_t *at = put_ethernet(mac, packet[0] >> 4 == 4, out);

	memcpy(at, packet, length);
	return at + length - out;
}
