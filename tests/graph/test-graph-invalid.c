/* Bad graphs: each folder of invalid/ holds a graph and all that is wrong with it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: test-graph-invalid FOLDER [--write]. With --write the errors that are found are written;
 * read the difference before you commit it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/json.h>

#include "classes.h"
#include "graph/graph.h"

static bool read_file(const char *folder, const char *name, struct ml_buffer *out)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *const file = fopen(path, "rb");
	ml_buffer_clear(out);
	ml_buffer_append(out, "", 0);
	if (!file)
		return false;
	char block[4096];
	size_t length;
	while ((length = fread(block, 1, sizeof block, file)) > 0)
		ml_buffer_append(out, block, length);
	(void)fclose(file);
	return !out->failed;
}

static bool write_file(const char *folder, const char *name, const struct ml_buffer *data)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *const file = fopen(path, "wb");
	if (!file)
		return false;
	(void)fwrite(data->data, 1, data->length, file);
	return fclose(file) == 0;
}

static void write_errors(const struct ml_errors *errors, struct ml_buffer *out)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct ml_error *const e = &errors->items[i];
		ml_buffer_appendf(out, "%d:%d: %s: %s\n", e->line, e->column, e->pointer, e->text);
	}
}

static bool run_case(const char *folder, bool write)
{
	struct ml_buffer input = {0}, expected = {0}, found = {0};
	struct ml_errors errors = {0};
	struct ml_graph *graph = NULL;
	bool good = read_file(folder, "input.json", &input);
	const int result = ml_graph_parse(
		test_families, input.data, input.length, NULL, NULL, &graph, &errors);
	if (result != -EINVAL || graph || errors.count == 0) {
		(void)printf("%s: expected an error, found %d\n", folder, result);
		good = false;
	}
	write_errors(&errors, &found);
	if (write) {
		good = good && write_file(folder, "error", &found);
	} else if (!read_file(folder, "error", &expected) || expected.length != found.length ||
		   memcmp(expected.data, found.data, found.length) != 0) {
		(void)printf("%s\n  expected:\n%s  found:\n%s", folder,
			expected.data ? expected.data : "", found.data ? found.data : "");
		good = false;
	}
	ml_graph_free(graph);
	ml_errors_free(&errors);
	ml_buffer_free(&input);
	ml_buffer_free(&expected);
	ml_buffer_free(&found);
	return good;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	DIR *const folder = opendir(argv[1]);
	if (!folder) {
		perror(argv[1]);
		return 1;
	}
	size_t count = 0, failed = 0;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		char path[2048];
		(void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
		count++;
		failed += !run_case(path, argc > 2 && strcmp(argv[2], "--write") == 0);
	}
	(void)closedir(folder);
	(void)printf("%zu cases, %zu failed\n", count, failed);
	return failed > 0 || count < 50;
}
