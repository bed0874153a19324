/* What the engine costs: a hop on one lane and between lanes beside a bare ring, wake-ups, memory
 * allocated a message, and applying a graph of 200 nodes with one changed.
 *
 * Times are the best and the median of windows of 65,536 messages: on a machine that does other
 * things too, the best window is what the code costs. SPDX-License-Identifier: Apache-2.0
 */
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>

#include "core/ring.h"

enum { BATCH = 32, RING = 256, WINDOW = 65536, WINDOWS = 64, MESSAGES = WINDOW * WINDOWS };

/* ns a message, one value a window. */
struct windows {
	double ns[WINDOWS];
	size_t count;
	ml_time since;
};

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void window_ends(struct windows *w, const struct ml_clock *clock)
{
	const ml_time now = ml_clock_monotonic(clock);
	if (w->since && w->count < WINDOWS)
		w->ns[w->count++] = (double)(now - w->since) * 1000.0 / WINDOW;
	w->since = now;
}

static double best(struct windows *w)
{
	qsort(w->ns, w->count, sizeof w->ns[0], by_size);
	return w->count ? w->ns[0] : 0;
}

static double median(const struct windows *w)
{
	return w->count ? w->ns[w->count / 2] : 0;
}

/* ---- Nodes that do nothing ---- */

static void to_json(const struct ml_message *message, struct ml_json_writer *w)
{
	(void)message;
	ml_json_null(w);
}

static const struct ml_message_type unit_type = {
	.name = "unit", .help = "Nothing.", .to_json = to_json};

struct bench {
	int64_t count;
	uint64_t done;
	struct ml_node *node;
	struct ml_timer timer;
};

static atomic_ullong arrived;
static struct windows sink_windows; /* written by the sink's lane until all has arrived */

static const struct ml_param params[] = {
	{.name = "count",
		.kind = ML_PARAM_INTEGER,
		.offset = offsetof(struct bench, count),
		.title = "Count",
		.help = "How many.",
		.preset = "0"},
	{0},
};

static void emit(struct ml_timer *timer)
{
	struct bench *bench = timer->user;
	size_t room = ml_room(bench->node, 0);
	if (room > BATCH * 8)
		room = BATCH * 8;
	for (; room && bench->done < (uint64_t)bench->count; room--, bench->done++)
		ml_emit(bench->node, 0, ml_message_new(bench->node, &unit_type, 16, NULL));
	if (bench->done < (uint64_t)bench->count && ml_room(bench->node, 0))
		ml_timer_start(timer, 0);
}

static void source_start(struct ml_node *node, void *self)
{
	struct bench *bench = self;
	bench->node = node;
	ml_timer_init(&bench->timer, ml_node_lane(node), emit, bench);
	ml_timer_start(&bench->timer, 0);
}

static void source_room(struct ml_node *node, void *self)
{
	(void)node;
	emit(&((struct bench *)self)->timer);
}

static void pass_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	ml_emit_all(node, 1, messages, count);
}

static void sink_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)port;
	struct bench *bench = self;
	for (size_t i = 0; i < count; i++)
		ml_release(node, messages[i]);
	if (bench->done / WINDOW != (bench->done + count) / WINDOW)
		window_ends(&sink_windows, ml_engine_clock(ml_node_engine(node)));
	bench->done += count;
	atomic_store_explicit(&arrived, bench->done, memory_order_relaxed);
}

static const struct ml_port source_ports[] = {
	{.name = "out", .direction = ML_OUTPUT, .type = &unit_type, .help = "Out."}, {0}};
static const struct ml_port pass_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &unit_type, .help = "In."},
	{.name = "out", .direction = ML_OUTPUT, .type = &unit_type, .most = 1, .help = "Out."},
	{0}};
static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &unit_type, .help = "In."}, {0}};

static const struct ml_node_class source_class = {.type = "b-source",
	.version = 1,
	.title = "Source",
	.help = "Source.",
	.category = "source",
	.params = params,
	.ports = source_ports,
	.size = sizeof(struct bench),
	.flags = ML_NODE_SOURCE,
	.start = source_start,
	.room = source_room};
static const struct ml_node_class pass_class = {.type = "b-pass",
	.version = 1,
	.title = "Pass",
	.help = "Pass.",
	.category = "process",
	.params = params,
	.ports = pass_ports,
	.size = sizeof(struct bench),
	.process = pass_process};
static const struct ml_node_class sink_class = {.type = "b-sink",
	.version = 1,
	.title = "Sink",
	.help = "Sink.",
	.category = "sink",
	.params = params,
	.ports = sink_ports,
	.size = sizeof(struct bench),
	.process = sink_process};

static const struct ml_message_type *const types[] = {&unit_type, NULL};
static const struct ml_node_class *const classes[] = {
	&source_class, &pass_class, &sink_class, NULL};
