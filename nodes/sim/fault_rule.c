/* Rules of faults as people write them, one member at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <meterloom/decimal.h>
#include <meterloom/nearest.h>

#include "sim/fault.h"

enum { WORD_MAX = 64 };

/* Members of a rule. */
enum { FAULT, PER_DAY, EVERY, AT, LASTS, BY, SHARE, WHICH, MEMBERS };
static const char *const members[MEMBERS] = {
	"fault", "per_day", "every", "at", "lasts", "by", "share", "which"};

#define CENTURY (36525 * ML_DAY)
/* Once in 27 years; less never happens here. */
#define RATE_MIN 0.0001
#define RATE_MAX 100000.0
#define WHICH_MAX 100000

/* ---- Values ---- */

static int read_fault(const char *value, int *fault, struct ml_error *err)
{
	struct ml_nearest near;
	ml_nearest_begin(&near, value);
	for (int i = 0; i < SIM_FAULTS; i++) {
		const char *name = sim_fault_name((enum sim_fault)i);
		if (strcmp(name, value) == 0) {
			*fault = i;
			return 0;
		}
		ml_nearest_try(&near, name);
	}
	const char *meant = ml_nearest_name(&near);
	return ml_error_set(err, -EINVAL, "there is no fault '%.40s'%s%s%s", value,
		meant ? ": did you mean " : ": expected one such as meter-silent",
		meant ? meant : "", meant ? "?" : "; `meterloom sim --list-faults` lists them");
}

/* false: it is no number. */
static bool read_number(const char *text, size_t length, double *value)
{
	struct ml_decimal d;
	if (length == 0 || ml_decimal_parse(text, length, &d, NULL) < 0)
		return false;
	*value = ml_decimal_to_double(d);
	return true;
}

static const struct {
	const char *name;
	ml_time length;
} units[] = {{"ms", ML_MSEC}, {"s", ML_SEC}, {"min", ML_MINUTE}, {"h", ML_HOUR}, {"d", ML_DAY}};

/* "90s", "1.5h"; a number alone is in `unit`. */
static int read_time(
	const char *name, const char *text, ml_time unit, ml_time *time, struct ml_error *err)
{
	double value = 0;
	size_t length = strlen(text);
	while (length > 0 && text[length - 1] >= 'a' && text[length - 1] <= 'z')
		length--;
	bool known = text[length] == '\0';
	for (size_t i = 0; !known && i < sizeof units / sizeof *units; i++) {
		known = strcmp(text + length, units[i].name) == 0;
		unit = known ? units[i].length : unit;
	}
	if (!known || !read_number(text, length, &value) ||
		value * (double)unit > (double)CENTURY || value * (double)unit < -(double)CENTURY)
		return ml_error_set(err, -EINVAL,
			"%s=%.40s: expected a time such as 90s, 20min, 1.5h or 200ms, or a number "
			"(%s)",
			name, text,
			unit == ML_HOUR     ? "of hours"
			: unit == ML_MINUTE ? "of minutes"
					    : "of seconds");
	*time = (ml_time)(value * (double)unit);
	return 0;
}

static int read_rate(const char *text, int64_t *every, struct ml_error *err)
{
	double value = 0;
	if (!read_number(text, strlen(text), &value) || value < RATE_MIN || value > RATE_MAX)
		return ml_error_set(err, -EINVAL,
			"per_day=%.40s: expected 0.0001 or more, at most %.0f", text, RATE_MAX);
	*every = (int64_t)((double)ML_DAY / value);
	return 0;
}

static int read_integer(const char *name, const char *text, int64_t least, int64_t most,
	int64_t *value, struct ml_error *err)
{
	double number = 0;
	if (!read_number(text, strlen(text), &number) || number < (double)least ||
		number > (double)most || (double)(int64_t)number != number)
		return ml_error_set(err, -EINVAL, "%s=%.40s: expected a number from %lld to %lld",
			name, text, (long long)least, (long long)most);
	*value = (int64_t)number;
	return 0;
}

int sim_time_parse(
	const char *name, const char *text, ml_time unit, ml_time *time, struct ml_error *err)
{
	const int result = read_time(name, text, unit, time, err);
	if (result == 0 && *time < 0)
		return ml_error_set(err, -EINVAL, "%s=%.40s: expected 0 or more", name, text);
	return result;
}

/* ---- Rules ---- */

