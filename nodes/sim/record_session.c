/* Recording an interface.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/record_session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <meterloom/engine.h>
#include <meterloom/family.h>
#include <meterloom/node.h>

#include "mbus/program.h"
#include "mbus/recording.h"
#include "sim/port.h"
#include "sim/record_file.h"
#include "sim/recording_print.h"
#include "sim/stream.h"
#include "sim/tap.h"

#define TICK ML_SEC

struct session {
	const struct sim_record_options *options;
	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_log_terminal terminal;
	struct ml_engine *engine;
	struct ml_lane *lane;
	struct ml_stream *stream;
	struct sim_port *port;
	struct ml_line line;
	struct ml_timer tick;
	uv_signal_t signals[2];
	struct sim_record_file file;
	struct sim_print print;
	struct sim_tap tap;
	struct mbus_recorded event; /* for those who look at what is recorded */
	ml_time begins, wall;       /* of the recording; begins: monotonic */
	uint64_t sent, received, bad, lost;
	bool opened, progress;
	const char *why; /* it ends; NULL: it goes on */
	struct ml_error err;
};

/* ---- What is recorded ---- */

static ml_time since_begin(const struct session *s)
{
	return ml_lane_now(s->lane) - s->begins;
}

static void end(struct session *s, const char *why)
{
	if (!s->why)
		s->why = why;
	ml_engine_quit(s->engine);
}

static void write_line(struct session *s, const char *line, size_t length)
{
	if (s->file.fd < 0 || s->err.code != 0)
		return;
	if (sim_record_put(&s->file, line, length, &s->err) < 0)
		end(s, "error");
	else if (s->options->size > 0 &&
		 s->file.written + s->file.length + MBUS_RECORDING_LINE_MAX > s->options->size)
		end(s, "size");
}

static void look_at(struct session *s, struct mbus_recorded *event)
{
	if (!s->options->explain)
		return;
	sim_print_event(&s->print, event);
	(void)fflush(stdout);
}

static void put_bytes(struct session *s, ml_time time, bool master, bool damaged,
	const uint8_t *bytes, size_t length)
{
	char line[MBUS_RECORDING_LINE_MAX];
	const enum mbus_recorded_kind kind = master ? MBUS_RECORDED_MASTER : MBUS_RECORDED_LINE;
	s->sent += master ? length : 0;
	s->received += master ? 0 : length;
	s->bad += damaged ? length : 0;
	while (length > 0 && !s->why) {
		const size_t part =
			length < MBUS_RECORDED_BYTES_MAX ? length : MBUS_RECORDED_BYTES_MAX;
		write_line(
			s, line, mbus_recording_put_bytes(line, time, kind, bytes, part, damaged));
		s->event.time = time;
		s->event.kind = kind;
		s->event.length = part;
		memcpy(s->event.bytes, bytes, part);
		memset(s->event.bad, damaged, part * sizeof s->event.bad[0]);
		look_at(s, &s->event);
		bytes += part;
		length -= part;
	}
}

static void put_state(struct session *s, enum mbus_recorded_kind kind, const char *text)
{
	char line[MBUS_RECORDING_LINE_MAX];
	struct mbus_recorded event = {.time = since_begin(s), .kind = kind};
	sim_tap_flush(&s->tap);
	(void)snprintf(event.text, sizeof event.text, "%s", text ? text : "");
	write_line(s, line, mbus_recording_put_state(line, event.time, kind, text));
	look_at(s, &event);
}

static void put_baud(struct session *s, unsigned baud)
{
	char line[MBUS_RECORDING_LINE_MAX];
	struct mbus_recorded event = {
		.time = since_begin(s), .kind = MBUS_RECORDED_BAUD, .baud = baud};
	write_line(s, line, mbus_recording_put_baud(line, event.time, baud));
	look_at(s, &event);
}

/* ---- The master ---- */

static void on_master(void *user, const uint8_t *bytes, size_t length)
{
	struct session *s = user;
	if (s->why)
		return;
	put_bytes(s, since_begin(s), true, false, bytes, length);
	if (ml_stream_write(s->stream, bytes, length) < 0)
		s->lost += length;
}

static void on_rate(void *user, struct sim_rate rate)
{
	struct session *s = user;
	struct ml_line line = s->line;
	line.baud = rate.baud;
	if (s->why || rate.baud == s->line.baud)
		return;
	s->line = line;
	put_baud(s, rate.baud);
	const int result = ml_stream_set_line(s->stream, &line);
	if (result < 0 && result != -ENOTSUP)
		(void)fprintf(stderr, "the interface does not take the %u baud of the master\n",
			rate.baud);
}

