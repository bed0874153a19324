/* What people do to a simulated bus while it runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/nearest.h>

enum { WORD_MAX = 32, PRIMARY_MAX = 250 };

/* What follows the word. */
enum rest { NOTHING, METER, METER_AND_NUMBER, FAULT, TIME };

static const struct {
	const char *word;
	enum sim_order_kind kind;
	enum rest rest;
	enum sim_state state;
	bool on;
} words[] = {
	{"unplug", SIM_ORDER_UNPLUG, METER, 0, false},
	{"plug", SIM_ORDER_PLUG, METER, 0, false},
	{"baud", SIM_ORDER_BAUD, METER_AND_NUMBER, 0, false},
	{"address", SIM_ORDER_ADDRESS, METER_AND_NUMBER, 0, false},
	{"reset", SIM_ORDER_RESET, METER, 0, false},
	{"cut", SIM_ORDER_STATE, NOTHING, SIM_STATE_CUT, true},
	{"join", SIM_ORDER_STATE, NOTHING, SIM_STATE_CUT, false},
	{"short", SIM_ORDER_STATE, NOTHING, SIM_STATE_SHORT, true},
	{"unshort", SIM_ORDER_STATE, NOTHING, SIM_STATE_SHORT, false},
	{"break", SIM_ORDER_STATE, NOTHING, SIM_STATE_BROKEN, true},
	{"mend", SIM_ORDER_STATE, NOTHING, SIM_STATE_BROKEN, false},
	{"echo", SIM_ORDER_STATE, NOTHING, SIM_STATE_ECHO, true},
	{"unecho", SIM_ORDER_STATE, NOTHING, SIM_STATE_ECHO, false},
	{"fault", SIM_ORDER_FAULT, FAULT, 0, false},
	{"heal", SIM_ORDER_HEAL, NOTHING, 0, false},
	{"faults", SIM_ORDER_FAULTS, NOTHING, 0, false},
	{"list", SIM_ORDER_LIST, NOTHING, 0, false},
	{"wait", SIM_ORDER_WAIT, TIME, 0, false},
	{"help", SIM_ORDER_HELP, NOTHING, 0, false},
	{"quit", SIM_ORDER_QUIT, NOTHING, 0, false},
};
enum { WORDS = sizeof words / sizeof *words };

const char sim_order_help[] =
	"  unplug METER, plug METER      takes a meter (its number in `list`) off the line, or "
	"back\n"
	"  baud METER RATE               the meter speaks at another rate; 0: at the master's\n"
	"  address METER ADDRESS         another primary address, 0 to 250\n"
	"  reset METER                   its counters begin again at 0\n"
	"  cut, join                     the cable\n"
	"  short, unshort                a short circuit\n"
	"  break, mend                   the adapter, or the connection to the converter\n"
	"  echo, unecho                  the master hears what it sends\n"
	"  fault TEXT                    as --fault, from now on: fault meter-slow which=2 by=2s\n"
	"  heal                          ends all faults; what was done by hand stays\n"
	"  faults                        which there are\n"
	"  list                          the meters\n"
	"  wait TIME                     before the next line, in scripts: wait 90s\n"
	"  help, quit\n"
	"With several buses: unplug 3 on NAME; without a name, list and faults are about all.\n";

/* The next word; false: there is none, or it is too long. */
static bool next_word(const char **at, char word[WORD_MAX])
{
	*at += strspn(*at, " \t\r\n");
	const size_t length = strcspn(*at, " \t\r\n");
	if (length == 0 || length >= WORD_MAX)
		return false;
	memcpy(word, *at, length);
	word[length] = '\0';
	*at += length;
	return true;
}

static bool next_number(const char **at, unsigned *value)
{
	char word[WORD_MAX];
	char *end = NULL;
	if (!next_word(at, word) || *word < '0' || *word > '9')
		return false;
	const unsigned long number = strtoul(word, &end, 10);
	*value = (unsigned)number;
	return *end == '\0' && number <= 1000000;
}

/* Cuts " on NAME" off the end. */
static int take_bus(char *text, struct sim_order *order, struct ml_error *err)
{
	char *on = strstr(text, " on ");
	if (!on)
		return 0;
	const char *at = on + 4;
	char name[WORD_MAX];
	if (!next_word(&at, name) || strlen(name) >= sizeof order->bus ||
		at[strspn(at, " \t\r\n")] != '\0')
		return ml_error_set(err, -EINVAL, "expected the name of a bus after 'on'");
	memcpy(order->bus, name, strlen(name) + 1);
	*on = '\0';
	return 0;
}

static int unknown(const char *word, struct ml_error *err)
{
	struct ml_nearest near;
	ml_nearest_begin(&near, word);
	for (size_t i = 0; i < WORDS; i++)
		ml_nearest_try(&near, words[i].word);
	const char *meant = ml_nearest_name(&near);
	return ml_error_set(err, -EINVAL, "'%s' is unknown%s%s%s", word,
		meant ? ": did you mean " : ": help tells what can be typed", meant ? meant : "",
		meant ? "?" : "");
}

