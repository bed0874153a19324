/* The wired bus: how near a readout comes to what the line allows, and what many buses cost.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first figures are on the simulated bus and clock and always the same. The last is on the real
 * clock: 32 pseudo-terminals, whose meters live in a process of their own.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "decode/family.h"
#include "mbus/family.h"
#include "mbus/rig.h"
#include "meter/family.h"
#include "meter/reading_message.h"
#include "sim/port.h"

enum {
	METERS = 250,
	DEAD = 10,
	ANSWER = 120, /* bytes */
	RETRIES = 2,
	BUSES = 32,
	BUS_METERS = 20,
	WARM_UP = 3, /* s */
	MEASURED = 10,
};

/* ---- One bus, as fast as it can be ---- */

/* Makes each telegram 120 bytes long: its header, and idle fillers. */
static void make_long(void *user, size_t meter, uint8_t *bytes, size_t *length, ml_time *later)
{
	uint8_t data[ANSWER];
	(void)user;
	(void)meter;
	(void)later;
	if (*length == 1)
		return;
	memset(data, 0x2F, sizeof data);
	memcpy(data, bytes + 7, 12);
	*length = mbus_build_long(bytes, bytes[4], bytes[5], bytes[6], data, ANSWER - 9);
}

struct run {
	unsigned baud, dead;
	ml_time times[5]; /* of the rounds */
	unsigned read;    /* in the last */
};

static void run_bus(struct run *run)
{
	struct rig *rig = rig_new(true);
	const struct sim_options options = {
		.meters = METERS - run->dead, .seed = 3, .baud = run->baud, .delay = 11};
	struct sim_options listed = options;
	char params[100];
	listed.meters = METERS;
	rig_line(rig, &options);
	sim_line_watch(rig->line, &(struct sim_line_watch){NULL, make_long, NULL});
	rig_list(rig, &listed, METERS, METER_MODE_SECONDARY);
	(void)snprintf(params, sizeof params, "'interface':'rig:line','baud':%u", run->baud);
	rig_graph(rig, params);
	rig_pass(rig, ML_SEC);
	for (size_t i = 0; i < 5; i++) {
		rig->frame_count = 0;
		rig_trigger(rig);
		rig_pass(rig, ML_HOUR);
		assert_int_equal(rig->end_count, i + 1);
		run->times[i] = rig->ends[i].time - rig->begins[i].time;
		run->read = rig->ends[i].read;
	}
	rig_free(rig);
}

/* Selection, E5h, request and answer, with a delay of a byte before each answer. */
static ml_time shortest(unsigned baud, unsigned meters)
{
	return meters * mbus_line_time(baud, 17 + 1 + 1 + 5 + 1 + ANSWER);
}

static bool measure_line(unsigned baud)
{
	struct run run = {.baud = baud};
	const ml_time least = shortest(baud, METERS);
	run_bus(&run);
	bool good = true;
	for (size_t i = 0; i < 2; i++) {
		const double share = (double)least / (double)run.times[i];
		printf("250 meters, %5u baud, round %zu: %7.1f s, shortest possible %7.1f s: "
		       "%.2f %% (at least 98)\n",
			baud, i + 1, (double)run.times[i] / ML_SEC, (double)least / ML_SEC,
			100 * share);
		good = good && share >= 0.98 && run.read == METERS;
	}
	return good;
}

static bool measure_dead(unsigned baud)
{
	struct run all = {.baud = baud};
	struct run some = {.baud = baud, .dead = DEAD};
	struct mbus_timing t = {.latency = 50 * ML_MSEC};
	run_bus(&all);
	run_bus(&some);
	mbus_timing_derive(&t, baud);
	/* What the selections of a dead meter take by themselves, and what it takes alive. */
	const ml_time one = mbus_line_time(baud, 17) + t.response + t.request;
	const ml_time alive = all.times[0] / METERS;
	bool good = some.read == METERS - DEAD;
	for (size_t i = 0; i < 5; i += 4) {
		const unsigned tries = i == 0 ? 1 + RETRIES : 1;
		const ml_time longer = some.times[i] - (METERS - DEAD) * alive;
		const ml_time allowed = DEAD * tries * one;
		printf("240 meters and 10 dead, %u baud, round %zu: %.1f s, %.2f s for the dead, "
		       "their own timeouts %.2f s\n",
			baud, i + 1, (double)some.times[i] / ML_SEC, (double)longer / ML_SEC,
			(double)allowed / ML_SEC);
		good = good && longer <= allowed + 10 * ML_MSEC;
	}
	return good;
}

/* ---- Many buses ---- */

static const struct sim_options bus_options = {.meters = BUS_METERS, .seed = 1, .baud = 2400};

/* The meters: prints the addresses of their terminals to `out` and runs until it is killed. */
static void be_meters(int out)
{
	static const struct ml_family *const none[] = {NULL};
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_log *log = ml_log_new(clock, 0);
	const struct ml_engine_options options = {.families = none, .clock = clock, .log = log};
	struct ml_engine *engine = NULL;
	FILE *file = fdopen(out, "w");
	if (!file || ml_engine_new(&options, &engine, NULL) < 0)
		_exit(1);
	for (int i = 0; i < BUSES; i++) {
		struct sim_port *port = NULL;
		if (sim_port_pty(
			    ml_engine_lane(engine, "control"), &bus_options, NULL, &port, NULL) < 0)
			_exit(1);
		(void)fprintf(file, "%s\n", sim_port_address(port));
	}
	(void)fclose(file);
	ml_engine_run(engine);
	_exit(0);
}