int sim_draft_set(
	struct sim_draft *draft, const char *name, const char *value, struct ml_error *err)
{
	struct sim_rule *rule = &draft->rule;
	struct ml_nearest near;
	unsigned member = 0;
	ml_nearest_begin(&near, name);
	while (member < MEMBERS && strcmp(members[member], name) != 0)
		ml_nearest_try(&near, members[member++]);
	if (member < MEMBERS && (draft->given & 1u << member))
		return ml_error_set(err, -EINVAL, "%s is there twice", name);
	draft->given |= 1u << member;
	switch (member) {
	case FAULT:
		return read_fault(value, &rule->fault, err);
	case PER_DAY:
		return read_rate(value, &rule->every, err);
	case EVERY:
		return sim_time_parse(name, value, ML_HOUR, &rule->every, err);
	case AT:
		return sim_time_parse(name, value, ML_HOUR, &rule->at, err);
	case LASTS:
		return sim_time_parse(name, value, ML_MINUTE, &rule->lasts, err);
	case BY:
		return read_time(name, value, ML_SEC, &rule->by, err);
	case SHARE:
		return read_integer(name, value, 1, 100, &rule->share, err);
	case WHICH:
		return read_integer(name, value, 1, WHICH_MAX, &rule->which, err);
	default:
		break;
	}
	const char *meant = ml_nearest_name(&near);
	return ml_error_set(err, -EINVAL,
		"'%.40s' is unknown%s%s%s; known are per_day, every, at, lasts, by, share and "
		"which",
		name, meant ? ": did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

static bool given(const struct sim_draft *draft, unsigned member)
{
	return draft->given & 1u << member;
}

/* NULL: nothing is wrong. */
static const char *complaint(const struct sim_draft *draft, const struct sim_fault_info *info)
{
	const struct sim_rule *rule = &draft->rule;
	const int times = given(draft, PER_DAY) + given(draft, EVERY) + given(draft, AT);
	if (times > 1)
		return "expected either \"per_day\" or \"every\" (so often in the mean) or \"at\" "
		       "(once, so long after the beginning)";
	if (times == 0 && info->instant)
		return "expected either \"per_day\" or \"every\" (so often in the mean) or \"at\" "
		       "(once): when it happens";
	if (given(draft, EVERY) && rule->every < ML_SEC)
		return "expected \"every\" to be 1s or more";
	if (rule->every > 0 && !info->instant && rule->lasts == 0)
		return "expected \"lasts\": how long, such as 20min";
	if (given(draft, LASTS) && !info->instant && rule->lasts == 0)
		return "\"lasts\" is 0: expected more, or none for all the time to the end";
	if (info->by && info->usual_by == 0 && rule->by == 0)
		return "expected \"by\": see what it means for this fault";
	if (given(draft, BY) && !info->by)
		return "\"by\" means nothing for this fault";
	if (rule->by < 0 && rule->fault != SIM_CLOCK_JUMP)
		return "\"by\" is negative: only a clock can jump back";
	return NULL;
}

int sim_draft_finish(struct sim_draft *draft, struct ml_error *err)
{
	struct sim_rule *rule = &draft->rule;
	if (!given(draft, FAULT))
		return ml_error_set(err, -EINVAL, "expected \"fault\": which one");
	const struct sim_fault_info *info = sim_fault_info((enum sim_fault)rule->fault);
	const char *wrong = complaint(draft, info);
	if (wrong)
		return ml_error_set(err, -EINVAL, "%s: %s", info->name, wrong);
	rule->share = rule->share ? rule->share : 100;
	rule->by = rule->by ? rule->by : info->usual_by;
	if (!info->instant && rule->lasts == 0)
		rule->lasts = ML_NEVER;
	return 0;
}

static bool separates(char c)
{
	return c == ' ' || c == ',' || c == '\t';
}

int sim_rule_parse(const char *text, size_t length, struct sim_rule *rule, struct ml_error *err)
{
	struct sim_draft draft = {0};
	struct ml_error wrong = ML_ERROR_NONE;
	size_t begin = 0;
	int result = 0;
	for (size_t at = 0; at < length && result == 0;) {
		char word[WORD_MAX];
		for (begin = at; at < length && !separates(text[at]);)
			at++;
		const size_t n = at - begin;
		if (n == 0) {
			at++;
			continue;
		}
		(void)snprintf(word, sizeof word, "%.*s", n < WORD_MAX ? (int)n : WORD_MAX - 1,
			text + begin);
		char *equals = strchr(word, '=');
		if (equals)
			*equals = '\0';
		result = sim_draft_set(
			&draft, equals ? word : "fault", equals ? equals + 1 : word, &wrong);
	}
	if (result == 0 && (result = sim_draft_finish(&draft, &wrong)) < 0)
		begin = 0;
	*rule = draft.rule;
	return result < 0 ? ml_error_set_at(err, result, (long long)begin, "%s", wrong.text) : 0;
}

int sim_rule_check(
	const struct sim_rule *rule, unsigned buses, unsigned meters, struct ml_error *err)
{
	const struct sim_fault_info *info = sim_fault_info((enum sim_fault)rule->fault);
	const bool of_meter = info->whose == SIM_OF_METER;
	const unsigned count = of_meter ? meters : buses;
	if (!of_meter && info->whose != SIM_OF_LINE)
		return ml_error_set(err, -EINVAL,
			"%s is no fault of a bus or a meter: `meterloom simulate` has it",
			info->name);
	if (rule->which > count)
		return ml_error_set(err, -EINVAL, "%s which=%lld: there %s %u %s%s", info->name,
			(long long)rule->which, count == 1 ? "is" : "are", count,
			of_meter ? "meter" : "line", count == 1 ? "" : "s");
	return 0;
}

int sim_faults_add(struct sim_faults *faults, const struct sim_rule *rule, struct ml_error *err)
{
	if (faults->count == SIM_RULES_MAX)
		return ml_error_set(
			err, -E2BIG, "more than %d faults: expected fewer", SIM_RULES_MAX);
	faults->rules[faults->count++] = *rule;
	return 0;
}

int sim_faults_of_bus(const struct sim_faults *faults, unsigned number, unsigned before,
	unsigned meters, struct sim_faults *own, struct ml_error *err)
{
	for (size_t i = 0; i < faults->count; i++) {
		struct sim_rule rule = faults->rules[i];
		const enum sim_whose whose = sim_fault_info((enum sim_fault)rule.fault)->whose;
		const int64_t first = whose == SIM_OF_METER ? before : number - 1;
		const int64_t count = whose == SIM_OF_METER ? meters : 1;
		if (whose != SIM_OF_METER && whose != SIM_OF_LINE)
			continue;
		if (rule.which != 0 && (rule.which <= first || rule.which > first + count))
			continue;
		rule.which = rule.which ? rule.which - first : 0;
		const int result = sim_faults_add(own, &rule, err);
		if (result < 0)
			return result;
	}
	return 0;
}