static int read_rest(const char *at, enum rest rest, const char *word, struct sim_order *order,
	struct ml_error *err)
{
	if (rest == FAULT)
		return sim_rule_parse(at, strcspn(at, "\r\n"), &order->rule, err);
	if (rest == TIME) {
		at += strspn(at, " \t");
		char text[WORD_MAX];
		return next_word(&at, text) && at[strspn(at, " \t\r\n")] == '\0'
			       ? sim_time_parse("wait", text, ML_SEC, &order->wait, err)
			       : ml_error_set(err, -EINVAL, "wait: expected a time such as 90s");
	}
	if (rest != NOTHING && (!next_number(&at, &order->meter) || order->meter == 0))
		return ml_error_set(
			err, -EINVAL, "%s: expected the number of a meter, from 1", word);
	if (rest == METER_AND_NUMBER && !next_number(&at, &order->value))
		return ml_error_set(err, -EINVAL, "%s %u: expected a number", word, order->meter);
	at += strspn(at, " \t\r\n");
	if (*at)
		return ml_error_set(err, -EINVAL, "%s: '%.20s' is too much", word, at);
	if (order->kind == SIM_ORDER_BAUD && order->value != 0 &&
		(order->value < 300 || order->value > 115200))
		return ml_error_set(
			err, -EINVAL, "baud %u: expected 300 to 115200, or 0", order->value);
	if (order->kind == SIM_ORDER_ADDRESS && order->value > PRIMARY_MAX)
		return ml_error_set(err, -EINVAL, "address %u: expected 0 to 250", order->value);
	return 0;
}

int sim_order_parse(const char *text, struct sim_order *order, struct ml_error *err)
{
	char line[256];
	char word[WORD_MAX];
	const char *at = line;
	*order = (struct sim_order){0};
	if (strlen(text) >= sizeof line)
		return ml_error_set(err, -EINVAL, "the line is longer than 255 bytes");
	(void)snprintf(line, sizeof line, "%s", text);
	line[strcspn(line, "#")] = '\0';
	const int result = take_bus(line, order, err);
	if (result < 0)
		return result;
	if (line[strspn(line, " \t\r\n")] == '\0')
		return order->bus[0] ? ml_error_set(err, -EINVAL, "expected a word before 'on'")
				     : 0;
	if (!next_word(&at, word))
		return ml_error_set(
			err, -EINVAL, "a word is too long: help tells what can be typed");
	for (size_t i = 0; i < WORDS; i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		order->kind = words[i].kind;
		order->state = words[i].state;
		order->on = words[i].on;
		return read_rest(at, words[i].rest, word, order, err);
	}
	return unknown(word, err);
}

int sim_order_do(struct sim_bus *bus, const struct sim_order *order, ml_time now, ml_time wall,
	struct ml_error *err)
{
	struct sim_line *line = sim_bus_line(bus);
	struct sim_meter *meter =
		order->meter ? sim_line_change_meter(line, order->meter - 1) : NULL;
	if (order->meter && !meter)
		return ml_error_set(err, -ENOENT, "there is no meter %u: the bus has %zu",
			order->meter, sim_line_meter_count(line));
	switch (order->kind) {
	case SIM_ORDER_UNPLUG:
	case SIM_ORDER_PLUG:
		sim_meter_unplug(meter, order->kind == SIM_ORDER_UNPLUG);
		return 0;
	case SIM_ORDER_BAUD:
		return sim_line_set_meter_baud(line, order->meter - 1, order->value)
			       ? 0
			       : ml_error_set(err, -ENOMEM, "out of memory");
	case SIM_ORDER_ADDRESS:
		meter->primary = (uint8_t)order->value;
		return 0;
	case SIM_ORDER_RESET:
		sim_meter_reset(meter, wall);
		return 0;
	case SIM_ORDER_STATE:
		sim_bus_set(bus, order->state, order->on, now);
		return 0;
	case SIM_ORDER_FAULT:
		if (sim_rule_check(&order->rule, 1, (unsigned)sim_line_meter_count(line), err) < 0)
			return -EINVAL;
		return sim_bus_add_fault(bus, &order->rule, now, err);
	case SIM_ORDER_HEAL:
		sim_bus_heal(bus, now);
		return 0;
	default:
		return 0;
	}
}

/* ---- In words ---- */

void sim_bus_state_text(struct sim_bus *bus, ml_time now, struct ml_buffer *out)
{
	static const char *const names[SIM_STATES] = {
		[SIM_STATE_BROKEN] = "broken",
		[SIM_STATE_CUT] = "cut",
		[SIM_STATE_SHORT] = "short",
		[SIM_STATE_ECHO] = "echo",
	};
	const char *comma = "";
	for (int i = 0; i < SIM_STATES; i++) {
		if (!sim_bus_is(bus, (enum sim_state)i, now))
			continue;
		ml_buffer_appendf(out, "%s%s", comma, names[i]);
		comma = ", ";
	}
}

static void time_text(const char *name, ml_time time, struct ml_buffer *out)
{
	if (time % ML_HOUR == 0)
		ml_buffer_appendf(out, " %s=%lldh", name, (long long)(time / ML_HOUR));
	else if (time % ML_MINUTE == 0)
		ml_buffer_appendf(out, " %s=%lldmin", name, (long long)(time / ML_MINUTE));
	else if (time % ML_SEC == 0)
		ml_buffer_appendf(out, " %s=%llds", name, (long long)(time / ML_SEC));
	else
		ml_buffer_appendf(out, " %s=%lldms", name, (long long)(time / ML_MSEC));
}

void sim_rule_text(const struct sim_rule *rule, struct ml_buffer *out)
{
	const struct sim_fault_info *info = sim_fault_info((enum sim_fault)rule->fault);
	ml_buffer_appendf(out, "%s", info->name);
	if (rule->which)
		ml_buffer_appendf(out, " which=%lld", (long long)rule->which);
	if (rule->every)
		time_text("every", rule->every, out);
	else if (rule->at || info->instant)
		time_text("at", rule->at, out);
	if (rule->lasts && rule->lasts != ML_NEVER)
		time_text("lasts", rule->lasts, out);
	if (info->by)
		time_text("by", rule->by, out);
	if (rule->share && rule->share < 100)
		ml_buffer_appendf(out, " share=%lld", (long long)rule->share);
}
