/* Subcommands as a person calls them: what they print and how they end.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: test-tools PROGRAM
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static const char *program;
static char folder[] = "/tmp/meterloom-tools-XXXXXX";

struct output {
	char *text; /* standard output and error */
	int code;
};

/* Runs the program through the shell, in the test's folder. */
static struct output run(const char *arguments)
{
	char command[4096];
	struct output output = {.text = calloc(1, 1 << 20)};
	assert_non_null(output.text);
	(void)snprintf(
		command, sizeof command, "cd '%s' && '%s' %s 2>&1", folder, program, arguments);
	FILE *const pipe = popen(command, "r");
	assert_non_null(pipe);
	(void)fread(output.text, 1, (1 << 20) - 1, pipe);
	const int status = pclose(pipe);
	assert_true(WIFEXITED(status));
	output.code = WEXITSTATUS(status);
	return output;
}

static void expect(const char *arguments, int code, const char *text)
{
	const struct output output = run(arguments);
	assert_string_equal(output.text, text);
	assert_int_equal(output.code, code);
	free(output.text);
}

static void expect_part(const char *arguments, int code, const char *part)
{
	const struct output output = run(arguments);
	if (!strstr(output.text, part))
		fail_msg("`%s` is not in: %s", part, output.text);
	assert_int_equal(output.code, code);
	free(output.text);
}

static void write_text(const char *name, const char *text)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *const file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void check_tells_every_error_with_its_place(void **state)
{
	(void)state;
	write_text("good.json", "{\"meterloom\": 1, \"nodes\": [], \"edges\": []}\n");
	write_text("bad.json",
		"{\n  \"meterloom\": 1,\n  \"nodes\": [\n    {\"id\": \"a\", \"type\": "
		"\"teleport\"}\n  "
		"],\n  \"edges\": [{\"from\": \"a\", \"to\": \"b\"}],\n  \"wires\": 2\n}\n");
	write_text("cut.json", "{\"meterloom\": 1,\n");
	expect("check good.json", 0, "good.json: good: 0 nodes, 0 edges\n");
	expect("check - < good.json", 0, "-: good: 0 nodes, 0 edges\n");
	expect("check bad.json good.json", 1,
		"bad.json:4:17: /nodes/0/type: there is no node type 'teleport'; `meterloom nodes` "
		"lists those that there are\n"
		"bad.json:6:27: /edges/0/to: there is no node 'b'\n"
		"bad.json:7:3: /wires: there is no key 'wires' here, expected one of: meterloom, "
		"name, "
		"nodes, edges, layout, remark\n"
		"good.json: good: 0 nodes, 0 edges\n");
	expect_part("check cut.json", 1, "cut.json:2:1: not JSON: ");
	expect_part("check missing.json", 1, "missing.json: No such file or directory");
	expect_part("check --strict good.json", 2, "there is no option '--strict'");
	expect_part("check", 2, "Usage: meterloom check");
	expect_part("check --help", 0, "Usage: meterloom check");
}

static void check_tells_it_to_programs_too(void **state)
{
	(void)state;
	const struct output output = run("check --json bad.json");
	assert_int_equal(output.code, 1);
	json_t *const json = json_loads(output.text, 0, NULL);
	const char *file = NULL, *pointer = NULL, *text = NULL;
	int good = 1, line = 0, column = 0;
	assert_int_equal(json_unpack(json, "{s:s, s:b, s:[{s:s, s:i, s:i, s:s}]}", "file", &file,
				 "good", &good, "errors", "pointer", &pointer, "line", &line,
				 "column", &column, "text", &text),
		0);
	assert_string_equal(file, "bad.json");
	assert_int_equal(good, 0);
	assert_string_equal(pointer, "/nodes/0/type");
	assert_int_equal(line, 4);
	assert_int_equal(column, 17);
	json_decref(json);
	free(output.text);
	expect_part("check --json good.json", 0, "\"good\":true,\"errors\":[]");
}

