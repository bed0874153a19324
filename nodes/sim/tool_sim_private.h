/* `meterloom sim`, for its own files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_TOOL_SIM_PRIVATE_H
#define SIM_TOOL_SIM_PRIVATE_H

#include <stdbool.h>
#include <uv.h>

#include <meterloom/engine.h>
#include <meterloom/node.h>
#include <meterloom/tool.h>

#include "sim/head_end.h"
#include "sim/list.h"
#include "sim/port.h"
#include "sim/replay.h"

enum {
	SIM_WRONG_USAGE = 2,
	SIM_TOOL_BUSES_MAX = 64,
	SIM_TOOL_FILE_MAX = 64 * 1024,
	SIM_LINE_MAX = 256,
};

/* One bus, and where a gateway finds it. */
struct sim_tool_bus {
	struct sim_options options;
	bool pty;
	char link[SIM_PATH_MAX]; /* "": none */
	bool tcp;
	char host[SIM_PORT_ADDRESS_MAX];
	uint16_t number;
	struct sim_port *ports[2];     /* the terminal, the TCP port; NULL: none */
	struct sim_replay *replays[2]; /* behind them; NULL: virtual meters are */
};

/* Lines on the standard input. */
struct sim_console {
	struct ml_engine *engine;
	struct sim_tool_bus *buses;
	size_t bus_count;
	uv_poll_t poll;
	struct ml_timer timer;
	bool polls, terminal, waits, ended;
	bool wrong; /* an order of a script was */
	char text[SIM_LINE_MAX];
	size_t length;
};

struct sim_tool {
	struct sim_tool_bus *buses; /* owned; the first is what all others begin as */
	size_t bus_count;           /* with the first */
	struct sim_faults faults;   /* of all buses together */
	unsigned copies;            /* --buses */
	bool list_json, list_faults, head_end;
	const char *list, *replay;
	enum sim_addressing addressing;
	char head_end_address[SIM_PORT_ADDRESS_MAX];
	uint16_t head_end_port;
	struct head_end_options head_end_options;
	char *login;             /* owned */
	struct ml_buffer script; /* owned */

	struct ml_clock *clock;
	struct ml_log *log;
	struct ml_log_terminal terminal;
	struct ml_engine *engine;
	struct head_end *head_end_running;
	struct sim_console console;
	uv_signal_t signals[2];
};

#define sim_complain(...) ml_tool_complain("sim", __VA_ARGS__) /* gives SIM_WRONG_USAGE */

/* ---- tool_sim_arguments.c ---- */

/* -1: the help was asked for; else an exit code. */
int sim_tool_arguments(struct sim_tool *t, int argc, char **argv);
extern const char sim_tool_help[];

/* ---- tool_sim_buses.c ---- */

/* One more bus; NULL: there are too many. */
struct sim_tool_bus *sim_tool_add_bus(struct sim_tool *t);
/* After all arguments: names, seeds, ports and faults of each. An exit code. */
int sim_tool_settle_buses(struct sim_tool *t);
/* The buses that are to run: all but the first, or the first where it is the only one. */
struct sim_tool_bus *sim_tool_buses(struct sim_tool *t, size_t *count);
int sim_tool_write_list(struct sim_tool *t);
int sim_tool_start_buses(struct sim_tool *t, struct ml_error *err);
void sim_tool_close_buses(struct sim_tool *t); /* before the engine is freed */
void sim_tool_free_buses(struct sim_tool *t);  /* after */

/* ---- tool_sim_console.c ---- */

/* Reads orders from the standard input where that is a terminal, a pipe or a file. */
void sim_console_start(struct sim_console *console, struct ml_engine *engine,
	struct sim_tool_bus *buses, size_t count);
void sim_console_stop(struct sim_console *console);

#endif
