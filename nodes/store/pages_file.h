/* The pages of readings.db with its write-ahead log laid over them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_PAGES_FILE_H
#define STORE_PAGES_FILE_H

#include <meterloom/error.h>

#include "store/pages.h"

struct store_pages_file {
	struct store_pages pages;
	int file, log;
	uint64_t *in_log;   /* of each page the place of its newest bytes in the log; 0: none */
	uint32_t free_list; /* its first page; 0: none, or not known */
};

/* Also of a file whose header is gone. */
int store_pages_open(struct store_pages_file *file, const char *path, struct ml_error *err);
void store_pages_close(struct store_pages_file *file);

#endif
