/* What people type at a simulated bus, and options of one: what is taken can be done, and a rule
 * that is written out is read as the same one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Input: lines; the first are the options of the bus.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void write_out(const struct sim_rule *rule)
{
	struct ml_buffer text = {0};
	struct sim_rule again;
	sim_rule_text(rule, &text);
	/* Fractions of what is written are cut off. */
	if (text.data && rule->every % ML_SEC == 0 && rule->at % ML_SEC == 0 &&
		(rule->lasts == ML_NEVER || rule->lasts % ML_SEC == 0) && rule->by % ML_SEC == 0) {
		require(sim_rule_parse(text.data, text.length, &again, NULL) == 0);
		require(again.fault == rule->fault && again.every == rule->every &&
			again.at == rule->at && again.lasts == rule->lasts &&
			again.by == rule->by && again.which == rule->which &&
			again.share == rule->share);
	}
	ml_buffer_free(&text);
}

static void live(struct sim_bus *bus, ml_time *now)
{
	struct sim_line *line = sim_bus_line(bus);
	uint8_t request[16];
	sim_line_received(line, request, mbus_build_req_ud2(request, 1, true), *now);
	for (int i = 0; i < 12 && sim_line_when(line) < 30 * ML_DAY; i++) {
		const uint8_t *bytes = NULL;
		*now = sim_line_when(line) > *now ? sim_line_when(line) : *now;
		(void)sim_line_take(line, *now, *now + 1775000000 * ML_SEC, &bytes);
	}
	(void)sim_bus_broken(bus, *now, NULL);
}

static void do_line(struct sim_bus *bus, const char *text, ml_time *now)
{
	struct sim_order order;
	struct ml_error err = ML_ERROR_NONE;
	if (sim_order_parse(text, &order, &err) < 0) {
		require(err.text[0] != '\0');
		return;
	}
	if (order.kind == SIM_ORDER_FAULT)
		write_out(&order.rule);
	if (sim_order_do(bus, &order, *now, *now + 1775000000 * ML_SEC, &err) == 0)
		live(bus, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_options options = SIM_OPTIONS_NONE;
	char *text = malloc(size + 1);
	struct sim_bus *bus = NULL;
	ml_time now = 0;
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	char *rest = NULL;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!bus && sim_options_parse(line, &options, NULL) < 0)
			options = SIM_OPTIONS_NONE;
		require(options.meters > 0 && options.baud >= 300);
		options.meters = options.meters > 3 ? 3 : options.meters;
		if (!bus)
			bus = sim_bus_new(&options, NULL, 0);
		else
			do_line(bus, line, &now);
	}
	sim_bus_free(bus);
	free(text);
	return 0;
}
