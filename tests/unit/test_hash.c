// SPDX-License-Identifier: GPL-2.0
/* The hash that selects slots: with every key it spreads real Call-IDs and sources over the slots like a random
 * function, and its values never change. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/hash.h"
#include "bpf/packet.h"
#include "tests/prog/rng.h"

#define IDS 65536
#define KEYS 8
#define SLOTS 4096
#define ID_SIZE 96

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Hashes a Call-ID like the scanner: words of eight bytes, the last one padded with zeros. */
static uint64_t hash_of(const char *id, size_t length, const __u64 key[2])
{
	struct hash hash = hash_start(key);

	for (size_t at = 0; at <= length; at += 8) {
		uint64_t word = 0;

		memcpy(&word, id + at, length - at < 8 ? length - at : 8);
		hash_word(&hash, word);
	}
	return hash_finish(hash, key);
}

static void random_key(struct rng *rng, __u64 key[2])
{
	key[0] = rng_bits(rng);
	key[1] = rng_bits(rng);
}

/* Returns true if the slots are as even as random slots. For so many slots, chi-square is normally distributed; it must
 * be at most five standard deviations above its mean. */
static void check_even(const char *what, const uint64_t *hashes, size_t total, size_t slots)
{
	uint32_t *counts = calloc(slots, sizeof(*counts));
	double mean = (double)total / slots, excess = 1.0 - slots, variance = 2.0 * (slots - 1);

	for (size_t i = 0; i < total; i++)
		counts[hashes[i] % slots]++;
	for (size_t i = 0; i < slots; i++)
		excess += (counts[i] - mean) * (counts[i] - mean) / mean;
	cr_expect(excess < 0 || excess * excess < 5 * 5 * variance, "%s: uneven over %zu slots: chi-square is %.0f",
		what, slots, excess + slots - 1);
	free(counts);
}

static void expect_even(const char *what, const uint64_t *hashes, size_t total)
{
	check_even(what, hashes, total, SLOTS);
	check_even(what, hashes, total, 256);
}

static void sequential(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "%u@pbx.example.net", 1000000 + n);
}

static void padded(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "%016u", n);
}

/* The Call-IDs of sipp. */
static void sipp(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "%u-4711@198.51.100.7", 1 + n);
}

static void uuid(uint32_t n, struct rng *rng, char *id)
{
	(void)n;
	sprintf(id, "%08x-%04x-4%03x-%04x-%012lx", rng_below(rng, ~0u), rng_below(rng, 65536), rng_below(rng, 4096),
		0x8000 | rng_below(rng, 0x4000), rng_bits(rng) >> 16);
}

/* Time-based UUIDs of one host. */
static void uuid_of_time(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "%08x-7dec-11d0-a765-00a0c91e6bf6", 0xf81d4fae + n * 1000);
}

static void hexadecimal(uint32_t n, struct rng *rng, char *id)
{
	(void)n;
	sprintf(id, "%016lx%016lx@198.51.100.7:5060", rng_bits(rng), rng_bits(rng));
}

static void hexadecimal_counter(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "%08x", n);
}

static void common_beginning(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "session-border-controller-7.voice.example.com-registrations-%u", n);
}

static void common_end(uint32_t n, struct rng *rng, char *id)
{
	(void)rng;
	sprintf(id, "%u-session-border-controller-7.voice.example.com-registrations", n);
}

static const struct {
	const char *name;
	void (*make)(uint32_t n, struct rng *rng, char *id);
} families[] = {
	{"sequential numbers and a host", sequential},
	{"padded numbers", padded},
	{"Call-IDs of sipp", sipp},
	{"random UUIDs", uuid},
	{"time-based UUIDs", uuid_of_time},
	{"random hexadecimal", hexadecimal},
	{"a hexadecimal counter", hexadecimal_counter},
	{"a common beginning", common_beginning},
	{"a common end", common_end},
};

/* The keys of the tests: random keys, and keys that an operator might type. */
static void nth_key(uint32_t n, __u64 key[2])
{
	struct rng rng = rng_start(rng_seed(), n);

	random_key(&rng, key);
	if (n == 0)
		key[0] = key[1] = 0;
	if (n == 1)
		key[0] = key[1] = 0x1111111111111111;
}

Test(hash, spreads_call_ids_evenly)
{
	char(*ids)[ID_SIZE] = calloc(IDS, sizeof(*ids));
	uint64_t *hashes = calloc(IDS, sizeof(*hashes));
	char what[100];

	for (size_t family = 0; family < COUNT(families); family++) {
		struct rng rng = rng_start(rng_seed(), 1000 + family);

		for (uint32_t n = 0; n < IDS; n++)
			families[family].make(n, &rng, ids[n]);
		for (uint32_t k = 0; k < KEYS; k++) {
			__u64 key[2];

			nth_key(k, key);
			for (uint32_t n = 0; n < IDS; n++)
				hashes[n] = hash_of(ids[n], strlen(ids[n]), key);
			snprintf(what, sizeof(what), "%s, key %u", families[family].name, k);
			expect_even(what, hashes, IDS);
		}
	}
	free(ids);
	free(hashes);
}

