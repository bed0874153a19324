/* `meterloom run` and `meterloom call` as a person uses them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: test-gateway PROGRAM
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;
static char folder[64];

struct output {
	char *text; /* standard output and error */
	int code;
};

/* A gateway that runs. */
static pid_t gateway;
static char url[80];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/meterloom-gateway-XXXXXX");
	gateway = 0;
	return mkdtemp(folder) ? 0 : -1;
}

static int end_gateway(int number)
{
	int status = 0;
	assert_int_equal(kill(gateway, number), 0);
	assert_int_equal(waitpid(gateway, &status, 0), gateway);
	gateway = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int tear_down(void **state)
{
	char command[120];
	(void)state;
	if (gateway)
		(void)end_gateway(SIGKILL);
	(void)snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void write_file(const char *name, const char *text)
{
	char path[160];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Starts a gateway on the folder and waits until it says where its page is. */
static void start_gateway(const char *graph)
{
	int out[2];
	assert_int_equal(pipe(out), 0);
	gateway = fork();
	assert_true(gateway >= 0);
	if (gateway == 0) {
		(void)dup2(out[1], STDOUT_FILENO);
		(void)close(out[0]);
		(void)close(out[1]);
		const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)dup2(nothing, STDERR_FILENO);
		if (chdir(folder) == 0)
			(void)execl(program, program, "run", "--data", "data", "--device-key",
				"key/device.key", "--listen", "127.0.0.1:0", graph, (char *)NULL);
		_exit(127);
	}
	(void)close(out[1]);
	FILE *lines = fdopen(out[0], "r");
	assert_non_null(lines);
	char line[200] = "";
	url[0] = '\0';
	while (!url[0] && fgets(line, sizeof line, lines)) {
		const char *at = strstr(line, "http://");
		if (at)
			(void)sscanf(at, "%79s", url);
	}
	/* Without the last slash. */
	if (url[0] && url[strlen(url) - 1] == '/')
		url[strlen(url) - 1] = '\0';
	assert_int_equal(fclose(lines), 0);
	if (!url[0])
		fail_msg("the gateway did not say where it is: %s", line);
}

/* Runs the program through the shell, in the test's folder. */
static struct output run(const char *arguments)
{
	char command[4096];
	struct output output = {.text = calloc(1, 1 << 20)};
	assert_non_null(output.text);
	(void)snprintf(command, sizeof command, "cd '%s' && URL='%s' && METERLOOM='%s' && %s 2>&1",
		folder, url, program, arguments);
	FILE *const pipe = popen(command, "r");
	assert_non_null(pipe);
	(void)fread(output.text, 1, (1 << 20) - 1, pipe);
	const int status = pclose(pipe);
	assert_true(WIFEXITED(status));
	output.code = WEXITSTATUS(status);
	return output;
}

static void expect_part(const char *arguments, int code, const char *part)
{
	const struct output output = run(arguments);
	if (!strstr(output.text, part) || output.code != code)
		fail_msg("`%s` ends with %d (expected %d, `%s`): %s", arguments, output.code, code,
			part, output.text);
	free(output.text);
}

static const char graph[] = "{\"meterloom\": 1, \"nodes\": [{\"id\": \"now\", \"type\": "
			    "\"manual-trigger\"}], \"edges\": []}";

static void a_gateway_runs_answers_and_ends(void **state)
{
	(void)state;
	write_file("graph.json", graph);
	start_gateway("graph.json");
	expect_part("$METERLOOM call --url $URL engine.status", 0, "\"revision\": 1");
	expect_part("$METERLOOM call --url $URL/ engine.status", 0, "\"revision\": 1");
	expect_part("$METERLOOM call --url $URL --json node.list", 0, "[{\"id\":\"now\",");
	expect_part("$METERLOOM call --url $URL", 0, "engine.status          Show the state");
	assert_int_equal(end_gateway(SIGTERM), 0);
	expect_part("$METERLOOM call --url $URL engine.status", 3, "is not reached");
	start_gateway(NULL);
	expect_part(
		"$METERLOOM call --url $URL --json engine.status", 0, "\"epoch\":2,\"revision\":1");
	assert_int_equal(end_gateway(SIGINT), 0);
}

static void what_a_command_says_is_told_with_its_place(void **state)
{
	(void)state;
	start_gateway(NULL);
	expect_part(
		"$METERLOOM call --url $URL no.such", 1, "no.such: there is no command 'no.such'");
	expect_part("$METERLOOM call --url $URL log.list '{\"limit\": 0}'", 1,
		"log.list: 1:2: /limit: ");
	expect_part(
		"$METERLOOM call --url $URL --json log.list '{\"limit\": 0}'", 1, "\"status\":422");
	expect_part("$METERLOOM call --url $URL log.list '{\"limit\": '", 2, "are not JSON");
	expect_part("$METERLOOM call --url $URL log.list 5", 2, "not JSON");
	expect_part("$METERLOOM call --url $URL log.list '[]'", 2, "expected an object");
	expect_part("echo '{\"limit\": 1}' | $METERLOOM call --url $URL --json log.list -", 0, "[");
}

static void the_text_of_a_file_is_a_parameter(void **state)
{
	(void)state;
	start_gateway(NULL);
	write_file("new.json", graph);
	write_file("bad.json", "{\"meterloom\": 1,\n \"nodes\": [{\"id\": \"a\"}], \"edges\": []}");
	write_file("empty.json", "{\"meterloom\": 1, \"nodes\": [], \"edges\": []}");
	write_file("latin.csv", "Position\nK\xfc"
				"che\n");
	expect_part("$METERLOOM call --url $URL --json --file text=new.json graph.apply", 0,
		"\"revision\":1");
	expect_part("$METERLOOM call --url $URL graph.check '{}' --file text=bad.json", 1,
		"graph.check: 2:12: /nodes/0");
	expect_part("$METERLOOM call --url $URL --json --file text=empty.json graph.apply "
		    "'{\"remark\": \"a\"}' && $METERLOOM call --url $URL revision.list",
		0, "\"remark\": \"a\"");
	expect_part("$METERLOOM call --url $URL --file text=none.json graph.check", 2,
		"none.json: No such file");
	expect_part("$METERLOOM call --url $URL --file csv=latin.csv meter.import", 2,
		"latin.csv: it is no text in UTF-8");
	expect_part("$METERLOOM call --url $URL --file text=new.json graph.check '{\"text\": 1}'",
		2, "the parameter 'text' is given already");
	expect_part("$METERLOOM call --file new.json graph.check", 2, "expected --file NAME=FILE");
}

static void a_secret_does_not_go_through_the_arguments(void **state)
{
	(void)state;
	start_gateway(NULL);
	expect_part("$METERLOOM call --url $URL secret.set '{\"name\": \"a\", \"value\": \"b\"}'",
		2, "standard input");
	expect_part("echo '{\"name\": \"a\", \"value\": \"b\"}' | "
		    "$METERLOOM call --url $URL secret.set -",
		0, "null");
	expect_part("$METERLOOM call --url $URL secret.list", 0, "\"name\": \"a\"");
	expect_part("stat -c %a key/device.key", 0, "600");
}

static void two_gateways_do_not_share_a_data_directory(void **state)
{
	(void)state;
	start_gateway(NULL);
	expect_part("$METERLOOM run --data data --listen 127.0.0.1:0", 1, "another gateway runs");
	expect_part(
		"$METERLOOM run --data other --device-key key/device.key --listen ${URL#http://}",
		1, "another gateway may run there");
	expect_part("$METERLOOM call --url $URL engine.status", 0, "\"version\"");
}

static void what_is_wrong_at_the_start_is_told_and_ends_it(void **state)
{
	(void)state;
	write_file("bad.json",
		"{\"meterloom\": 1,\n \"nodes\": [{\"id\": \"a\", \"type\": \"x\"}], "
		"\"edges\": []}");
	expect_part("$METERLOOM run --listen 127.0.0.1:0 --device-key k/k bad.json", 1,
		"bad.json:2:24: /nodes/0/type: there is no node type 'x'");
	expect_part("$METERLOOM run none.json", 1, "none.json: No such file or directory");
	expect_part(
		"$METERLOOM run --listen 0.0.0.0:0 --device-key k/k", 1, "neither users nor TLS");
	expect_part("$METERLOOM run --listen here --device-key k/k", 1, "ADDRESS:PORT");
	expect_part("$METERLOOM run --log loud", 2, "expected debug, info, warning or error");
	expect_part("$METERLOOM run --dat x", 2, "there is no option --dat");
	expect_part("$METERLOOM run --data", 2, "a value is missing after --data");
	expect_part("$METERLOOM run a b", 2, "one graph is enough");
	expect_part("$METERLOOM run --help", 0, "Usage: meterloom run");
	expect_part("$METERLOOM call --help", 0, "Usage: meterloom call");
	expect_part("$METERLOOM call --url", 2, "a value is missing");
	expect_part("$METERLOOM call --uri x", 2, "there is no option --uri");
	expect_part("$METERLOOM call a '{}' b", 2, "too many arguments");
}

static const char slow_graph[] =
	"{\"meterloom\": 1, \"nodes\": [{\"id\": \"bus\", \"type\": \"mbus-source\", \"params\": "
	"{\"interface\": \"sim:20\", \"baud\": 300}}, {\"id\": \"decode\", \"type\": \"decode\"}], "
	"\"edges\": [{\"from\": \"bus\", \"to\": \"decode\"}]}";

static void a_call_is_watched_and_ended_by_an_interrupt(void **state)
{
	(void)state;
	write_file("graph.json", slow_graph);
	start_gateway("graph.json");
	expect_part("$METERLOOM call --url $URL --progress engine.status", 0, "\"revision\": 1");
	expect_part("$METERLOOM call --url $URL --progress no.such", 1, "there is no command");
	expect_part("$METERLOOM sim --meters 20 --baud 300 --list list.csv && "
		    "$METERLOOM call --url $URL --progress --file csv=list.csv meter.import",
		0, "\"added\": 20");
	/* It reads for a minute. */
	expect_part("($METERLOOM call --url $URL --progress node.action "
		    "'{\"node\": \"bus\", \"action\": \"read-now\"}' 2>told & call=$!; "
		    "until grep -q 'reading' told; do sleep 0.02; done; kill -INT $call; "
		    "wait $call; echo ended with $?; cat told)",
		0, "ended with 1\n  0 %  reading\n");
	expect_part("cat told", 0, "cancelling ...\n");
	expect_part("cat told", 0, "node.action: cancelled after");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
		return 2;
	}
	program = argv[1];
#define FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		FOLDER(a_gateway_runs_answers_and_ends),
		FOLDER(a_call_is_watched_and_ended_by_an_interrupt),
		FOLDER(what_a_command_says_is_told_with_its_place),
		FOLDER(the_text_of_a_file_is_a_parameter),
		FOLDER(a_secret_does_not_go_through_the_arguments),
		FOLDER(two_gateways_do_not_share_a_data_directory),
		FOLDER(what_is_wrong_at_the_start_is_told_and_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
