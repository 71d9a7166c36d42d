/* SPDX-License-Identifier: Apache-2.0 */
#include "base/processors.h"
#include <sched.h>
#include <stdlib.h>

#define NOT_A_LIST "is not a list of processors. Write their numbers, such as 2-5,8"

static bool take_number(const char **text, unsigned *ret_number)
{
	char *end;
	unsigned long number;

	if (**text < '0' || **text > '9')
		return false;
	number = strtoul(*text, &end, 10);
	if (end - *text > 4 || number >= CPU_SETSIZE)
		return false;
	*text = end;
	*ret_number = (unsigned)number;
	return true;
}

static bool has(const struct processors *list, unsigned number)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->numbers[i] == number)
			return true;
	return false;
}

static const char *add_range(struct processors *list, unsigned first, unsigned last)
{
	if (last < first)
		return "has a range that ends before it begins. Write the lower number first";
	for (unsigned number = first; number <= last; number++) {
		if (has(list, number))
			return "names a processor twice. Write each once";
		if (list->count == PROCESSORS_MAX)
			return "names too many processors. Write 64 at most";
		list->numbers[list->count++] = (uint16_t)number;
	}
	return NULL;
}

const char *processors_parse(const char *text, struct processors *ret_list)
{
	ret_list->count = 0;
	for (;;) {
		const char *problem;
		unsigned first, last;

		if (!take_number(&text, &first))
			return NOT_A_LIST;
		last = first;
		if (*text == '-' && (text++, !take_number(&text, &last)))
			return NOT_A_LIST;
		problem = add_range(ret_list, first, last);
		if (problem || !*text)
			return problem;
		if (*text++ != ',')
			return NOT_A_LIST;
		while (*text == ' ')
			text++;
	}
}

/* None at all is never true: what cannot be asked is taken for the first alone. */
static void read_mask(cpu_set_t *ret_mask)
{
	CPU_ZERO(ret_mask);
	if (sched_getaffinity(0, sizeof(*ret_mask), ret_mask) || CPU_COUNT(ret_mask) == 0)
		CPU_SET(0, ret_mask);
}

bool processors_usable(unsigned number)
{
	cpu_set_t mask;

	read_mask(&mask);
	return number < CPU_SETSIZE && CPU_ISSET(number, &mask);
}

unsigned processors_usable_count(void)
{
	cpu_set_t mask;

	read_mask(&mask);
	return (unsigned)CPU_COUNT(&mask);
}

void processors_add_usable(struct str *out)
{
	const char *comma = "";
	cpu_set_t mask;

	read_mask(&mask);
	for (unsigned first = 0; first < CPU_SETSIZE; first++) {
		unsigned last = first;

		if (!CPU_ISSET(first, &mask))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &mask))
			last++;
		str_addf(out, last > first ? "%s%u-%u" : "%s%u", comma, first, last);
		comma = ",";
		first = last;
	}
}
