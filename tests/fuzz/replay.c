/* Runs a fuzzer's entry over its seeds and over a fixed number of mutations of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: replay-NAME FOLDER [MUTATIONS [SEED]]. The same arguments always give the same inputs, so
 * a finding can be made again. The input is a heap copy of the exact size, for the address
 * sanitizer.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 20000, INPUT_MAX = 1 << 16, SEEDS_MAX = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seed {
	uint8_t *data; /* owned */
	size_t size;
};

struct seeds {
	struct seed items[SEEDS_MAX];
	size_t count;
};

/* splitmix64: small, and the same on every machine. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t limit)
{
	return limit ? (size_t)(next_random(state) % limit) : 0;
}

static bool load_seed(const char *path, struct seed *seed)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	bool ok = false;
	seed->data = malloc(INPUT_MAX);
	if (seed->data) {
		seed->size = fread(seed->data, 1, INPUT_MAX, file);
		ok = !ferror(file);
	}
	(void)fclose(file);
	if (!ok)
		free(seed->data);
	return ok;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_seeds(const char *folder, struct seeds *seeds)
{
	struct dirent **entries = NULL;
	const int count = scandir(folder, &entries, NULL, by_name);
	if (count < 0) {
		perror(folder);
		return -1;
	}
	int result = 0;
	for (int i = 0; i < count; i++) {
		char path[4096];
		(void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && seeds->count < SEEDS_MAX) {
			if (load_seed(path, &seeds->items[seeds->count])) {
				seeds->count++;
			} else {
				perror(path);
				result = -1;
			}
		}
		free(entries[i]);
	}
	free(entries);
	return result;
}

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* One change: a bit, a byte, a byte that parsers care for, a cut, a copy within, or the rest of
 * another seed. */
static size_t mutate(uint8_t *data, size_t size, const struct seeds *seeds, uint64_t *random)
{
	static const uint8_t telling[] = {0x00, 0xFF, 0x7F, 0x80, '"', '\\', '{', '}', '[', ']',
		',', ':', '-', '0', '9', 'e', '.', '\n', 0x68, 0x16, 0xC0, 0xED};
	const size_t at = below(random, size);
	switch (below(random, 7)) {
	case 0:
		if (size)
			data[at] ^= (uint8_t)(1u << below(random, 8));
		return size;
	case 1:
		if (size)
			data[at] = (uint8_t)next_random(random);
		return size;
	case 2:
		if (size)
			data[at] = telling[below(random, sizeof telling)];
		return size;
	case 3:
		return at;
	case 4:
		if (size == INPUT_MAX)
			return size;
		memmove(data + at + 1, data + at, size - at);
		data[at] = telling[below(random, sizeof telling)];
		return size + 1;
	case 5: {
		const size_t from = below(random, size);
		const size_t most = size - (at > from ? at : from);
		memmove(data + at, data + from, below(random, most + 1));
		return size;
	}
	default: {
		const struct seed *other = &seeds->items[below(random, seeds->count)];
		const size_t from = below(random, other->size);
		size_t length = other->size - from;
		if (length > INPUT_MAX - at)
			length = INPUT_MAX - at;
		memcpy(data + at, other->data + from, length);
		return at + length;
	}
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		(void)fprintf(stderr, "usage: %s FOLDER [MUTATIONS [SEED]]\n", argv[0]);
		return 2;
	}
	const unsigned long mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : MUTATIONS;
	uint64_t random = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	static struct seeds seeds;
	static uint8_t input[INPUT_MAX];
	if (load_seeds(argv[1], &seeds) != 0)
		return 1;
	if (seeds.count == 0) {
		(void)fprintf(stderr, "%s: no seeds\n", argv[1]);
		return 1;
	}
	for (size_t i = 0; i < seeds.count; i++)
		run(seeds.items[i].data, seeds.items[i].size);
	run(input, 0);
	for (unsigned long i = 0; i < mutations; i++) {
		const struct seed *seed = &seeds.items[below(&random, seeds.count)];
		size_t size = seed->size;
		memcpy(input, seed->data, size);
		for (size_t n = 1 + below(&random, 6); n > 0; n--)
			size = mutate(input, size, &seeds, &random);
		run(input, size);
	}
	for (size_t i = 0; i < seeds.count; i++)
		free(seeds.items[i].data);
	(void)printf("%lu inputs\n", (unsigned long)seeds.count + 1 + mutations);
	return 0;
}
