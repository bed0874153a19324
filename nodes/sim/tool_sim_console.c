/* Orders on the standard input of `meterloom sim`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meter/address.h"
#include "sim/order.h"
#include "sim/tool_sim_private.h"

/* Another program has the terminal: when it is looked at again. */
#define LOOK_AGAIN ML_SEC

static void work(struct sim_console *c);

static ml_time now_of(const struct sim_console *c)
{
	return ml_clock_monotonic(ml_engine_clock(c->engine));
}

/* ---- Orders ---- */

static const char *name_of(const struct sim_console *c, size_t index)
{
	const char *name = c->buses[index].options.name;
	return name[0] ? name : "the bus";
}

static bool is_meant(const struct sim_console *c, size_t index, const struct sim_order *order)
{
	return !order->bus[0] || strcmp(c->buses[index].options.name, order->bus) == 0;
}

static void show_meters(struct sim_bus *bus)
{
	char secondary[METER_SECONDARY_TEXT_MAX];
	const struct sim_line *line = sim_bus_line(bus);
	for (size_t i = 0; i < sim_line_meter_count(line); i++) {
		const struct sim_meter *meter = sim_line_meter(line, i);
		meter_secondary_format(meter->identity, secondary);
		(void)printf("%5zu  %-19s  primary %-3u  %5u Bd  %s%s\n", i + 1, secondary,
			meter->primary, sim_line_rate(line, meter).baud, meter->model->name,
			meter->unplugged ? ", unplugged" : "");
	}
}

static void show_faults(struct sim_bus *bus)
{
	const struct sim_faults *faults = sim_plan_faults(sim_bus_plan(bus));
	struct ml_buffer text = {0};
	for (size_t i = 0; i < faults->count; i++) {
		ml_buffer_appendf(&text, "       ");
		sim_rule_text(&faults->rules[i], &text);
		ml_buffer_appendf(&text, "\n");
	}
	(void)fwrite(text.data ? text.data : "", 1, text.length, stdout);
	ml_buffer_free(&text);
}

static void show_bus(const struct sim_console *c, size_t index, enum sim_order_kind kind)
{
	struct sim_tool_bus *b = &c->buses[index];
	for (int i = 0; i < 2; i++) {
		struct sim_bus *bus = b->ports[i] ? sim_port_bus(b->ports[i]) : NULL;
		struct ml_buffer state = {0};
		if (!bus)
			continue;
		sim_bus_state_text(bus, now_of(c), &state);
		(void)printf("%s at %s: %zu meters, %s\n", name_of(c, index),
			sim_port_address(b->ports[i]), sim_line_meter_count(sim_bus_line(bus)),
			state.length > 0 ? state.data : "good");
		if (kind == SIM_ORDER_LIST)
			show_meters(bus);
		show_faults(bus);
		ml_buffer_free(&state);
	}
}

static int tell_no_bus(const struct sim_console *c, const char *found, struct ml_error *err)
{
	struct ml_buffer names = {0};
	for (size_t i = 0; i < c->bus_count; i++)
		ml_buffer_appendf(&names, "%s%s", i ? ", " : "", name_of(c, i));
	ml_error_set(err, -ENOENT, "%s: expected one of %.150s", found, names.data);
	ml_buffer_free(&names);
	return -ENOENT;
}

/* Where a bus has a terminal and a TCP port, it is done to both. */
static int change(struct sim_console *c, const struct sim_order *order, struct ml_error *err)
{
	size_t found = 0;
	int result = 0;
	if (!order->bus[0] && c->bus_count > 1)
		return tell_no_bus(c, "which bus ('… on NAME')?", err);
	for (size_t b = 0; result == 0 && b < c->bus_count; b++) {
		for (int i = 0; is_meant(c, b, order) && result == 0 && i < 2; i++) {
			struct sim_port *port = c->buses[b].ports[i];
			struct sim_bus *bus = port ? sim_port_bus(port) : NULL;
			if (!bus)
				continue;
			found++;
			result = sim_order_do(bus, order, now_of(c),
				ml_clock_wall(ml_engine_clock(c->engine)), err);
			sim_port_touch(port);
		}
	}
	return result < 0 || found > 0 ? result : tell_no_bus(c, "there is no such bus", err);
}

static int show(const struct sim_console *c, const struct sim_order *order, struct ml_error *err)
{
	size_t found = 0;
	for (size_t i = 0; i < c->bus_count; i++) {
		if (!is_meant(c, i, order))
			continue;
		show_bus(c, i, order->kind);
		found++;
	}
	return found > 0 ? 0 : tell_no_bus(c, "there is no such bus", err);
}

