/* A receiver of documents.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "meter/delivery.h"

struct receiver receiver;
static struct ml_message *kept; /* what waits for its retry */

static void take(struct ml_node *node, const struct meter_document *document)
{
	assert_true(receiver.count < RECEIVED_MAX);
	struct received *received = &receiver.received[receiver.count++];
	memset(received, 0, sizeof *received);
	(void)snprintf(received->node, sizeof received->node, "%s", ml_node_id(node));
	(void)snprintf(received->name, sizeof received->name, "%s", document->name);
	(void)snprintf(received->key, sizeof received->key, "%s", document->key);
	(void)snprintf(received->path, sizeof received->path, "%s", document->path);
	FILE *file = fopen(document->path, "rb");
	assert_non_null(file);
	received->hash = 0xcbf29ce484222325;
	for (int c; (c = fgetc(file)) != EOF; received->size++) {
		if (received->size < sizeof received->bytes)
			received->bytes[received->size] = (char)c;
		received->hash = (received->hash ^ (unsigned)c) * 0x100000001b3;
		received->lines += c == '\n';
	}
	assert_int_equal(received->size, document->size);
	(void)fclose(file);
}

static void process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	for (size_t i = 0; i < count; i++) {
		const struct meter_document *document = meter_document(messages[i]);
		const bool away = strcmp(receiver.away, ml_node_id(node)) == 0;
		take(node, document);
		if (away || receiver.answer == RECEIVER_FAILS) {
			meter_delivery_tell(document->delivery, METER_DELIVERY_FAILED, "sim:test",
				"HTTP 503: not now");
			ml_fail(node, messages[i], "HTTP 503: not now");
		} else if (receiver.answer == RECEIVER_WAITS) {
			assert_null(kept);
			kept = messages[i];
			meter_delivery_tell(document->delivery, METER_DELIVERY_FAILED, "sim:test",
				"HTTP 503: not now");
		} else if (receiver.answer == RECEIVER_REFUSES) {
			meter_delivery_tell(document->delivery, METER_DELIVERY_REFUSED, "sim:test",
				"HTTP 400: what is this?");
			ml_fail(node, messages[i], "HTTP 400: what is this?");
		} else {
			meter_delivery_tell(
				document->delivery, METER_DELIVERY_DELIVERED, "sim:test", NULL);
			ml_release(node, messages[i]);
		}
	}
}

static void stop(struct ml_node *node, void *self)
{
	(void)self;
	if (kept)
		ml_fail(node, kept, "stopped");
	kept = NULL;
}

static const struct ml_port ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_document_type, .help = "Documents."},
	{0}};

static const struct ml_node_class receiver_class = {
	.type = "t-receiver",
	.version = 1,
	.title = "Receiver",
	.help = "Takes documents.",
	.category = "sink",
	.ports = ports,
	.size = 1,
	.process = process,
	.stop = stop,
};

static const struct ml_node_class *const classes[] = {&receiver_class, NULL};

const struct ml_family receiver_family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "receiver",
	.node_classes = classes,
};
