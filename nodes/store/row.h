/* A stored reading as it lies in the database: what rows and chunks have in common.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: the packer gives these to the codec of chunks and gets them back from it; scan.h gives them
 * to whoever reads.
 */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>

struct store_row {
	uint64_t sequence; /* given at the commit; never again */
	int64_t device;    /* key of the table `device` */
	ml_time time;      /* wall time in whole milliseconds; with `boot`: monotonic */
	uint64_t trace;
	int64_t shape; /* key of the table `shape`; 0: it holds no values (a readout that failed) */
	int64_t boot;  /* start whose monotonic clock `time` is of; 0: it is wall time. Never in a
			  chunk: only what has its time is packed. */
	uint32_t origin; /* key of the table `origin`; 0: not known */
	uint32_t check;  /* CRC-32 of the telegram's bytes; 0: there was none, or it is not known */
	const uint8_t *content; /* head, tokens and error as pack.h has them */
	size_t length;
};

#endif
