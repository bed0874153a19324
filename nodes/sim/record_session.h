/* Recording an interface: between a master and its adapter, or listening.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SIM_RECORD_SESSION_H
#define SIM_RECORD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/error.h>

struct sim_record_options {
	const char *interface;
	unsigned baud;
	bool listen;      /* there is no master: both sides may be heard */
	bool pty;         /* for the master */
	const char *link; /* to it; may be NULL */
	const char *tcp;  /* for the master: [ADDRESS:]PORT; NULL: none */
	const char *out;  /* NULL: nothing is written */
	ml_time length;   /* 0: until it is stopped */
	uint64_t size;    /* of the file, bytes; 0: no limit */
	bool explain;     /* prints frames as they come */
	bool json;        /* as JSON */
};

/* Records until it is stopped by SIGINT or SIGTERM, or comes to one of its bounds. Prints what it
 * does on stderr. A lost interface and a file that takes no more are errors. */
int sim_record_run(const struct sim_record_options *options, struct ml_error *err);

#endif
