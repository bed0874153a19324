/* The service "archive": all that is stored.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "database", or where no lane runs.
 */
#include "store/archive.h"

#include <errno.h>
#include <stdlib.h>

#include "meter/archive.h"
#include "store/scan.h"
#include "store/writer.h"

struct archive {
	struct meter_archive head; /* first: what others see */
	struct ml_engine *engine;
};

static int archive_last(void *user, uint64_t *sequence, struct ml_error *err)
{
	const struct archive *archive = user;
	struct store_writer *writer = store_writer(archive->engine);
	const int result = store_writer_ready(writer, err);
	*sequence = result == 0 ? writer->sequence : 0;
	return result;
}

static int walk(struct store_view *view, const struct store_scan_options *options,
	void (*each)(void *context, const struct meter_reading *reading, uint64_t sequence),
	void *context, struct ml_error *err)
{
	struct store_scan *scan = NULL;
	const struct store_row *row = NULL;
	void *block = malloc(STORE_BLOCK_MAX);
	if (!block)
		return ml_error_set(err, -ENOMEM, "out of memory");
	int result = store_scan_begin(view, options, &scan, err);
	while (result == 0 && (result = store_scan_next(scan, &row, err)) > 0) {
		const uint64_t sequence = row->sequence;
		result = store_view_reading(view, row, block, err);
		if (result == 0)
			each(context, block, sequence);
		else if (result == -EBADMSG)
			result = 0; /* told */
	}
	store_scan_end(scan);
	free(block);
	return result;
}

static int archive_walk(void *user, uint64_t first, uint64_t last,
	void (*each)(void *context, const struct meter_reading *reading, uint64_t sequence),
	void *context, struct ml_error *err)
{
	const struct archive *archive = user;
	struct store_view *view = NULL;
	struct store_scan_options options = STORE_SCAN_ALL;
	options.order = STORE_BY_SEQUENCE;
	options.first = first;
	options.last = last;
	int result = store_view_open(archive->engine, &view, err);
	if (result == 0)
		result = walk(view, &options, each, context, err);
	store_view_close(view);
	return result;
}

int store_archive_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct archive *archive = calloc(1, sizeof *archive);
	if (!archive)
		return ml_error_set(err, -ENOMEM, "out of memory");
	archive->engine = engine;
	archive->head =
		(struct meter_archive){.user = archive, .last = archive_last, .walk = archive_walk};
	*ret_service = archive;
	return 0;
}
