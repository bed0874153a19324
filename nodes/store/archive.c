/* The service "archive": all that is stored.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the lane "database", or where no lane runs.
 */
#include "store/archive.h"

#include <errno.h>
#include <stdlib.h>

#include "meter/archive.h"
#include "store/batch.h"
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

static int archive_read(
	void *user, uint64_t first, uint64_t last, struct meter_batch *batch, struct ml_error *err)
{
	const struct archive *archive = user;
	const struct store_range range = {
		.first = first,
		.last = last,
		.count = last - first + 1,
		.from = INT64_MIN,
		.to = INT64_MAX,
	};
	*batch = (struct meter_batch){.class = &store_batch_class};
	if (store_batch_init(batch, archive->engine, "", &range) < 0)
		return ml_error_set(err, -ENOMEM, "out of memory");
	return 0;
}

int store_archive_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	struct archive *archive = calloc(1, sizeof *archive);
	if (!archive)
		return ml_error_set(err, -ENOMEM, "out of memory");
	archive->engine = engine;
	archive->head =
		(struct meter_archive){.user = archive, .last = archive_last, .read = archive_read};
	*ret_service = archive;
	return 0;
}
