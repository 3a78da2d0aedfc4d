/* SPDX-License-Identifier: MIT */
/*
 * The command line of the small engine. What does not go together is said before anything is done.
 */
#include "tiny-options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
        "usage: tinyengine [options]\n"
        "  --threads N            workers (1)\n"
        "  --tokens N             tokens to generate (32)\n"
        "  --prompt N             tokens of prompt (8)\n"
        "  --texts N              so many texts, each of its own (1)\n"
        "  --work fine|coarse     one text after the other, each op split over the workers, or "
        "texts\n"
        "                         side by side, each of one worker alone (fine)\n"
        "  --weights shared|own   with coarse: all workers read the same, or each a copy "
        "(shared)\n"
        "  --layers N, --dim N    size of the model (4, 128; dim a multiple of 16)\n"
        "  --seed N               of weights, prompt and sampling (1)\n"
        "  --spawn pool|op        workers for the run, or threads for each op (pool)\n"
        "  --alloc none|op|arena|mixed\n"
        "                         where kernels take scratch memory (none); mixed: as none, and\n"
        "                         blocks of all sizes are allocated with each token\n"
        "  --keep N               with op: each Nth scratch block is never freed\n"
        "  --fail N               with op: before each Nth, more is asked for than there is\n"
        "  --alloc-bytes N        with op: no scratch block is smaller (0)\n"
        "  --lock N               after each op each worker takes one mutex N times (0)\n"
        "  --imbalance N          worker 0 does its part of each tk_matmul N times over (1)\n"
        "  --mixed N              with mixed: so many blocks with each token (200)\n"
        "  --kv fixed|grow        grow: a block is kept for each token (fixed)\n"
        "  --hiccup N:PERCENT     each Nth token does so many of its ops once more (100: all; 200: "
        "all\n"
        "                         of them twice more)\n"
        "  --slow tk_matmul:P     that kernel makes so many percent of its outputs once more (0)\n"
        "  --pace MS              sleep after each token (0)\n"
        "  --repeat-kernel K:N    generate nothing; each worker calls kernel K N times\n"
        "  --truth FILE           write what was counted, as JSON\n"
        "  --spans FILE           stamp every kernel call, write the times as JSON\n"
        "  --ledger FILE          stamp where each thread's time goes, write it as JSON, by "
        "token\n";

static _Noreturn void bad(const char *what, const char *value)
{
        fprintf(stderr, "tinyengine: %s: '%s' (see --help)\n", what, value);
        exit(2);
}

static long number(const char *option, const char *text, long min, long max)
{
        char *end;
        errno = 0;
        long n = strtol(text, &end, 10);
        char what[80];

        if (end == text || *end || errno || n < min || n > max) {
                snprintf(what, sizeof(what), "--%s wants a number from %ld to %ld", option, min,
                         max);
                bad(what, text);
        }
        return n;
}

static int choice(const char *option, const char *text, const char *const names[])
{
        char what[80];

        for (int i = 0; names[i]; i++)
                if (strcmp(text, names[i]) == 0)
                        return i;
        snprintf(what, sizeof(what), "--%s has no such choice", option);
        bad(what, text);
}

static void parse_repeat(struct tiny_options *o, char *text)
{
        char *colon = strchr(text, ':'), *name = text;

        if (!colon)
                bad("--repeat-kernel wants KERNEL:COUNT", text);
        *colon = 0;
        for (int k = 0; k < TK_N_KERNELS; k++)
                if (strcmp(name, tk_kernel_names[k]) == 0)
                        o->repeat_kernel = k;
        if (o->repeat_kernel == TK_N_KERNELS)
                bad("--repeat-kernel knows no kernel of this name", name);
        o->repeat = (uint64_t)number("repeat-kernel", colon + 1, 1, LONG_MAX);
}

static void parse_hiccup(struct tiny_options *o, char *text)
{
        char *colon = strchr(text, ':');

        if (!colon)
                bad("--hiccup wants N:PERCENT", text);
        *colon = 0;
        o->hiccup = (int)number("hiccup", text, 1, 10000000);
        o->hiccup_percent = (int)number("hiccup", colon + 1, 1, 1000000);
}

static void parse_slow(struct tiny_options *o, char *text)
{
        char *colon = strchr(text, ':');

        if (!colon || strncmp(text, "tk_matmul:", 10) != 0)
                bad("--slow wants tk_matmul:PERCENT", text);
        o->slow_percent = (int)number("slow", colon + 1, 0, 1000000);
}