/* The types of nodes that the schema knows; a new reference. */
static json_t *types(void)
{
	const struct output output = run("schema");
	assert_int_equal(output.code, 0);
	json_t *const schema = json_loads(output.text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(schema);
	json_t *items = NULL;
	assert_int_equal(json_unpack(schema, "{s:{s:{s:{s:O}}}}", "properties", "nodes", "items",
				 "oneOf", &items),
		0);
	json_t *const names = json_array();
	size_t i = 0;
	json_t *item = NULL;
	json_array_foreach(items, i, item)
	{
		json_t *name = NULL;
		assert_int_equal(
			json_unpack(item, "{s:{s:{s:O}}}", "properties", "type", "const", &name),
			0);
		json_array_append_new(names, name);
	}
	json_decref(items);
	json_decref(schema);
	free(output.text);
	return names;
}

/* Texts keep clear of the last column. */
static void fits_a_terminal(const char *arguments)
{
	const struct output output = run(arguments);
	for (const char *line = output.text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") < 80);
	free(output.text);
}

static void every_type_is_listed_explained_and_documented(void **state)
{
	(void)state;
	json_t *const names = types();
	const struct output list = run("nodes"), reference = run("nodes --markdown");
	const struct output described = run("nodes --json");
	json_t *const classes = json_loads(described.text, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_array_size(classes), json_array_size(names));
	json_decref(classes);
	free(described.text);
	size_t i = 0;
	json_t *name = NULL;
	assert_true(json_array_size(names) > 0);
	json_array_foreach(names, i, name)
	{
		char text[128];
		const char *const type = json_string_value(name);
		(void)snprintf(text, sizeof text, "  %s ", type);
		assert_non_null(strstr(list.text, text));
		(void)snprintf(text, sizeof text, "\n### `%s`: ", type);
		assert_non_null(strstr(reference.text, text));
		(void)snprintf(text, sizeof text, "nodes %s", type);
		expect_part(text, 0, "\nPorts\n");
		fits_a_terminal(text);
	}
	assert_non_null(strstr(reference.text, "\n### `graph.apply`: "));
	assert_non_null(strstr(reference.text, "\n| `gateway.name` | "));
	assert_non_null(strstr(reference.text, "\n| `trigger` | "));
	/* Sentences of choices end once. */
	assert_non_null(strstr(reference.text, " `synchronised`: Only a time that "));
	assert_null(strstr(reference.text, ".. `"));
	assert_null(strstr(reference.text, ".. |"));
	json_decref(names);
	free(list.text);
	free(reference.text);
	expect_part("nodes cron-triger", 1, "did you mean 'cron-trigger'?");
	expect_part("nodes --xml", 2, "Usage: meterloom nodes");
	expect_part("schema now", 2, "Usage: meterloom schema");
}

static void the_program_itself_helps(void **state)
{
	(void)state;
	expect_part("", 2, "Usage: meterloom COMMAND");
	expect_part("--help", 0, "  check ");
	expect_part("chek", 2, "there is no command 'chek'");
	expect_part("version", 0, "meterloom 0.");
	expect_part("version now", 2, "Usage: meterloom version");
	static const char *const tools[] = {
		"run", "call", "check", "nodes", "schema", "version", "decode", "sim"};
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
		char arguments[32], usage[64];
		(void)snprintf(arguments, sizeof arguments, "%s --help", tools[i]);
		(void)snprintf(usage, sizeof usage, "Usage: meterloom %s", tools[i]);
		expect_part(arguments, 0, usage);
	}
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const names[] = {"good.json", "bad.json", "cut.json"};
	char path[256];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	program = argv[1];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_tells_every_error_with_its_place),
		cmocka_unit_test(check_tells_it_to_programs_too),
		cmocka_unit_test(every_type_is_listed_explained_and_documented),
		cmocka_unit_test(the_program_itself_helps),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