static int open_port(struct session *s, struct ml_error *err)
{
	const struct sim_record_options *o = s->options;
	const struct sim_behind behind = {
		.user = s,
		.received = on_master,
		.rate = on_rate,
		.baud = o->baud,
	};
	char address[SIM_PORT_ADDRESS_MAX] = "127.0.0.1";
	uint16_t port = 0;
	if (o->listen)
		return 0;
	if (!o->tcp)
		return sim_port_open_pty(s->lane, &behind, o->link, &s->port, err);
	if (sim_port_split(o->tcp, address, &port) < 0)
		return ml_error_set(err, -EINVAL, "--tcp %s: expected [ADDRESS:]PORT", o->tcp);
	return sim_port_open_tcp(s->lane, &behind, address, port, &s->port, err);
}

/* ---- The interface ---- */

static void on_opened(void *user)
{
	struct session *s = user;
	s->opened = true;
	put_state(s, MBUS_RECORDED_OPENED, NULL);
	if (open_port(s, &s->err) < 0) {
		end(s, "error");
		return;
	}
	if (s->port)
		(void)fprintf(stderr, "the master's interface is %s; all goes through to %s\n",
			sim_port_address(s->port), s->options->interface);
	else
		(void)fprintf(stderr, "listening on %s\n", s->options->interface);
}

static void on_heard(
	void *user, ml_time time, bool master, bool damaged, const uint8_t *bytes, size_t length)
{
	put_bytes(user, time, master, damaged, bytes, length);
}

static void take_in(struct session *s, const uint8_t *bytes, size_t length, bool damaged)
{
	if (s->why)
		return;
	if (s->options->listen) {
		sim_tap_bytes(&s->tap, since_begin(s), damaged, bytes, length);
		return;
	}
	if (s->port)
		sim_port_send(s->port, bytes, length);
	put_bytes(s, since_begin(s), false, damaged, bytes, length);
}

static void on_received(void *user, const uint8_t *bytes, size_t length)
{
	take_in(user, bytes, length, false);
}

static void on_damaged(void *user, const uint8_t *bytes, size_t length)
{
	take_in(user, bytes, length, true);
}

static void on_failed(void *user, const struct ml_error *err)
{
	struct session *s = user;
	put_state(s, MBUS_RECORDED_LOST, err->text);
	if (s->err.code == 0)
		s->err = *err;
	end(s, "lost");
}

static const struct ml_stream_events stream_events = {
	.opened = on_opened,
	.received = on_received,
	.damaged = on_damaged,
	.failed = on_failed,
};

/* ---- Its life ---- */

static void show_progress(const struct session *s)
{
	const long long seconds = since_begin(s) / ML_SEC;
	if (!s->progress)
		return;
	(void)fprintf(stderr,
		"\r%02lld:%02lld:%02lld  %" PRIu64 " bytes from the master, %" PRIu64
		" from the line, %" PRIu64 " with errors ",
		seconds / 3600, seconds / 60 % 60, seconds % 60, s->sent, s->received, s->bad);
	(void)fflush(stderr);
}

/* What was gathered is safe from a kill after a second. */
static void on_tick(struct ml_timer *timer)
{
	struct session *s = timer->user;
	const ml_time now = ml_lane_now(s->lane);
	if (s->file.fd >= 0 && sim_record_flush(&s->file, &s->err) < 0) {
		end(s, "error");
		return;
	}
	show_progress(s);
	const ml_time over = s->options->length > 0 ? s->begins + s->options->length : ML_NEVER;
	if (now >= over)
		end(s, "time");
	else
		ml_timer_start(timer, over - now < TICK ? over : now + TICK);
}

static void on_signal(uv_signal_t *handle, int number)
{
	end(handle->data, number == SIGINT ? "Ctrl-C" : "SIGTERM");
}

static int begin(struct session *s)
{
	const struct sim_record_options *o = s->options;
	struct mbus_recording_head head = {.baud = o->baud, .begins = s->wall};
	char text[MBUS_RECORDING_HEAD_MAX];
	(void)snprintf(head.interface, sizeof head.interface, "%s", o->interface);
	(void)snprintf(head.program, sizeof head.program, "%s", mbus_program);
	if (o->explain)
		sim_print_begin(&s->print, stdout, o->json, &head);
	if (o->out && sim_record_open(&s->file, o->out, &s->err) < 0)
		return s->err.code;
	write_line(s, text, mbus_recording_put_head(text, &head));
	s->line = (struct ml_line){
		.baud = o->baud, .parity = ML_PARITY_EVEN, .data_bits = 8, .stop_bits = 1};
	return ml_stream_open(
		s->engine, s->lane, o->interface, &s->line, &stream_events, s, &s->stream, &s->err);
}