void tiny_options_parse(struct tiny_options *o, int argc, char **argv)
{
        static const char *const spawns[] = {"pool", "op", NULL};
        static const char *const works[] = {"fine", "coarse", NULL};
        static const char *const allocs[] = {"none", "op", "arena", "mixed", NULL};
        static const char *const weights[] = {"shared", "own", NULL};
        static const char *const kvs[] = {"fixed", "grow", NULL};
        static const struct option longs[] = {
                {"threads", 1, NULL, 'j'},
                {"tokens", 1, NULL, 'n'},
                {"layers", 1, NULL, 'l'},
                {"dim", 1, NULL, 'd'},
                {"spawn", 1, NULL, 'S'},
                {"alloc", 1, NULL, 'A'},
                {"truth", 1, NULL, 't'},
                {"spans", 1, NULL, 's'},
                {"seed", 1, NULL, 'r'},
                {"prompt", 1, NULL, 'p'},
                {"pace", 1, NULL, 'P'},
                {"repeat-kernel", 1, NULL, 'R'},
                {"keep", 1, NULL, 'k'},
                {"fail", 1, NULL, 'f'},
                {"mixed", 1, NULL, 'm'},
                {"kv", 1, NULL, 'K'},
                {"texts", 1, NULL, 'T'},
                {"work", 1, NULL, 'w'},
                {"lock", 1, NULL, 'L'},
                {"imbalance", 1, NULL, 'i'},
                {"alloc-bytes", 1, NULL, 'B'},
                {"ledger", 1, NULL, 'g'},
                {"hiccup", 1, NULL, 'H'},
                {"slow", 1, NULL, 'W'},
                {"weights", 1, NULL, 'O'},
                {"help", 0, NULL, 'h'},
                {0},
        };
        enum { MIXED = TK_ALLOC_ARENA + 1 };
        int c, alloc = TK_ALLOC_NONE, mixed = 200;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
                switch (c) {
                case 'j':
                        o->threads = (int)number("threads", optarg, 1, 1024);
                        break;
                case 'n':
                        o->tokens = (int)number("tokens", optarg, 1, 10000000);
                        break;
                case 'l':
                        o->layers = (int)number("layers", optarg, 1, 1000);
                        break;
                case 'd':
                        o->dim = (int)number("dim", optarg, 16, 16384);
                        if (o->dim % 16)
                                bad("--dim wants a multiple of 16", optarg);
                        break;
                case 'r':
                        o->seed = (uint64_t)number("seed", optarg, 0, LONG_MAX);
                        break;
                case 'p':
                        o->prompt = (int)number("prompt", optarg, 1, 100000);
                        break;
                case 'P':
                        o->pace_ms = (int)number("pace", optarg, 0, 60000);
                        break;
                case 'S':
                        o->spawn = choice("spawn", optarg, spawns);
                        break;
                case 'A':
                        alloc = choice("alloc", optarg, allocs);
                        break;
                case 'k':
                        o->keep = (uint64_t)number("keep", optarg, 1, LONG_MAX);
                        break;
                case 'f':
                        o->fail = (uint64_t)number("fail", optarg, 1, LONG_MAX);
                        break;
                case 'm':
                        mixed = (int)number("mixed", optarg, 1, 10000000);
                        break;
                case 'K':
                        o->kv_grow = choice("kv", optarg, kvs) != 0;
                        break;
                case 'T':
                        o->texts = (int)number("texts", optarg, 1, 100000);
                        break;
                case 'w':
                        o->work = choice("work", optarg, works);
                        break;
                case 'O':
                        o->own_weights = choice("weights", optarg, weights) != 0;
                        break;
                case 'L':
                        o->locks = (int)number("lock", optarg, 0, 1000000);
                        break;
                case 'i':
                        o->imbalance = (int)number("imbalance", optarg, 1, 1000000);
                        break;
                case 'B':
                        o->alloc_bytes = (uint64_t)number("alloc-bytes", optarg, 0, 1 << 30);
                        break;
                case 'g':
                        o->ledger = optarg;
                        break;
                case 't':
                        o->truth = optarg;
                        break;
                case 's':
                        o->spans = optarg;
                        break;
                case 'R':
                        parse_repeat(o, optarg);
                        break;
                case 'H':
                        parse_hiccup(o, optarg);
                        break;
                case 'W':
                        parse_slow(o, optarg);
                        break;
                case 'h':
                        fputs(usage, stdout);
                        exit(0);
                case ':':
                        bad("option wants a value", argv[optind - 1]);
                default:
                        bad("unknown option", argv[optind - 1]);
                }
        }
        o->alloc = alloc == MIXED ? TK_ALLOC_NONE : (enum tk_alloc)alloc;
        o->mixed = alloc == MIXED ? mixed : 0;
        if (optind < argc)
                bad("takes no arguments", argv[optind]);
        if (o->own_weights && o->work != TINY_WORK_COARSE)
                bad("--weights own goes with --work coarse only", "fine");
        if (o->work == TINY_WORK_COARSE && (o->spawn != TINY_SPAWN_POOL || o->kv_grow || o->mixed ||
                                            o->pace_ms || o->alloc == TK_ALLOC_ARENA))
                bad("--work does not go with --spawn op, --kv grow, --alloc arena or mixed, --pace",
                    "coarse");
}
