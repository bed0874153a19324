/* The folder where documents wait for their delivery.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <meterloom/engine.h>

struct spool {
	char folder[512];
	bool temporary;
};

static void empty(const char *folder)
{
	DIR *directory = opendir(folder);
	if (!directory)
		return;
	for (const struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	}
	(void)closedir(directory);
}

static int spool_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	const char *data = ml_engine_data(engine);
	const char *temporary = getenv("TMPDIR");
	struct spool *spool = calloc(1, sizeof *spool);
	if (!spool)
		return ml_error_set(err, -ENOMEM, "the system is out of memory");
	int length;
	bool made;
	if (data) {
		length = snprintf(spool->folder, sizeof spool->folder, "%s/documents", data);
		made = mkdir(spool->folder, 0700) == 0 || errno == EEXIST;
		empty(spool->folder);
	} else {
		length = snprintf(spool->folder, sizeof spool->folder, "%s/meterloom-XXXXXX",
			temporary && temporary[0] ? temporary : "/tmp");
		made = mkdtemp(spool->folder) != NULL;
		spool->temporary = true;
	}
	if (!made || (size_t)length >= sizeof spool->folder) {
		const int code = made ? -ENAMETOOLONG : -errno;
		(void)ml_error_set(err, code, "%s: cannot be made, and documents need it: %s",
			spool->folder, strerror(-code));
		free(spool);
		return code;
	}
	*ret_service = spool;
	return 0;
}

static void spool_stop(void *service)
{
	struct spool *spool = service;
	empty(spool->folder);
	if (spool->temporary)
		(void)rmdir(spool->folder);
	free(spool);
}

const struct ml_service_class report_services[] = {
	{.name = "report-spool", .start = spool_start, .stop = spool_stop},
	{.name = NULL},
};

const char *report_spool_folder(struct ml_engine *engine)
{
	const struct spool *spool = ml_service(engine, "report-spool");
	return spool ? spool->folder : NULL;
}