static void do_line(struct sim_console *c, const char *line)
{
	struct sim_order order;
	struct ml_error err = ML_ERROR_NONE;
	int result = sim_order_parse(line, &order, &err);
	if (result == 0) {
		switch (order.kind) {
		case SIM_ORDER_NONE:
			return;
		case SIM_ORDER_HELP:
			(void)fputs(sim_order_help, stdout);
			break;
		case SIM_ORDER_QUIT:
			c->ended = true;
			ml_engine_quit(c->engine);
			break;
		case SIM_ORDER_WAIT:
			c->waits = true;
			ml_timer_start(&c->timer, now_of(c) + order.wait);
			break;
		case SIM_ORDER_LIST:
		case SIM_ORDER_FAULTS:
			result = show(c, &order, &err);
			break;
		default:
			result = change(c, &order, &err);
			if (result == 0)
				(void)printf("done: %s\n", line);
			break;
		}
	}
	if (result < 0) {
		(void)fprintf(stderr, "%s: %s\n", line, err.text);
		c->wrong = true;
	}
	(void)fflush(stdout);
}

/* ---- Lines ---- */

/* Does the lines that are there, up to one that waits. */
static void do_lines(struct sim_console *c)
{
	char *newline;
	while (!c->waits && (newline = memchr(c->text, '\n', c->length)) != NULL) {
		char line[SIM_LINE_MAX];
		const size_t length = (size_t)(newline - c->text);
		memcpy(line, c->text, length);
		line[length] = '\0';
		line[strcspn(line, "\r")] = '\0';
		c->length -= length + 1;
		memmove(c->text, newline + 1, c->length);
		do_line(c, line);
	}
	if (c->length == sizeof c->text - 1 && !memchr(c->text, '\n', c->length)) {
		c->length = 0;
		c->wrong = true;
		(void)fputs("a line is longer than 254 bytes and left out\n", stderr);
	}
}

static void finish(struct sim_console *c)
{
	c->ended = true;
	if (c->polls)
		(void)uv_poll_stop(&c->poll);
	if (c->length > 0 && !c->waits && c->length < sizeof c->text) {
		c->text[c->length++] = '\n';
		do_lines(c);
	}
}

static void hear(struct sim_console *c)
{
	const ssize_t n = read(STDIN_FILENO, c->text + c->length, sizeof c->text - 1 - c->length);
	if (n > 0) {
		c->length += (size_t)n;
		do_lines(c);
	} else if (n == 0) {
		finish(c);
	} else if (errno == EIO) { /* in the background of a shell */
		if (c->polls)
			(void)uv_poll_stop(&c->poll);
		ml_timer_start(&c->timer, now_of(c) + LOOK_AGAIN);
		return;
	} else if (errno != EINTR && errno != EAGAIN) {
		finish(c);
	}
	work(c);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	hear(handle->data);
}

/* Listens on, unless a line waits. A file is read at once, a piece a turn. */
static void work(struct sim_console *c)
{
	if (c->waits && c->polls)
		(void)uv_poll_stop(&c->poll);
	if (c->waits || c->ended)
		return;
	if (c->polls)
		(void)uv_poll_start(&c->poll, UV_READABLE, on_poll);
	else
		ml_timer_start(&c->timer, now_of(c));
}

static void fire(struct ml_timer *timer)
{
	struct sim_console *c = timer->user;
	const bool waited = c->waits;
	c->waits = false;
	if (waited)
		do_lines(c);
	if (c->polls || c->waits)
		work(c);
	else if (!c->ended)
		hear(c);
}

void sim_console_start(
	struct sim_console *c, struct ml_engine *engine, struct sim_tool_bus *buses, size_t count)
{
	struct stat st;
	struct ml_lane *lane = ml_engine_lane(engine, "control");
	c->terminal = isatty(STDIN_FILENO);
	/* Under a service manager it is /dev/null. */
	if (fstat(STDIN_FILENO, &st) < 0 || (!c->terminal && !S_ISFIFO(st.st_mode) &&
						    !S_ISSOCK(st.st_mode) && !S_ISREG(st.st_mode)))
		return;
	c->engine = engine;
	c->buses = buses;
	c->bus_count = count;
	ml_timer_init(&c->timer, lane, fire, c);
	c->polls = !S_ISREG(st.st_mode) &&
		   uv_poll_init(ml_lane_loop(lane), &c->poll, STDIN_FILENO) == 0;
	if (!c->polls && !S_ISREG(st.st_mode))
		return;
	c->poll.data = c;
	if (c->terminal)
		(void)printf("`help` and Enter tell what can be done while it runs.\n");
	work(c);
}

void sim_console_stop(struct sim_console *c)
{
	if (!c->engine)
		return;
	c->ended = true;
	ml_timer_stop(&c->timer);
	if (c->polls)
		(void)uv_poll_stop(&c->poll);
}