static const struct ml_family family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "bench",
	.message_types = types,
	.node_classes = classes};
static const struct ml_family *const families[] = {&family, NULL};

/* ---- Running a graph ---- */

struct run {
	struct ml_clock *clock;
	struct ml_engine *engine;
	uint64_t count;
	struct ml_timer timer;
};

static void run_open(struct run *run)
{
	*run = (struct run){.clock = ml_clock_new_real()};
	const struct ml_engine_options options = {.families = families, .clock = run->clock};
	struct ml_error err = ML_ERROR_NONE;
	if (ml_engine_new(&options, &run->engine, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static void run_close(struct run *run)
{
	ml_engine_free(run->engine);
	ml_clock_free(run->clock);
}

static void apply(struct run *run, const char *text)
{
	struct ml_errors errors = {0};
	if (ml_engine_apply(run->engine, text, strlen(text), &errors)) {
		(void)fprintf(stderr, "%s: %s\n", errors.count ? errors.items[0].pointer : "",
			errors.count ? errors.items[0].text : "?");
		exit(1);
	}
	ml_errors_free(&errors);
}

static void look(struct ml_timer *timer)
{
	struct run *run = timer->user;
	if (atomic_load(&arrived) >= run->count)
		ml_engine_quit(run->engine);
	else
		ml_timer_start(timer, ml_clock_monotonic(run->clock) + ML_MSEC);
}

static void run_until(struct run *run, uint64_t count)
{
	run->count = count;
	ml_timer_init(&run->timer, ml_engine_lane(run->engine, "control"), look, run);
	ml_timer_start(&run->timer, 0);
	ml_engine_run(run->engine);
}

static void chain_text(
	struct ml_buffer *text, unsigned passes, const char *sink_lane, uint64_t count)
{
	ml_buffer_appendf(text,
		"{\"meterloom\":1,\"name\":\"b\",\"nodes\":[{\"id\":\"s\",\"type\":\"b-source\","
		"\"params\":{\"count\":%llu}},{\"id\":\"e\",\"type\":\"b-sink\",\"lane\":\"%s\"}",
		(unsigned long long)count, sink_lane);
	for (unsigned i = 0; i < passes; i++)
		ml_buffer_appendf(text, ",{\"id\":\"p%u\",\"type\":\"b-pass\"}", i);
	ml_buffer_appendf(text, "],\"edges\":[");
	for (unsigned i = 0; i < passes; i++) {
		if (i)
			ml_buffer_appendf(text, "{\"from\":\"p%u\",\"to\":\"p%u\"},", i - 1, i);
		else
			ml_buffer_appendf(text, "{\"from\":\"s\",\"to\":\"p0\"},");
	}
	if (passes)
		ml_buffer_appendf(text, "{\"from\":\"p%u\",\"to\":\"e\"}]}", passes - 1);
	else
		ml_buffer_appendf(text, "{\"from\":\"s\",\"to\":\"e\"}]}");
}

/* `grown`: bytes that the heap grew by after the first quarter. The times are in sink_windows. */
static void run_chain(
	unsigned passes, const char *sink_lane, size_t *grown, unsigned long long *wakeups)
{
	struct run run;
	struct ml_buffer text = {0};
	run_open(&run);
	atomic_store(&arrived, 0);
	sink_windows = (struct windows){0};
	chain_text(&text, passes, sink_lane, MESSAGES);
	apply(&run, text.data);
	run_until(&run, MESSAGES / 4);
	const size_t before = mallinfo2().uordblks;
	run_until(&run, MESSAGES);
	const size_t after = mallinfo2().uordblks;
	*grown = after > before ? after - before : 0;
	struct ml_json_writer w;
	ml_buffer_clear(&text);
	ml_json_writer_init(&w, &text);
	ml_engine_metrics(run.engine, &w);
	*wakeups = 0;
	for (const char *at = text.data; (at = strstr(at, "\"wakeups\":")); at++)
		*wakeups += strtoull(at + 10, NULL, 10);
	ml_buffer_free(&text);
	run_close(&run);
}

/* ---- Bare rings ---- */

static void bare_ring(const struct ml_clock *clock, struct windows *w)
{
	struct ml_ring *ring = ml_ring_new(RING, 0);
	void *items[BATCH];
	for (int window = 0; window < WINDOWS; window++) {
		window_ends(w, clock);
		for (int i = 0; i < WINDOW / BATCH; i++) {
			(void)ml_ring_room(ring, BATCH);
			for (int k = 0; k < BATCH; k++)
				ml_ring_put(ring, ring);
			ml_ring_publish(ring);
			ml_ring_take(ring, items, ml_ring_ready(ring, BATCH));
		}
	}
	free(ring);
}

struct consumer {
	struct ml_ring *ring;
	const struct ml_clock *clock;
	struct windows *windows;
};

static void *consume(void *user)
{
	const struct consumer *consumer = user;
	struct ml_ring *ring = consumer->ring;
	void *items[BATCH];
	for (long done = 0; done < MESSAGES;) {
		size_t n = ml_ring_ready(ring, BATCH);
		n = n > BATCH ? BATCH : n;
		if (n)
			ml_ring_take(ring, items, n);
		if (done / WINDOW != (done + (long)n) / WINDOW)
			window_ends(consumer->windows, consumer->clock);
		done += (long)n;
	}
	return NULL;
}

static void crossing_ring(const struct ml_clock *clock, struct windows *w)
{
	struct consumer consumer = {ml_ring_new(RING * 4, 0), clock, w};
	struct ml_ring *ring = consumer.ring;
	pthread_t thread;
	if (pthread_create(&thread, NULL, consume, &consumer))
		exit(1);
	for (long left = MESSAGES; left > 0;) {
		size_t n = ml_ring_room(ring, BATCH);
		n = n > BATCH ? BATCH : n;
		for (size_t k = 0; k < n; k++)
			ml_ring_put(ring, ring);
		if (n)
			ml_ring_publish(ring);
		left -= (long)n;
	}
	(void)pthread_join(thread, NULL);
	free(ring);
}

/* ---- Apply ---- */

static void big_graph(struct ml_buffer *text, unsigned changed)
{
	ml_buffer_clear(text);
	ml_buffer_appendf(text, "{\"meterloom\":1,\"name\":\"b\",\"nodes\":[{\"id\":\"s\",\"type\":"
				"\"b-source\"}");
	for (unsigned i = 0; i < 199; i++)
		ml_buffer_appendf(text,
			",{\"id\":\"p%u\",\"type\":\"b-pass\",\"lane\":\"%s\",\"params\":{"
			"\"count\":%u}}",
			i, i % 5 ? "main" : "two", i == 100 ? changed : 0);
	ml_buffer_appendf(text, "],\"edges\":[{\"from\":\"s\",\"to\":\"p0\"}");
	for (unsigned i = 1; i < 199; i++)
		ml_buffer_appendf(
			text, ",{\"from\":\"p%u\",\"to\":\"p%u\",\"capacity\":64}", (i - 1) / 2, i);
	ml_buffer_appendf(text, "]}");
}

static double apply_changed(void)
{
	struct run run;
	struct ml_buffer text = {0};
	run_open(&run);
	big_graph(&text, 0);
	apply(&run, text.data);
	double worst = 0;
	for (unsigned i = 1; i <= 50; i++) {
		big_graph(&text, i);
		const ml_time begin = ml_clock_monotonic(run.clock);
		apply(&run, text.data);
		const double ms = (double)(ml_clock_monotonic(run.clock) - begin) / 1000.0;
		worst = ms > worst ? ms : worst;
	}
	ml_buffer_free(&text);
	run_close(&run);
	return worst;
}

static void print(const char *what, double value, double middle, const char *limit)
{
	(void)printf(
		"%-34s %7.2f ns a message (median %.2f; limit %s)\n", what, value, middle, limit);
}

int main(void)
{
	struct ml_clock *clock = ml_clock_new_real();
	if (!clock)
		return 1;
	size_t grown;
	unsigned long long wakeups;
	(void)printf("batches of %d, %d messages\n", BATCH, MESSAGES);
	struct windows w = {0};
	bare_ring(clock, &w);
	double value = best(&w);
	print("bare ring, one thread", value, median(&w), "1");
	run_chain(4, "main", &grown, &wakeups);
	const double few = best(&sink_windows), few_median = median(&sink_windows);
	print("source, 4 passes, sink, one lane", few, few_median, "none");
	run_chain(24, "main", &grown, &wakeups);
	const double many = best(&sink_windows), many_median = median(&sink_windows);
	print("hop on one lane", (many - few) / 20, (many_median - few_median) / 20, "5");
	(void)printf("%-34s %7zu bytes (limit 0)\n", "  heap growth while running", grown);
	w = (struct windows){0};
	crossing_ring(clock, &w);
	value = best(&w);
	print("bare ring between threads", value, median(&w), "3");
	run_chain(0, "main", &grown, &wakeups);
	value = best(&sink_windows);
	print("source, hop, sink, one lane", value, median(&sink_windows), "none");
	run_chain(0, "other", &grown, &wakeups);
	value = best(&sink_windows);
	print("source, hop between lanes, sink", value, median(&sink_windows), "15");
	(void)printf("%-34s %7zu bytes (limit 0)\n", "  heap growth while running", grown);
	(void)printf("%-34s %7.4f a batch (limit 1)\n", "  wake-ups",
		(double)wakeups / ((double)MESSAGES / BATCH));
	(void)printf("%-34s %7.2f ms, worst of 50 (limit 20)\n", "apply 200 nodes, one changed",
		apply_changed());
	ml_clock_free(clock);
	return 0;
}
