/* Disks that fail: a file layer under SQLite for the files of readings.db.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_FAULT_H
#define TESTS_STORE_FAULT_H

enum fault {
	FAULT_NONE,
	FAULT_FULL,      /* no write has room */
	FAULT_READ_ONLY, /* no write is allowed */
	FAULT_SYNC,      /* what is written is never said to be on the disk */
	FAULT_OPEN,      /* the file cannot be opened */
};

void fault_install(void); /* once */
void fault_set(enum fault fault);

#endif
