/* The folder of documents that belong to no batch of a store.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/engine.h>
#include <meterloom/files.h>

struct spool {
	const struct ml_files *files;
	char folder[512];
	bool temporary;
};

struct names {
	struct ml_buffer text; /* each with its NUL */
};

static void add_name(void *context, const char *name, bool folder)
{
	struct names *names = context;
	if (!folder)
		ml_buffer_append(&names->text, name, strlen(name) + 1);
}

static void empty(const struct spool *spool)
{
	struct names names = {.text = {0}};
	char path[sizeof spool->folder + 256];
	(void)spool->files->list(spool->files->user, spool->folder, add_name, &names);
	for (size_t at = 0; at < names.text.length; at += strlen(names.text.data + at) + 1) {
		(void)snprintf(path, sizeof path, "%s/%.250s", spool->folder, names.text.data + at);
		(void)spool->files->remove(spool->files->user, path);
	}
	ml_buffer_free(&names.text);
}

static int spool_start(struct ml_engine *engine, void **ret_service, struct ml_error *err)
{
	const char *data = ml_engine_data(engine);
	const char *temporary = getenv("TMPDIR");
	struct spool *spool = calloc(1, sizeof *spool);
	if (!spool)
		return ml_error_set(err, -ENOMEM, "the system is out of memory");
	int length, code;
	spool->files = ml_engine_files(engine);
	if (data) {
		length = snprintf(spool->folder, sizeof spool->folder, "%s/documents", data);
		code = spool->files->make_folder(spool->files->user, spool->folder, 0700);
		empty(spool);
	} else {
		length = snprintf(spool->folder, sizeof spool->folder, "%s/meterloom-XXXXXX",
			temporary && temporary[0] ? temporary : "/tmp");
		code = mkdtemp(spool->folder) ? 0 : -errno;
		spool->temporary = true;
	}
	if ((size_t)length >= sizeof spool->folder)
		code = -ENAMETOOLONG;
	if (code < 0 && code != -EEXIST) {
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
	empty(spool);
	if (spool->temporary)
		(void)spool->files->remove_folder(spool->files->user, spool->folder);
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
