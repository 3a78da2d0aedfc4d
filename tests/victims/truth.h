/* SPDX-License-Identifier: MIT */
/*
 * What a victim knows of itself: how often it called each kernel, and what came of it. Printed at
 * the end as one line of JSON, {"kernels": {name: calls}, "values": {name: value}}, which must be
 * the same with the shim and without. Not for several threads or for signal handlers: these count
 * by themselves and give the sum to truth_calls.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#define TRUTH_MAX 4096

struct truth {
        const char *name;
        long long n;
};
static struct truth truth_kernels[TRUTH_MAX], truth_values[TRUTH_MAX];

static inline void truth_add(struct truth *list, const char *name, long long n)
{
        int i = 0;

        while (i < TRUTH_MAX - 1 && list[i].name && strcmp(list[i].name, name))
                i++;
        list[i].name = name;
        list[i].n += n;
}

static inline void truth_calls(const char *name, long long n)
{
        truth_add(truth_kernels, name, n);
}

static inline void truth_value(const char *name, long long v)
{
        truth_add(truth_values, name, v);
}

/* Names a kernel where it is called, and counts the call: COUNTED(f)(1, 2). */
#define COUNTED(f) (truth_calls(#f, 1), f)

static inline void truth_list(const char *title, const struct truth *list)
{
        printf("\"%s\": {", title);
        for (int i = 0; i < TRUTH_MAX && list[i].name; i++)
                printf("%s\"%s\": %lld", i ? ", " : "", list[i].name, list[i].n);
        printf("}");
}

static inline void truth_print(void)
{
        printf("{");
        truth_list("kernels", truth_kernels);
        printf(", ");
        truth_list("values", truth_values);
        printf("}\n");
        fflush(stdout);
}