static struct address ipv6(uint32_t network, uint32_t host)
{
	return (struct address){.word = {htonl(0x20010db8), htonl(network), 0, htonl(host)}};
}

/* Phones behind many addresses with one port, behind one address with many ports, and both. */
Test(hash, spreads_sources_evenly)
{
	uint64_t *hashes[5];
	char what[100];

	for (size_t i = 0; i < COUNT(hashes); i++)
		hashes[i] = calloc(IDS, sizeof(**hashes));
	for (uint32_t k = 0; k < KEYS; k++) {
		__u64 key[2];

		nth_key(k, key);
		for (uint32_t n = 0; n < IDS; n++) {
			struct address one = address_from_ipv4(htonl(0xc6336407)),
				       many = address_from_ipv4(htonl(0x0a000000 + n));
			struct address hosts = ipv6(1, n), networks = ipv6(n, 1);
			struct address some = address_from_ipv4(htonl(0x0a000000 + n / 256));

			hashes[0][n] = hash_source(&many, htons(5060), key);
			hashes[1][n] = hash_source(&one, htons(n), key);
			hashes[2][n] = hash_source(&some, htons(1024 + n % 256), key);
			hashes[3][n] = hash_source(&hosts, htons(5060), key);
			hashes[4][n] = hash_source(&networks, htons(5060), key);
		}
		for (size_t i = 0; i < COUNT(hashes); i++) {
			snprintf(what, sizeof(what), "sources %zu, key %u", i, k);
			expect_even(what, hashes[i], IDS);
		}
	}
	for (size_t i = 0; i < COUNT(hashes); i++)
		free(hashes[i]);
}

/* A change of these values moves every call of every running group of balancers. */
Test(hash, values_never_change)
{
	static const __u64 key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	static const struct {
		const char *id;
		uint64_t hash;
	} rows[] = {
		{"", 0xf871a9d6d5f8f11a},
		{"a", 0x16264f051a506da0},
		{"12345678", 0xe6a39cb533716ffe},
		{"1-4711@198.51.100.7", 0x1dce4f840b4c2248},
		{"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 0x3f275cd3b85b4c77},
	};
	struct address ipv4_source = address_from_ipv4(htonl(0xc6336407)), ipv6_source = ipv6(1, 2);

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(hash_of(rows[i].id, strlen(rows[i].id), key), rows[i].hash, "\"%s\": 0x%lx", rows[i].id,
			hash_of(rows[i].id, strlen(rows[i].id), key));
	cr_expect_eq(hash_source(&ipv4_source, htons(5060), key), 0x442308dee1003da2, "IPv4 0x%llx",
		hash_source(&ipv4_source, htons(5060), key));
	cr_expect_eq(hash_source_ipv4(hash_start_ipv4(key), &ipv4_source, htons(5060), key), 0x442308dee1003da2,
		"IPv4, by the shorter function");
	cr_expect_eq(hash_source(&ipv6_source, htons(5060), key), 0x1aca77515c445ec1, "IPv6 0x%llx",
		hash_source(&ipv6_source, htons(5060), key));
}

/* After a change of one bit of the key, slots agree only by chance: for one in 4,096 Call-IDs. */
Test(hash, every_bit_of_the_key_changes_the_hash)
{
	__u64 key[2], other[2];
	char id[ID_SIZE];

	nth_key(2, key);
	for (int bit = 0; bit < 128; bit++) {
		uint32_t same = 0;

		memcpy(other, key, sizeof(other));
		other[bit / 64] ^= 1ULL << bit % 64;
		for (uint32_t n = 0; n < SLOTS; n++) {
			sequential(n, NULL, id);
			same += hash_of(id, strlen(id), key) % SLOTS == hash_of(id, strlen(id), other) % SLOTS;
		}
		cr_expect_lt(same, 12, "bit %d: %u of %u Call-IDs have the same slot", bit, same, SLOTS);
	}
}

/* An attacker who does not know the key cannot construct Call-IDs that share a slot: changes of two bits of a
 * Call-ID cancel each other no more often than by chance. */
Test(hash, no_two_changes_cancel_each_other)
{
	static const char id[] = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
	const size_t bits = (sizeof(id) - 1) * 8;

	for (size_t first = 0; first < bits; first++) {
		for (size_t second = first; second < bits; second++) {
			char changed[sizeof(id)];
			uint32_t same = 0;

			memcpy(changed, id, sizeof(id));
			changed[first / 8] ^= 1 << first % 8;
			if (second != first)
				changed[second / 8] ^= 1 << second % 8;
			for (uint32_t k = 2; k < 66; k++) {
				__u64 key[2];

				nth_key(k, key);
				same += hash_of(id, sizeof(id) - 1, key) % SLOTS ==
					hash_of(changed, sizeof(id) - 1, key) % SLOTS;
			}
			cr_expect_lt(
				same, 5, "bits %zu and %zu: the same slot under %u of 64 keys", first, second, same);
		}
	}
}
