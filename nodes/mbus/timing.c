/* Times on the line that follow from the baud rate (EN 13757-2).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/master.h"

enum {
	BITS = 11, /* of a byte on the line: start, eight, parity, stop */
	SLAVE_BITS = 330,
	GAP_BITS = 33,
	BAUD_MIN = 300,
};

#define SLAVE_TIME (50 * ML_MSEC)
#define GAP_TIME (20 * ML_MSEC)

static ml_time bit_times(unsigned baud, unsigned bits)
{
	return (ml_time)bits * ML_SEC / (baud ? baud : BAUD_MIN);
}

ml_time mbus_line_time(unsigned baud, size_t length)
{
	return bit_times(baud, (unsigned)length * BITS);
}

void mbus_timing_derive(struct mbus_timing *t, unsigned baud)
{
	const ml_time slave = bit_times(baud, SLAVE_BITS) + SLAVE_TIME + t->latency;
	if (t->response == 0)
		t->response = slave + bit_times(baud, BITS);
	if (t->multi_response == 0)
		t->multi_response = t->response;
	if (t->initialization == 0)
		t->initialization = bit_times(baud, BITS);
	if (t->request == 0)
		t->request = bit_times(baud, BITS);
	if (t->collision == 0)
		t->collision = slave;
	if (t->gap == 0)
		t->gap = bit_times(baud, GAP_BITS) + GAP_TIME + t->latency;
}
