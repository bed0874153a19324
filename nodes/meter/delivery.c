/* A delivery: counted by reference, told from any thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meter/delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/batch.h"

struct meter_delivery {
	atomic_uint refs;
	char destination[METER_DESTINATION_MAX];
	char key[METER_DELIVERY_KEY_MAX];
	enum meter_delivery_purpose purpose;
	const struct meter_keeper *keeper;
	void *user;
	pthread_mutex_t lock; /* of what follows */
	struct meter_delivery_outcome outcome;
	struct ml_buffer documents; /* JSON objects, with commas between them */
	size_t listed;              /* of these */
};

struct meter_delivery *meter_delivery_new(const char *destination, const char *key,
	enum meter_delivery_purpose purpose, const struct meter_keeper *keeper, void *user)
{
	struct meter_delivery *delivery = calloc(1, sizeof *delivery);
	if (!delivery)
		return NULL;
	atomic_init(&delivery->refs, 1);
	(void)snprintf(delivery->destination, sizeof delivery->destination, "%s", destination);
	(void)snprintf(delivery->key, sizeof delivery->key, "%s", key);
	delivery->purpose = purpose;
	delivery->keeper = keeper;
	delivery->user = user;
	(void)pthread_mutex_init(&delivery->lock, NULL);
	return delivery;
}

struct meter_delivery *meter_delivery_retain(struct meter_delivery *delivery)
{
	if (delivery)
		atomic_fetch_add_explicit(&delivery->refs, 1, memory_order_relaxed);
	return delivery;
}

void meter_delivery_release(struct meter_delivery *delivery)
{
	if (!delivery || atomic_fetch_sub_explicit(&delivery->refs, 1, memory_order_acq_rel) != 1)
		return;
	(void)pthread_mutex_destroy(&delivery->lock);
	ml_buffer_free(&delivery->documents);
	free(delivery);
}

const char *meter_delivery_destination(const struct meter_delivery *delivery)
{
	return delivery->destination;
}

const char *meter_delivery_key(const struct meter_delivery *delivery)
{
	return delivery ? delivery->key : "";
}

enum meter_delivery_purpose meter_delivery_purpose(const struct meter_delivery *delivery)
{
	return delivery ? delivery->purpose : METER_DELIVERY_REPORT;
}

const struct meter_keeper *meter_delivery_keeper(const struct meter_delivery *delivery)
{
	return delivery->keeper;
}

void *meter_delivery_user(const struct meter_delivery *delivery)
{
	return delivery->user;
}

/* ---- Told ---- */

void meter_delivery_tell(struct meter_delivery *delivery, enum meter_delivery_result result,
	const char *receiver, const char *reason)
{
	if (!delivery)
		return;
	(void)pthread_mutex_lock(&delivery->lock);
	struct meter_delivery_outcome *outcome = &delivery->outcome;
	outcome->tries++;
	if (result >= outcome->result) {
		outcome->result = result;
		(void)snprintf(outcome->receiver, sizeof outcome->receiver, "%s",
			receiver ? receiver : "");
		(void)snprintf(outcome->reason, sizeof outcome->reason, "%s", reason ? reason : "");
	}
	(void)pthread_mutex_unlock(&delivery->lock);
}

static void write_document(const struct meter_document *document, struct ml_json_writer *w)
{
	ml_json_begin_object(w);
	ml_json_key(w, "name");
	ml_json_string(w, document->name);
	ml_json_key(w, "type");
	ml_json_string(w, document->type);
	if (document->charset[0]) {
		ml_json_key(w, "charset");
		ml_json_string(w, document->charset);
	}
	ml_json_key(w, "size");
	ml_json_unsigned(w, document->size);
	ml_json_key(w, "sha256");
	ml_json_hex(w, document->hash, sizeof document->hash);
	ml_json_end_object(w);
}

void meter_delivery_add(
	struct meter_delivery *delivery, const struct meter_document *documents, size_t count)
{
	if (!delivery)
		return;
	(void)pthread_mutex_lock(&delivery->lock);
	for (size_t i = 0; i < count && delivery->listed < METER_DELIVERY_LISTED_MAX; i++) {
		struct ml_json_writer w;
		if (delivery->listed++)
			ml_buffer_append(&delivery->documents, ",", 1);
		ml_json_writer_init(&w, &delivery->documents);
		write_document(&documents[i], &w);
	}
	(void)pthread_mutex_unlock(&delivery->lock);
}

/* ---- Asked ---- */

void meter_delivery_outcome(
	struct meter_delivery *delivery, struct meter_delivery_outcome *ret_outcome)
{
	(void)pthread_mutex_lock(&delivery->lock);
	*ret_outcome = delivery->outcome;
	(void)pthread_mutex_unlock(&delivery->lock);
}

void meter_delivery_documents(struct meter_delivery *delivery, struct ml_json_writer *w)
{
	(void)pthread_mutex_lock(&delivery->lock);
	const struct ml_buffer *documents = &delivery->documents;
	struct ml_buffer list = {0};
	ml_buffer_append(&list, "[", 1);
	if (documents->length && !documents->failed)
		ml_buffer_append(&list, documents->data, documents->length);
	ml_buffer_append(&list, "]", 1);
	if (list.failed)
		ml_json_raw(w, "[]", 2);
	else
		ml_json_raw(w, list.data, list.length);
	ml_buffer_free(&list);
	(void)pthread_mutex_unlock(&delivery->lock);
}
