/* Errors: the first cause is kept, texts are cut at characters, lists are bounded.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <meterloom/error.h>

static void first_cause_is_kept(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_error_set(&err, -EINVAL, "baud %d", 1), -EINVAL);
	assert_int_equal(ml_error_set(&err, -EIO, "later"), -EIO);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "baud 1");
	assert_int_equal(err.at, -1);
	assert_int_equal(ml_error_set(NULL, -EIO, "nobody asks"), -EIO);
}

static void place_is_told(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	assert_int_equal(ml_error_set_at(&err, -EBADMSG, 17, "byte %02x", 0x2f), -EBADMSG);
	assert_int_equal(err.at, 17);
	assert_string_equal(err.text, "byte 2f");
	err = ML_ERROR_NONE;
	assert_int_equal(ml_error_set_pointer(&err, -EINVAL, "/nodes/3", "no"), -EINVAL);
	assert_string_equal(err.pointer, "/nodes/3");
	assert_int_equal(err.at, -1);
}

static void prefix_goes_before(void **state)
{
	(void)state;
	struct ml_error err = ML_ERROR_NONE;
	ml_error_prefix(&err, "unset");
	assert_string_equal(err.text, "");
	ml_error_set(&err, -EIO, "broken");
	ml_error_prefix(&err, "node %s", "bus");
	assert_string_equal(err.text, "node bus: broken");
	ml_error_prefix(NULL, "nothing");
}

static void long_text_is_cut_at_a_character(void **state)
{
	(void)state;
	static const char *const characters[] = {"é", "€", "𝄞"};
	for (size_t c = 0; c < sizeof characters / sizeof *characters; c++) {
		const size_t width = strlen(characters[c]);
		for (size_t shift = 0; shift < 4; shift++) {
			char text[400];
			memset(text, 'x', sizeof text);
			size_t end = shift;
			while (end + width < sizeof text) {
				memcpy(text + end, characters[c], width);
				end += width;
			}
			text[end] = '\0';
			struct ml_error err = ML_ERROR_NONE;
			ml_error_set(&err, -EINVAL, "%s", text);
			const size_t length = strlen(err.text);
			assert_true(length < ML_ERROR_TEXT_MAX);
			assert_true(length > ML_ERROR_TEXT_MAX - 6);
			assert_int_equal((length - shift) % width, 0);
			assert_memory_equal(err.text, text, length);
			err = ML_ERROR_NONE;
			ml_error_set(&err, -EINVAL, "%s", text + 200);
			ml_error_prefix(&err, "%.*s", 100, text);
			assert_true(strlen(err.text) < ML_ERROR_TEXT_MAX);
		}
	}
}

static void list_is_bounded_and_counts_the_rest(void **state)
{
	(void)state;
	struct ml_errors list = {0};
	for (int i = 0; i < ML_ERRORS_MAX + 3; i++)
		ml_errors_addf(&list, -EINVAL, "/a", "error %d", i);
	assert_int_equal(list.count, ML_ERRORS_MAX);
	assert_int_equal(list.more, 3);
	assert_string_equal(list.items[ML_ERRORS_MAX - 1].text, "error 199");
	assert_string_equal(list.items[0].pointer, "/a");
	ml_errors_free(&list);
	assert_null(list.items);
	assert_int_equal(list.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_cause_is_kept),
		cmocka_unit_test(place_is_told),
		cmocka_unit_test(prefix_goes_before),
		cmocka_unit_test(long_text_is_cut_at_a_character),
		cmocka_unit_test(list_is_bounded_and_counts_the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