static size_t readings;

static void sink_process(struct ml_node *node, void *self, unsigned port,
	struct ml_message *const *messages, size_t count)
{
	(void)self;
	(void)port;
	readings += count;
	for (size_t i = 0; i < count; i++)
		ml_release(node, messages[i]);
}

static const struct ml_port sink_ports[] = {
	{.name = "in", .direction = ML_INPUT, .type = &meter_reading_type, .help = "in"}, {0}};
static const struct ml_node_class sink_class = {
	.type = "bench-sink",
	.version = 1,
	.title = "sink",
	.help = "sink",
	.category = "sink",
	.ports = sink_ports,
	.size = 1,
	.process = sink_process,
};
static const struct ml_node_class *const classes[] = {&sink_class, NULL};
static const struct ml_family bench_family = {.abi = ML_FAMILY_ABI,
	.size = sizeof(struct ml_family),
	.name = "bench",
	.node_classes = classes};

static void list_meters(struct ml_engine *engine)
{
	struct sim_line *line = sim_line_new(&bus_options);
	for (unsigned bus = 0; bus < BUSES; bus++) {
		for (size_t i = 0; i < BUS_METERS; i++) {
			struct meter_settings settings = {
				.mode = METER_MODE_SECONDARY, .has_secondary = true};
			settings.secondary = sim_line_meter(line, i)->identity;
			(void)snprintf(settings.bus, sizeof settings.bus, "b%u", bus);
			if (meter_list_add(meter_list(engine), &settings, 0, &(uint32_t){0}, NULL) <
				0)
				abort();
		}
	}
	sim_line_free(line);
}

static void apply(struct ml_engine *engine, FILE *addresses)
{
	static char graph[32 * 1024];
	struct ml_errors errors = {0};
	char address[100];
	size_t used = (size_t)snprintf(graph, sizeof graph,
		"{\"meterloom\":1,\"nodes\":[{\"id\":\"decode\",\"type\":\"decode\"},"
		"{\"id\":\"sink\",\"type\":\"bench-sink\"}");
	for (unsigned i = 0; i < BUSES && fgets(address, sizeof address, addresses); i++) {
		address[strcspn(address, "\n")] = '\0';
		used += (size_t)snprintf(graph + used, sizeof graph - used,
			",{\"id\":\"bus-%u\",\"type\":\"mbus-source\",\"params\":{\"interface\":"
			"\"%s\",\"bus\":\"b%u\",\"continuous\":true}}",
			i, address, i);
	}
	used += (size_t)snprintf(graph + used, sizeof graph - used,
		"],\"edges\":[{\"from\":\"decode.out\",\"to\":\"sink\"}");
	for (unsigned i = 0; i < BUSES; i++)
		used += (size_t)snprintf(graph + used, sizeof graph - used,
			",{\"from\":\"bus-%u.continuous\",\"to\":\"decode\"}", i);
	used += (size_t)snprintf(graph + used, sizeof graph - used, "]}");
	if (ml_engine_apply(engine, graph, used, &errors) < 0) {
		printf("%s: %s\n", errors.items[0].pointer, errors.items[0].text);
		abort();
	}
}

static double cpu_seconds(void)
{
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct watch {
	struct ml_engine *engine;
	struct ml_timer timer;
	bool warm;
	double cpu;
	size_t before;
};

static void look(struct ml_timer *timer)
{
	struct watch *w = timer->user;
	if (w->warm) {
		ml_engine_quit(w->engine);
		return;
	}
	w->warm = true;
	w->cpu = cpu_seconds();
	w->before = readings;
	ml_timer_start(timer, ml_lane_now(timer->lane) + MEASURED * ML_SEC);
}

static bool measure_buses(void)
{
	static const struct ml_family *const families[] = {
		&meter_family, &mbus_family, &decode_family, &bench_family, NULL};
	int pipes[2];
	if (pipe(pipes) < 0)
		return false;
	const pid_t child = fork();
	if (child == 0) {
		(void)close(pipes[0]);
		be_meters(pipes[1]);
	}
	(void)close(pipes[1]);
	FILE *addresses = fdopen(pipes[0], "r");
	struct watch w = {0};
	struct ml_clock *clock = ml_clock_new_real();
	struct ml_log *log = ml_log_new(clock, 0);
	const struct ml_engine_options options = {.families = families, .clock = clock, .log = log};
	if (ml_engine_new(&options, &w.engine, NULL) < 0)
		abort();
	list_meters(w.engine);
	apply(w.engine, addresses);
	ml_timer_init(&w.timer, ml_engine_lane(w.engine, "control"), look, &w);
	ml_timer_start(&w.timer, ml_clock_monotonic(clock) + WARM_UP * ML_SEC);
	ml_engine_run(w.engine);
	const double share = (cpu_seconds() - w.cpu) / MEASURED;
	const size_t count = readings - w.before;
	ml_engine_free(w.engine);
	ml_log_free(log);
	ml_clock_free(clock);
	(void)fclose(addresses);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	printf("32 buses at 2400 baud on terminals, all busy: %.1f readouts a second, "
	       "%.2f %% of a core (under 10)\n",
		(double)count / MEASURED, 100 * share);
	return count > BUSES * MEASURED / 2 && share < 0.10;
}

int main(void)
{
	bool good = measure_line(2400);
	good = measure_line(300) && good;
	good = measure_dead(2400) && good;
	good = measure_buses() && good;
	return good ? 0 : 1;
}
