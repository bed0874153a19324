/* The node http-sink in simulated time: its network is a receiver within the process.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meter/receiver.h"
#include "report/kit.h"

enum { MOST = 8 };

struct receiver {
	struct meter_receivers receivers;
	struct meter_fate fates[MOST];
	unsigned begun, received;
	char last[200];
};

static void begin(void *user, const struct meter_upload *upload, struct meter_fate *fate)
{
	struct receiver *receiver = user;
	(void)upload;
	assert_true(receiver->begun < MOST);
	*fate = receiver->fates[receiver->begun++];
}

static void received(void *user, const struct meter_upload *upload, const struct meter_fate *fate)
{
	struct receiver *receiver = user;
	char content[64] = "";
	FILE *file = fopen(upload->path, "re");
	(void)fate;
	assert_non_null(file);
	assert_int_equal(fread(content, 1, sizeof content - 1, file), upload->size);
	(void)fclose(file);
	(void)snprintf(receiver->last, sizeof receiver->last, "%s %s %s %s", upload->url,
		upload->filename, upload->content_type, content);
	receiver->received++;
}

static int start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	(void)engine;
	(void)err;
	struct receiver *receiver = calloc(1, sizeof *receiver);
	assert_non_null(receiver);
	receiver->receivers = (struct meter_receivers){receiver, begin, received};
	*ret_service = receiver;
	return 0;
}

static const struct ml_service_class services[] = {{METER_RECEIVERS, start, free}, {0}};
static const struct ml_family family = {
	.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "receiver",
	.services = services,
};

static const struct meter_fate accepted = {
	.connect = 20 * ML_MSEC, .send = ML_SEC, .answer = 30 * ML_MSEC, .status = 200};

static struct kit *kit;

static struct receiver *begin_test(void)
{
	kit = kit_new_simulated(&family);
	struct receiver *receiver = ml_service(kit->engine, METER_RECEIVERS);
	for (size_t i = 0; i < MOST; i++)
		receiver->fates[i] = accepted;
	(void)kit_document(kit, "r.csv", "1;2");
	return receiver;
}

static void expect(unsigned delivered, unsigned failed, const char *text)
{
	if (atomic_load(&kit->delivered) != delivered || atomic_load(&kit->failed) != failed ||
		!strstr(kit_log(kit), text))
		fail_msg("%u delivered, %u failed; expected %u, %u and '%s' in\n%s",
			atomic_load(&kit->delivered), atomic_load(&kit->failed), delivered, failed,
			text, kit_log(kit));
}

static void a_report_arrives_after_the_time_it_takes(void **state)
{
	(void)state;
	const struct receiver *receiver = begin_test();
	kit_apply(kit, "http-sink", "'url': 'https://head-end.example/meters'");
	ml_engine_simulate(kit->engine, 1049 * ML_MSEC);
	assert_int_equal(receiver->received, 1);
	assert_string_equal(receiver->last,
		"https://head-end.example/meters r.csv text/csv; charset=ISO-8859-1 1;2");
	expect(0, 0, "");
	ml_engine_simulate(kit->engine, 1050 * ML_MSEC);
	expect(1, 0, "delivered r.csv (3 bytes) to https://head-end.example/meters in 1050 ms");
	kit_free(kit);
}

static void each_failure_is_told_as_over_a_network(void **state)
{
	(void)state;
	static const struct {
		struct meter_fate fate;
		const char *text;
		unsigned received;
	} cases[] = {
		{{.connect = ML_MSEC, .refused = true}, "connection refused", 0},
		{{.connect = ML_NEVER}, "could not connect in time", 0},
		{{.send = 301 * ML_SEC}, "the report could not be sent in time", 0},
		{{.answer = ML_NEVER}, "no answer came in time", 1},
		{{.closed = true}, "the connection was closed before an answer came", 1},
		{{.status = 500, .text = "no room"}, "HTTP 500: no room", 1},
		{{.status = 400}, "sim:x refused report r.csv: HTTP 400", 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct receiver *receiver = begin_test();
		receiver->fates[0] = cases[i].fate;
		kit_apply(kit, "http-sink", "'url': 'sim:x', 'retry': 'none'");
		ml_engine_simulate(kit->engine, 400 * ML_SEC);
		expect(0, 1, cases[i].text);
		assert_int_equal(receiver->received, cases[i].received);
		kit_free(kit);
	}
}

static void what_may_pass_is_tried_again_when_it_was_told(void **state)
{
	(void)state;
	struct receiver *receiver = begin_test();
	receiver->fates[0] = (struct meter_fate){.status = 503, .retry_after = 100};
	kit_apply(kit, "http-sink",
		"'url': 'sim:x', 'retry': 'fixed', 'retry_count': 1, 'retry_wait': 5");
	ml_engine_simulate(kit->engine, 100 * ML_SEC);
	assert_int_equal(receiver->received, 1);
	ml_engine_simulate(kit->engine, 102 * ML_SEC);
	assert_int_equal(receiver->received, 2);
	expect(1, 0, "");
	kit_free(kit);
}

static void an_engine_ends_while_a_report_is_sent(void **state)
{
	(void)state;
	const struct receiver *receiver = begin_test();
	kit_apply(kit, "http-sink", "'url': 'sim:x'");
	ml_engine_simulate(kit->engine, 500 * ML_MSEC);
	assert_int_equal(receiver->begun, 1);
	assert_int_equal(receiver->received, 0);
	kit_free(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_arrives_after_the_time_it_takes),
		cmocka_unit_test(each_failure_is_told_as_over_a_network),
		cmocka_unit_test(what_may_pass_is_tried_again_when_it_was_told),
		cmocka_unit_test(an_engine_ends_while_a_report_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
