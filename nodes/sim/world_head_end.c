/* The head-ends of a simulated world: they take reports, keep their books, and fail.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world_private.h"

#define ROUND_TRIP (20 * ML_MSEC)
#define LOOKS_UP (30 * ML_MSEC)
enum { BYTES_PER_SECOND = 125000 };

static unsigned head_end_of(struct sim_world *world, const char *url)
{
	for (unsigned i = 0; i < world->head_end_count; i++) {
		if (strncmp(world->head_ends[i].url, url, SIM_URL_MAX - 1) == 0)
			return i;
	}
	if (world->head_end_count == SIM_LEDGER_HEAD_ENDS_MAX)
		return SIM_LEDGER_HEAD_ENDS_MAX - 1; /* one too many shares with the last */
	(void)snprintf(world->head_ends[world->head_end_count].url, SIM_URL_MAX, "%s", url);
	return world->head_end_count++;
}

static void answer_with(struct meter_fate *fate, int status, const char *text)
{
	fate->status = status;
	(void)snprintf(fate->text, sizeof fate->text, "%s", text);
}

void sim_head_end_begin(void *user, const struct meter_upload *upload, struct meter_fate *fate)
{
	struct sim_world *world = user;
	const unsigned place = head_end_of(world, upload->url);
	struct sim_head_end *h = &world->head_ends[place];
	const struct sim_rule *rule = NULL;
	*fate = (struct meter_fate){
		.connect = ROUND_TRIP,
		.send = (ml_time)upload->size * ML_SEC / BYTES_PER_SECOND,
		.answer = ROUND_TRIP + LOOKS_UP,
		.status = 200,
		.tag = place + 1,
	};
	h->uploads++;
	rule = sim_world_hit(world, SIM_HEAD_END_SLOW, place);
	if (rule)
		fate->answer +=
			rule->by / 2 + (ml_time)(sim_world_draw(world) % (uint64_t)rule->by);
	if (sim_world_hit(world, SIM_HEAD_END_DOWN, place))
		fate->refused = true;
	else if (sim_world_hit(world, SIM_HEAD_END_SILENT, place))
		fate->answer = ML_NEVER;
	else if (sim_world_hit(world, SIM_HEAD_END_ERROR, place))
		answer_with(fate, 500, "simulated error");
	else if (sim_world_hit(world, SIM_HEAD_END_REFUSING, place))
		answer_with(fate, 400, "simulated refusal");
	else if ((rule = sim_world_hit(world, SIM_HEAD_END_BUSY, place)) != NULL) {
		answer_with(fate, 503, "simulated overload");
		fate->retry_after = (unsigned)(rule->by / ML_SEC);
	} else {
		fate->closed = sim_world_hit(world, SIM_HEAD_END_LOSES_ANSWER, place) != NULL;
		h->failed += fate->closed;
		return;
	}
	h->failed++;
	fate->tag = 0; /* it is not kept */
}

static bool read_document(struct sim_world *world, const struct meter_upload *upload)
{
	if (world->text_size < upload->size + 1) {
		char *text = realloc(world->text, upload->size * 2 + 1);
		if (!text)
			return false;
		world->text = text;
		world->text_size = upload->size * 2 + 1;
	}
	FILE *file = fopen(upload->path, "rbe");
	if (!file)
		return false;
	const bool whole = fread(world->text, 1, upload->size, file) == upload->size;
	(void)fclose(file);
	return whole;
}

static void keep_file(const struct sim_world *world, const struct meter_upload *upload)
{
	char path[1024];
	if (!world->keep || strchr(upload->filename, '/'))
		return;
	(void)snprintf(path, sizeof path, "%s/%s", world->keep, upload->filename);
	FILE *file = fopen(path, "wbe");
	if (!file)
		return;
	(void)fwrite(world->text, 1, upload->size, file);
	(void)fclose(file);
}

void sim_head_end_received(
	void *user, const struct meter_upload *upload, const struct meter_fate *fate)
{
	struct sim_world *world = user;
	if (fate->tag == 0 || !read_document(world, upload))
		return;
	const unsigned place = (unsigned)fate->tag - 1;
	(void)mbedtls_sha256_update_ret(&world->digest, (const unsigned char *)upload->filename,
		strlen(upload->filename) + 1);
	(void)mbedtls_sha256_update_ret(
		&world->digest, (const unsigned char *)world->text, upload->size);
	(void)sim_ledger_document(world->ledger, place, upload->key, world->text, upload->size);
	keep_file(world, upload);
}

unsigned sim_world_head_end_count(const struct sim_world *world)
{
	return world->head_end_count;
}

const char *sim_world_head_end_url(const struct sim_world *world, unsigned head_end)
{
	return world->head_ends[head_end].url;
}

uint64_t sim_world_uploads(const struct sim_world *world, unsigned head_end, uint64_t *failed)
{
	*failed = world->head_ends[head_end].failed;
	return world->head_ends[head_end].uploads;
}

void sim_world_digest(struct sim_world *world, uint8_t digest[SIM_DIGEST_SIZE])
{
	mbedtls_sha256_context copy;
	mbedtls_sha256_init(&copy);
	mbedtls_sha256_clone(&copy, &world->digest);
	(void)mbedtls_sha256_finish_ret(&copy, digest);
	mbedtls_sha256_free(&copy);
}
