/* Scripts: any text is run within its limits, or refused with an error that has a text.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>

#include <meterloom/sandbox.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t memory = 512 * 1024;
	struct ml_error err = ML_ERROR_NONE;
	struct ml_sandbox *sb = ml_sandbox_new(
		&(struct ml_sandbox_options){.memory = memory, .instructions = 20000}, &err);
	if (!sb)
		abort();
	const int result = ml_sandbox_load(sb, "fuzz.lua", (const char *)data, size, &err);
	if ((result < 0) != (err.code < 0) || (result < 0 && err.text[0] == '\0'))
		abort();
	if (ml_sandbox_usage(sb).memory_most > memory)
		abort();
	/* Whatever it did, the sandbox can still be used. */
	static const char after[] = "local n = 0 for i = 1, 100 do n = n + i end";
	err = ML_ERROR_NONE;
	if (ml_sandbox_load(sb, "after.lua", after, sizeof after - 1, &err) == -EINVAL)
		abort();
	ml_sandbox_free(sb);
	return 0;
}