static int make_engine(struct session *s)
{
	static const struct ml_family streams = {
		.abi = ML_FAMILY_ABI,
		.size = sizeof(struct ml_family),
		.name = "record",
		.streams = sim_stream_schemes,
	};
	static const struct ml_family *const families[] = {&streams, NULL};
	s->clock = ml_clock_new_real();
	s->log = s->clock ? ml_log_new(s->clock, 0) : NULL;
	if (!s->log)
		return ml_error_set(&s->err, -ENOMEM, "out of memory");
	s->terminal.fd = STDERR_FILENO;
	(void)ml_log_subscribe(s->log, ML_LOG_WARNING, ml_log_to_terminal, &s->terminal);
	const struct ml_engine_options options = {
		.families = families, .clock = s->clock, .log = s->log};
	const int result = ml_engine_new(&options, &s->engine, &s->err);
	if (result < 0)
		return result;
	s->lane = ml_engine_lane(s->engine, "control");
	s->begins = ml_lane_now(s->lane);
	s->wall = ml_clock_wall(s->clock);
	ml_timer_init(&s->tick, s->lane, on_tick, s);
	return 0;
}

static void run(struct session *s)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	for (size_t i = 0; i < 2; i++) {
		(void)uv_signal_init(ml_lane_loop(s->lane), &s->signals[i]);
		s->signals[i].data = s;
		(void)uv_signal_start(&s->signals[i], on_signal, numbers[i]);
	}
	ml_timer_start(&s->tick, ml_lane_now(s->lane));
	ml_engine_run(s->engine);
}

static void close_file(struct session *s)
{
	struct ml_error err = ML_ERROR_NONE;
	if (s->file.fd < 0)
		return;
	(void)sim_record_close(&s->file, s->err.code == 0 ? &s->err : &err);
	/* An interface that was never there leaves nothing behind. */
	if (!s->opened && s->file.regular)
		(void)unlink(s->options->out);
}

static void tell_end(struct session *s, ml_time length, const char *why)
{
	const char *out = s->options->out;
	if (s->progress)
		(void)fputc('\n', stderr);
	if (s->lost > 0)
		(void)fprintf(stderr, "%" PRIu64 " bytes of the master could not be handed on\n",
			s->lost);
	if (s->opened && out && s->err.code == 0)
		(void)fprintf(stderr,
			"%s: %lld s, %" PRIu64 " bytes from the master, %" PRIu64
			" from the line, %" PRIu64 " with errors; ended by %s\n",
			out, (long long)(length / ML_SEC), s->sent, s->received, s->bad, why);
	if (s->opened && out && s->err.code != 0 && strcmp(why, "lost") == 0) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, s->err.code, "%.140s; what came before is kept in %.80s",
			s->err.text, out);
		s->err = err;
	}
}

static void finish(struct session *s)
{
	const char *why = s->why ? s->why : "error";
	const ml_time length = s->lane ? since_begin(s) : 0;
	sim_tap_flush(&s->tap);
	if (s->opened && s->err.code == 0)
		put_state(s, MBUS_RECORDED_ENDED, why);
	close_file(s);
	if (s->opened && s->options->explain)
		sim_print_end(&s->print, true);
	tell_end(s, length, why);
}

int sim_record_run(const struct sim_record_options *options, struct ml_error *err)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s)
		return ml_error_set(err, -ENOMEM, "out of memory");
	s->options = options;
	s->file.fd = -1;
	s->err = ML_ERROR_NONE;
	s->progress = isatty(STDERR_FILENO) && !(options->explain && isatty(STDOUT_FILENO));
	sim_tap_init(&s->tap, s, on_heard);
	if (make_engine(s) == 0 && begin(s) == 0)
		run(s);
	finish(s);
	sim_port_close(s->port);
	ml_stream_close(s->stream);
	ml_engine_free(s->engine);
	ml_log_free(s->log);
	ml_clock_free(s->clock);
	const int result = s->err.code;
	if (result < 0 && err && err->code == 0)
		*err = s->err;
	free(s);
	return result;
}
